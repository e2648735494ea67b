/**
 * A connection as a handler sees it and a server lists it. The engine behind it is ManagedConnection's.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import type { Address } from "./Address.ts"
import * as CloseReason from "./CloseReason.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import type { Counters } from "./Event.ts"
import { type Managed, Pause } from "./ManagedConnection.ts"
import type { SendOptions } from "./MessageClass.ts"
import { sendAll, type TransferOptions, type TransferStalled } from "./Transfer.ts"

/** The engine behind a connection. For the Server. */
export let engineOf: (connection: ConnectionInfo) => Managed<never>

/** What a connection tells of itself, to whomever it is shown. */
export class ConnectionInfo {
  static {
    engineOf = (connection) => connection.#engine
  }

  readonly #engine: Managed<never>

  constructor(engine: Managed<never>) {
    this.#engine = engine
  }

  /** Counts up from 1 in the order of acceptance, for each server. */
  get id(): number {
    return this.#engine.id
  }

  /**
   * The client, also behind a proxy that says for whom it connects. Undefined for an unnamed Unix peer, or one that was
   * gone before it could be asked.
   */
  get remoteAddress(): Address | undefined {
    return this.#engine.remoteAddress
  }

  /** What the client connected to: behind a proxy, the proxy's address. */
  get localAddress(): Address | undefined {
    return this.#engine.localAddress
  }

  /** What the proxy said, where one is required to. */
  get proxyHeader(): ProxyHeader | undefined {
    return this.#engine.proxyHeader
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

  /** Nothing has begun to end it. */
  get open(): boolean {
    return this.#engine.reason === undefined
  }

  /** Whether what is sent now need not wait: it is open, and not more than `limits.outboxHigh` bytes are unsent. */
  get writable(): boolean {
    return this.open && !this.#engine.isPaused(Pause.outbox)
  }

  /** Bytes that it holds in memory: received and not handled, or not sent. */
  get held(): number {
    return this.#engine.held
  }

  /**
   * How unlikely it is that the peer is alive: 1 is one in ten, 2 one in a hundred, as regular as it was so far. Undefined
   * where the service has no heartbeat.
   */
  get suspicion(): number | undefined {
    return this.#engine.suspicion
  }

  /** Milliseconds from the last ping to its answer. Undefined before the first, or without a heartbeat. */
  get roundTrip(): number | undefined {
    return this.#engine.roundTrip
  }

  /** Who the peer is, as the handshake of `Service.authenticate` said. Undefined before the login, or without one. */
  get identity(): unknown {
    return this.#engine.identity?.value
  }

  /** When the process cannot keep up, connections with the lowest importance end first. Default 0. */
  get importance(): number {
    return this.#engine.importance
  }

  set importance(value: number) {
    this.#engine.importance = value
  }

  /**
   * Asks the peer for a sign of life so often instead of in `heartbeat.interval`, from now on; Infinity for never,
   * undefined for `heartbeat.interval` again. Does nothing where the service has no heartbeat. Throws a RangeError when
   * it is not more than 0.
   */
  heartbeatEvery(interval: Duration.Input | undefined): void {
    const millis = interval === undefined ? undefined : Duration.toMillis(interval)
    if (millis === undefined || millis > 0) return this.#engine.heartbeatEvery(millis)
    throw new RangeError(`Cannot set the interval of a heartbeat to ${millis} ms: accepted is more than 0`)
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
   * Sends a frame that is not a reply. Waits while more than `limits.outboxHigh` bytes are unsent, unless its class says
   * what becomes of it then. Fails with the reason when the connection is over, with `EncodeFailed` when the codec cannot
   * write the frame.
   */
  send(frame: Out, options?: SendOptions): Effect.Effect<void, CloseReason.CloseReason> {
    return Effect.suspend(() => {
      const failure = this.#engine.send(frame, options)
      if (failure !== undefined) return Exit.fail(failure)
      if (options?.class !== undefined && options.class.full !== "wait") return Exit.void
      return this.#engine.isPaused(Pause.outbox) ? this.#engine.drained : Exit.void
    })
  }

  /**
   * Sends a stream of bytes beside whatever else is to be sent: never more than `window` bytes beyond what the peer has
   * confirmed, or at a `rate`. Returns the offset behind the last byte, once all is confirmed. Fails as {@link send} does,
   * as the stream does, and with `TransferStalled`. Throws a RangeError that names the option that cannot be.
   */
  sendAll<E, R>(
    stream: Stream.Stream<Uint8Array, E, R>,
    options: TransferOptions<Out>,
  ): Effect.Effect<number, E | CloseReason.CloseReason | TransferStalled, R> {
    return sendAll(this, stream, options)
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
  sendUnsafe(frame: Out, options?: SendOptions): CloseReason.CloseReason | undefined {
    return this.#engine.send(frame, options)
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
