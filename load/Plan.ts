/**
 * What a run does: against what, how, for how long, and what it says. Plain values that were checked; a command line, a test
 * or a program makes one.
 */
import type { Codec } from "../core/Codec.ts"
import type { Messages } from "./Messages.ts"
import type { Stage } from "./Schedule.ts"
import type { Target } from "./Target.ts"

/**
 * How load is made.
 *
 * - `closed`: each connection has so many requests in flight, and sends the next one when it has a reply.
 * - `open`: requests are due by a schedule, whatever becomes of those before.
 * - `idle`: connections are held, and say nothing but heartbeats.
 * - `churn`: connect, one request, close, and again.
 * - `flood`: connections send as much as is taken, and replies are counted and not waited for.
 */
export type Mode = "closed" | "open" | "idle" | "churn" | "flood"

/** What a reply has to be. */
export type Expectation =
  | { readonly _tag: "Any" }
  /** The request itself, with something in front of it. */
  | { readonly _tag: "Echo"; readonly prefix: Uint8Array }
  | { readonly _tag: "Prefix"; readonly prefix: Uint8Array }
  | { readonly _tag: "Matches"; readonly pattern: RegExp }
  /** There is none: a request is done when it is sent. */
  | { readonly _tag: "None" }

/** What is said before anything else; the answer has to be this, where one is expected. */
export interface Hello {
  readonly send: Uint8Array
  readonly expect: Uint8Array | undefined
}

/** What is sent in between, in milliseconds; an answer to it is no reply. */
export interface Beat {
  readonly every: number
  readonly send: Uint8Array
  readonly answer: Uint8Array | undefined
}

/** A run. All times in milliseconds. */
export interface Plan {
  readonly target: Target
  /** Local addresses that connections are made from by turns. Empty: the system chooses. */
  readonly sources: ReadonlyArray<string>
  /** Frames on the wire: bytes to bytes. */
  readonly framing: () => Codec<Uint8Array, Uint8Array>
  readonly mode: Mode
  readonly connections: number
  /** Requests of one connection at once. */
  readonly inFlight: number
  /** The rate of an open run. */
  readonly stages: ReadonlyArray<Stage>
  /**
   * Looks at the clock all the time for what is due within the next two milliseconds, which takes a core of its own; else
   * wakes up every millisecond, and what is due waits for that. Of open runs. Default false.
   */
  readonly polls?: boolean
  /** Of the schedule: what of an arrival is due at the beginning, from 0 to below 1. Default 0. */
  readonly phase?: number
  /** What is not measured, in front of `duration`. */
  readonly warmup: number
  readonly duration: number
  /** Between a reply and the next request, of closed runs. */
  readonly think: number
  readonly messages: Messages
  readonly expect: Expectation
  readonly hello: Hello | undefined
  readonly beat: Beat | undefined
  /** For one connection to be there. */
  readonly connectTimeout: number
  /** For the replies that are left when sending ends. */
  readonly grace: number
  /** Connections that are being made at once. */
  readonly connecting: number
  /** Connections that are begun in a second, at first. Default: as fast as it goes. */
  readonly connectRate?: number
  /** A connection that ended is made again. */
  readonly reconnect: boolean
  readonly seed: number
}
