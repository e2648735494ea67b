/**
 * What a server tells of its drain: how far it has come, and how it went.
 */
import type { Cause } from "effect/Cause"

/**
 * How far a drain has come.
 *
 * - `announced`: readiness is off; clients are accepted still, for `drain.delay`.
 * - `closing`: clients are accepted until none came for 50 ms, at most for 1 s.
 * - `ending`: nobody is accepted; handlers are told, and connections end as they become idle.
 * - `forcing`: `drain.timeout` is over, or `abort` was called; whoever is left is reset. Not where nobody is.
 * - `ended`: nobody is left.
 */
export type DrainPhase = "announced" | "closing" | "ending" | "forcing" | "ended"

/** How one step went that was registered with `Server.onDrain`. */
export interface DrainStep {
  readonly phase: DrainPhase
  readonly name: string
  readonly outcome: "done" | "failed" | "timed out"
  /** Milliseconds. */
  readonly duration: number
  /** Why it failed. */
  readonly cause?: Cause<unknown>
}

/** How a drain went. `served + drained + forced` are the connections that were open when it began, or came meanwhile. */
export interface DrainReport {
  /** Ended by themselves while the server waited. */
  readonly served: number
  /** Ended by the server, with everything begun finished and sent. */
  readonly drained: number
  /** Reset at the timeout, or by `abort`, before everything begun was finished and sent; whatever they were ending for. */
  readonly forced: number
  /** Bytes that were meant for peers and never handed to the system. */
  readonly unsent: number
  /** Milliseconds from its beginning to its end. */
  readonly duration: number
  /** What was registered to be done on the way, in the order in which it ended. */
  readonly steps: ReadonlyArray<DrainStep>
}
