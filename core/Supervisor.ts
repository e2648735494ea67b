/**
 * What a connection needs of its server: settings, the turn, the wheel, what is shared, and somebody to report to.
 */
import type { Effect } from "effect/Effect"
import type { Address } from "./Address.ts"
import type { Budget } from "./Budget.ts"
import type { CloseReason } from "./CloseReason.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import type { Deadlines } from "./Deadlines.ts"
import type { Event } from "./Event.ts"
import type { InFlight } from "./InFlight.ts"
import type { Settings } from "./Settings.ts"
import type { Transport } from "./Sockets.ts"
import type { Throttle } from "./Throttle.ts"
import type { Turn } from "./Turn.ts"

/** Somebody who was let in. */
export interface Arrival {
  /** Counts up from 1 in the order of admission. */
  readonly id: number
  readonly transport: Transport
  /** What a proxy said of the client, where there is one. */
  readonly proxyHeader: ProxyHeader | undefined
}

/** A server, as its connections see it. */
export interface Supervisor {
  readonly turn: Turn
  readonly deadlines: Deadlines
  /** Swapped whole when something is changed: to be asked for each time. */
  readonly settings: Settings
  readonly budget: Budget
  readonly inFlight: InFlight
  /** Waits until the server begins to drain. */
  readonly draining: Effect<void>
  /** Undefined when nobody observes; then no event is made. */
  readonly emit: ((event: Event) => void) | undefined
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** What holds a connection from an address to the rates, where there are any. */
  throttle(client: Address | undefined): Throttle | undefined
  /** The connection has ended and holds nothing any more. */
  forget(id: number, reason: CloseReason, unsent: number): void
}
