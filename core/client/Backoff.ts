/**
 * How long a client waits before it connects again: longer after each failure, and by chance, so that the clients of a
 * server that was restarted do not all come back at once (AWS Architecture Blog, "Exponential Backoff and Jitter").
 * Numbers in, number out.
 */

/** Milliseconds, and how they grow. */
export interface Backoff {
  readonly base: number
  readonly max: number
  readonly factor: number
  readonly jitter: "full" | "none"
  /** A connection that lasted so long was a good one: waiting begins anew. */
  readonly stable: number
}

/** Milliseconds to wait after so many failures in a row, from 1; `chance` is from 0 to 1. */
export const wait = ({ base, max, factor, jitter }: Backoff, failures: number, chance: number): number => {
  const longest = Math.min(max, base * factor ** (failures - 1))
  return jitter === "full" ? longest * chance : longest
}
