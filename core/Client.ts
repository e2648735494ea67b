/**
 * A client: one connection to one server, made again when it ends, and what goes through it. It stands on the engine that
 * a server's connections stand on, so that codecs, batches, heartbeats, deadlines and close reasons are the same at both
 * ends.
 *
 * ```text
 *            ┌───────────────────────────────────────────────────────────────────────────────┐
 *            ▼                                                                               │ backoff
 *   Connecting ─► Connected ─► handshake ─► ready ─► Disconnected ─► Waiting ────────────────┘
 *                                 │ LoginRefused                  └► Closed: reconnect is false, or the scope has closed
 *                                 └─► Closed
 * ```
 *
 * 1. Nothing is sent twice: a frame of which a byte has left is gone with its connection, and who asked is told so
 *    (`Unknown`). A frame of which none has is kept for the next one, as long as there is room.
 * 2. Frames are sent in the order in which they were given.
 * 3. It waits for no answer at its end. What is kept is flushed for `deadlines.close` at most, when there is a connection.
 *
 * It is no pool, balances nothing and looks up nothing; nor does it know whether a request may be tried again.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { isTagged } from "effect/Predicate"
import * as Random from "effect/Random"
import type { Scope } from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Backoff from "./client/Backoff.ts"
import { ClientClosed, NotSent, OutboxFull, Unknown } from "./client/Errors.ts"
import type { ClientEvent, ClientObserver, Ending } from "./client/Event.ts"
import { type ClientUsage, Exchange, type RequestOptions } from "./client/Exchange.ts"
import { Host } from "./client/Host.ts"
import {
  type ByKey,
  check,
  type ClientHeartbeat,
  type Config,
  type Link,
  type Options,
  type OutboxOptions,
  type ReconnectOptions,
} from "./client/Options.ts"
import * as CloseReason from "./CloseReason.ts"
import type { Codec } from "./Codec.ts"
import type { Deadline } from "./Deadlines.ts"
import { ManagedConnection } from "./ManagedConnection.ts"
import { Session, SessionDriver } from "./Session.ts"
import { SettingsError } from "./Settings.ts"
import { ConnectError, Sockets, type Transport } from "./Sockets.ts"

export { ClientClosed, NotSent, OutboxFull, SettingsError, Unknown }
export type {
  ByKey,
  ClientEvent,
  ClientHeartbeat,
  ClientObserver,
  ClientUsage,
  Ending,
  Link,
  Options,
  OutboxOptions,
  ReconnectOptions,
  RequestOptions,
}

/** A client whose codec reads `In` and writes `Out`. */
export interface Client<out In, in Out> {
  /**
   * Sends a frame: at once, or when there is a connection again. That it succeeds says that the frame was taken, not that
   * it arrives. Waits while more than `limits.outboxHigh` bytes are unsent. Fails with `OutboxFull` when as much is kept
   * as may be, with `EncodeFailed` when the codec cannot write it (where that is seen later, the frame is `Dropped`), and
   * with `ClientClosed` once there will be no connection any more.
   */
  send(frame: Out): Effect.Effect<void, OutboxFull | ClientClosed | CloseReason.EncodeFailed>
  /**
   * Sends a frame and waits for its answer. Fails with `NotSent` when it never left, and with `Unknown` when it did and no
   * answer came, in time or before the connection ended; then it may have been done, and is not sent again. To interrupt
   * it is to give up the answer, and the request as well if it has not left.
   */
  request(frame: Out, options?: RequestOptions): Effect.Effect<In, NotSent | Unknown>
  /** The next frame that is no answer. Waits for one. While nobody takes them, reading stops at `maxUnread`. */
  readonly receive: Effect.Effect<In, ClientClosed>
  /** These frames as a stream, over all connections. It ends with the client, and fails where that did not end by itself. */
  readonly frames: Stream.Stream<In, ClientClosed>
  /** Waits for a connection that takes frames. */
  readonly connected: Effect.Effect<void, ClientClosed>
  /** Waits until it has ended for good, and says why. */
  readonly closed: Effect.Effect<Ending>
  /**
   * Ends it: what is kept is flushed, for `deadlines.close` at most, and the peer is given `deadlines.linger` to finish as
   * well. Requests without an answer fail. The end of its scope does the same.
   */
  readonly close: Effect.Effect<void>
  /** Whether there is a connection that takes frames, or none yet, or there never will be. */
  readonly state: "Ready" | "Away" | "Closed"
  /** What it holds now. */
  readonly usage: ClientUsage
}

