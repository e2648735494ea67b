/**
 * What a connection needs of its server: bounds, the turn, the wheel, and somebody to report to.
 */
import type { Effect } from "effect/Effect"
import type { CloseReason } from "./CloseReason.ts"
import type { Deadlines } from "./Deadlines.ts"
import type { Event } from "./Event.ts"
import type { Turn } from "./Turn.ts"

/** Bounds of a server's connections: a count, and bytes. */
export interface Limits {
  readonly maxConnections: number
  /** With more unsent than this, a connection is not read and its senders wait. */
  readonly outboxHigh: number
  /** With no more unsent than this, they go on. */
  readonly outboxLow: number
}

/** Bounds in time of a server's connections, in milliseconds. */
export interface Bounds {
  /** For what was begun, and the scope, to end when a connection closes. */
  readonly close: number
  /** From our FIN to the peer's. */
  readonly linger: number
  /** In which a peer takes nothing of what is waiting for it. */
  readonly writeStall: number
  /** From the connection's beginning to its first whole frame; Infinity for no bound, as all that follow. */
  readonly firstFrame: number
  /** From the first byte of a frame to its last. */
  readonly frame: number
  /** In which nothing goes either way, while the peer is waited for. */
  readonly idle: number
  /** From the connection's beginning to its end; up to a tenth less, so that not all end at once. */
  readonly maxAge: number
}

/** A server, as its connections see it. */
export interface Supervisor {
  readonly turn: Turn
  readonly deadlines: Deadlines
  readonly limits: Limits
  readonly bounds: Bounds
  /** Waits until the server begins to drain. */
  readonly draining: Effect<void>
  /** Undefined when nobody observes; then no event is made. */
  readonly emit: ((event: Event) => void) | undefined
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** The connection has ended and holds nothing any more. */
  forget(id: number, reason: CloseReason, unsent: number): void
}
