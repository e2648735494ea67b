/**
 * The end of a connection, in order and before its first answer: the client, on a busy machine, had not said anything when
 * the server began to drain, or not for longer than a drain waits.
 */
export const late = "FIN"

/** How connecting went, as clients saw it: who got in, why others did not, and for how long nobody did. */
export class Entries {
  /** Connections that were answered once. */
  count = 0
  /** Connections that ended before their first answer, by the code of the error, or {@link late}. */
  readonly failures: Record<string, number> = {}
  /** The longest time in which nobody got in, in milliseconds. */
  longestGap = 0
  #last = performance.now()

  /** Somebody was answered for the first time. */
  entered(): void {
    const now = performance.now()
    this.longestGap = Math.max(this.longestGap, now - this.#last)
    this.#last = now
    this.count++
  }

  /** Somebody was refused, or reset before the first answer. */
  failed(code: string): void {
    this.failures[code] = (this.failures[code] ?? 0) + 1
  }

  /** How many were refused or reset. */
  get broken(): number {
    return broken(this.failures)
  }
}

/** How many were refused or reset. */
export const broken = (failures: Readonly<Record<string, number>>): number =>
  Object.entries(failures).reduce((sum, [code, count]) => code === late ? sum : sum + count, 0)