/**
 * A client that connects in the background, for as long as its scope is open: it returns at once, and `connected` waits.
 * Fails with a `SettingsError` that names an option that cannot be.
 *
 * ```ts
 * const client = yield* Client.make(Lines.make({ maxLength: 65_536 }), { address: "127.0.0.1:9000" })
 * const answer = yield* client.request("hello")
 * ```
 */
export const make = <In, Out, E = never, R = never>(
  codec: Codec<In, Out>,
  options: Options<In, Out, E, R>,
): Effect.Effect<Client<In, Out>, SettingsError, Exclude<R, Scope> | Scope | Sockets> =>
  Effect.gen(function* () {
    const config = yield* checked(options)
    // What the handshake needs is in the context, as the type says.
    const context = (yield* Effect.context<Exclude<R, Scope> | Scope | Sockets>()) as Context.Context<Sockets>
    const runner = new Runner(codec, config, context)
    yield* Effect.addFinalizer(() => Effect.sync(() => runner.host.deadlines.stop()))
    const fiber = yield* Effect.forkScoped(Effect.interruptible(runner.run))
    const close = yield* Effect.cached(Effect.uninterruptible(runner.close(fiber)))
    yield* Effect.addFinalizer(() => close)
    const { exchange } = runner
    return {
      send: (frame) => exchange.send(frame),
      request: (frame, options) => exchange.request(frame, options),
      receive: exchange.receive,
      frames: exchange.frames,
      connected: exchange.connected,
      closed: exchange.closed,
      close,
      get state() {
        return exchange.state
      },
      get usage() {
        return exchange.usage
      },
    }
  })

const checked = <In, Out, E, R>(options: Options<In, Out, E, R>): Effect.Effect<Config<In, Out>, SettingsError> =>
  Effect.suspend(() => {
    try {
      return Exit.succeed(check(options))
    } catch (error) {
      return error instanceof SettingsError ? Exit.fail(error) : Exit.die(error)
    }
  })

/** Makes the connections of a client, one after the other. */
class Runner<In, Out> {
  readonly host: Host
  readonly exchange: Exchange<In, Out>
  readonly #codec: Codec<In, Out>
  readonly #config: Config<In, Out>
  readonly #context: Context.Context<Sockets>
  #connection: ManagedConnection<In, Out> | undefined
  #closing = false
  #failures = 0
  #lastId = 0

