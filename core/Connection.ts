/**
 * A connection as a handler sees it and a server lists it. The engine behind it is ManagedConnection's.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Address } from "./Address.ts"
import * as CloseReason from "./CloseReason.ts"
import type { Counters } from "./Event.ts"
import { type Managed, Pause } from "./ManagedConnection.ts"

/** What a connection tells of itself, to whomever it is shown. */
export class ConnectionInfo {
  readonly #engine: Managed<never>

  constructor(engine: Managed<never>) {
    this.#engine = engine
  }

  /** Counts up from 1 in the order of acceptance, for each server. */
  get id(): number {
    return this.#engine.id
  }

  /** Undefined for an unnamed Unix peer, or one that was gone before it could be asked. */
  get remoteAddress(): Address | undefined {
    return this.#engine.remoteAddress
  }

  get localAddress(): Address | undefined {
    return this.#engine.localAddress
  }

  /** Wall clock, milliseconds since the epoch. */
  get openedAt(): number {
    return this.#engine.openedAt
  }

  /** What it has moved so far. */
  get counters(): Counters {
    return this.#engine.counters
  }

  /** Bytes to be sent that the transport has not yet taken. */
  get unsent(): number {
    return this.#engine.unsent
  }

  /** Open, with everything received handled and everything begun finished. */
  get idle(): boolean {
    return this.#engine.idle
  }
}

/** A connection whose service sends frames of type `Out`. */
export class Connection<in Out = never> extends ConnectionInfo {
  readonly #engine: Managed<Out>

  constructor(engine: Managed<Out>) {
    super(engine)
    this.#engine = engine
  }

  /**
   * Sends a frame that is not a reply. Waits while more than `limits.outboxHigh` bytes are unsent. Fails with the reason
   * when the connection is over, with `EncodeFailed` when the codec cannot write the frame.
   */
  send(frame: Out): Effect.Effect<void, CloseReason.CloseReason> {
    return Effect.suspend(() => {
      const failure = this.#engine.send(frame)
      if (failure !== undefined) return Exit.fail(failure)
      return this.#engine.isPaused(Pause.outbox) ? this.#engine.drained : Exit.void
    })
  }

  /** Ends it once everything begun is answered and sent. Default reason: `LocalClosed`. */
  close(reason: CloseReason.CloseReason = CloseReason.localClosed): Effect.Effect<void> {
    return Effect.sync(() => this.#engine.close(reason))
  }

  /**
   * Ends it at once: what is unsent is dropped, and the peer sees a reset where the runtime can. Default reason:
   * `Kicked`.
   */
  abort(reason: CloseReason.CloseReason = CloseReason.kicked): Effect.Effect<void> {
    return Effect.sync(() => this.#engine.abort(reason))
  }

  /** {@link send} at once and without waiting: returns why it could not. The caller minds `unsent`. */
  sendUnsafe(frame: Out): CloseReason.CloseReason | undefined {
    return this.#engine.send(frame)
  }

  /** {@link close} at once. */
  closeUnsafe(reason: CloseReason.CloseReason = CloseReason.localClosed): void {
    this.#engine.close(reason)
  }

  /** {@link abort} at once. */
  abortUnsafe(reason: CloseReason.CloseReason = CloseReason.kicked): void {
    this.#engine.abort(reason)
  }

  /** Waits for the end, and says why. */
  get closed(): Effect.Effect<CloseReason.CloseReason> {
    return this.#engine.over
  }

  /** Waits until the server begins to drain. */
  get draining(): Effect.Effect<void> {
    return this.#engine.draining
  }
}