  constructor(codec: Codec<In, Out>, config: Config<In, Out>, context: Context.Context<Sockets>) {
    this.#codec = codec
    this.#config = config
    this.#context = context
    this.host = new Host(config.settings, context)
    this.exchange = new Exchange(config, this.host.deadlines, (event) => this.#emit(event))
  }

  /** Connects again and again, until it is not to be any more. */
  readonly run: Effect.Effect<void> = Effect.suspend(() => this.#live).pipe(
    Effect.catchDefect((defect) => Effect.succeed(CloseReason.handlerFailed("client", Cause.die(defect)))),
    Effect.map((ending) => this.#end(ending)),
  )

  readonly #live: Effect.Effect<Ending> = Effect.gen({ self: this }, function* () {
    for (;;) {
      this.#emit({ _tag: "Connecting", attempt: this.#failures + 1 })
      const began = this.host.monotonic()
      const ending = yield* Effect.scoped(Effect.catch(this.#attempt, (error) => Effect.succeed(error)))
      this.#connection = undefined
      this.#emit({ _tag: "Disconnected", reason: ending })
      const { backoff } = this.#config
      if (backoff === undefined || this.#closing || isFinal(ending)) return ending
      const lasted = isTagged(ending, "ConnectError") ? 0 : this.host.monotonic() - began
      this.#failures = lasted > 0 && lasted >= backoff.stable ? 1 : this.#failures + 1
      const millis = Math.round(Backoff.wait(backoff, this.#failures, yield* Random.next))
      this.#emit({ _tag: "Waiting", millis })
      yield* Effect.sleep(millis)
    }
  })

  /** One connection, from its making to its end. */
  readonly #attempt: Effect.Effect<CloseReason.CloseReason, ConnectError, Scope> = Effect.suspend(() => this.#connect)
    .pipe(Effect.flatMap((transport) => {
      this.#emit({ _tag: "Connected" })
      const manners = this.#config.heartbeat === undefined ? {} : { heartbeat: this.#config.heartbeat }
      const arrival = { id: ++this.#lastId, transport, proxyHeader: undefined }
      const connection = new ManagedConnection(arrival, this.#codec, manners, this.#context, this.host)
      this.#connection = connection
      const { handshake } = this.#config
      if (handshake === undefined) this.exchange.open(connection)
      else this.#login(connection, handshake)
      return connection.over
    }))

  get #connect(): Effect.Effect<Transport, ConnectError, Scope> {
    const { address, connectTimeout } = this.#config
    return Effect.timeoutOrElse(Context.get(this.#context, Sockets).connect({ address }), {
      duration: connectTimeout,
      orElse: () => Effect.fail(new ConnectError({ problem: "TimedOut", address })),
    })
  }

  #login(connection: ManagedConnection<In, Out>, handshake: NonNullable<Config<In, Out>["handshake"]>): void {
    const { deadlines } = this.host
    const deadline: Deadline = { slot: 0, expire: () => connection.abort(CloseReason.loginTimeout) }
    const receiving = connection as unknown as ManagedConnection<In, never> // its driver sends nothing
    const driver = new SessionDriver<In>(receiving, { framesPerDecode: 1, inputHigh: 64 * 1024 })
    const session = new Session(connection, driver)
    const login = Effect.suspend(() => handshake(session)).pipe(
      Effect.mapError((error) => isTagged(error, "LoginRefused") ? refusedBy(error) : error),
      Effect.ensuring(Effect.sync(() => deadlines.disarm(deadline))),
      Effect.map(() => {
        if (connection.reason !== undefined) return
        driver.retire()
        this.#emit({ _tag: "LoggedIn" })
        connection.heartbeatEvery(undefined)
        this.exchange.open(connection)
        connection.yieldTurn() // what has come behind the login is for the next driver
      }),
    )
    connection.start(driver)
    connection.heartbeatEvery(Infinity)
    deadlines.arm(deadline, this.#config.handshakeTimeout)
    driver.begin(login)
  }

  /** Ends it from outside. */
  close(fiber: Fiber.Fiber<void>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#closing = true
      this.exchange.finish(new ClientClosed({ reason: CloseReason.localClosed }))
      const connection = this.#connection
      const { close, linger } = this.#config.settings.deadlines
      if (connection !== undefined) {
        connection.close(CloseReason.localClosed)
        const over = (millis: Duration.Input) => Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), millis)
        yield* over(close)
        if (connection.unsent > 0) connection.abort(CloseReason.localClosed)
        yield* over(linger)
        connection.abort(CloseReason.localClosed)
        yield* over(close)
      }
      yield* Fiber.interrupt(fiber)
      this.#end(CloseReason.localClosed)
    })
  }

  #end(reason: Ending): void {
    const said = this.#closing ? CloseReason.localClosed : reason
    if (this.exchange.end(new ClientClosed({ reason: said }))) this.#emit({ _tag: "Closed", reason: said })
  }

  // What an observer throws belongs to its author, not in the middle of a connection: it is thrown again outside.
  #emit(event: ClientEvent): void {
    for (const observe of this.#config.observers) {
      try {
        observe(event)
      } catch (error) {
        this.host.turn.throwLater(error)
      }
    }
  }
}

/** Whether it makes no sense to try again: nobody knows us there, or nothing can be there. */
const isFinal = (ending: Ending): boolean =>
  ending._tag === "LoginRefused" ||
  (ending._tag === "ConnectError" && (ending.problem === "InvalidAddress" || ending.problem === "UnsupportedRuntime"))

const refusedBy = (error: object & { readonly detail?: unknown }): CloseReason.LoginRefused =>
  CloseReason.loginRefused(typeof error.detail === "string" ? error.detail : undefined)
