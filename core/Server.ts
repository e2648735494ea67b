/**
 * A server: listeners, what enters through them, and the order in which all of it is acquired and released.
 *
 * Policy is elsewhere (Drain, ManagedConnection); signals and exit codes are the program's.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Address from "./Address.ts"
import { Admission, type AdmissionOptions, type RefusalLimit } from "./Admission.ts"
import * as CloseReason from "./CloseReason.ts"
import type { Connection } from "./Connection.ts"
import { Deadlines } from "./Deadlines.ts"
import { drain } from "./Drain.ts"
import type { DrainReport, Event, Observer } from "./Event.ts"
import { prepare, type Service, type Start } from "./Service.ts"
import { type Listener, ListenError, Sockets, type Transport } from "./Sockets.ts"
import type { Bounds, Limits, Supervisor } from "./Supervisor.ts"
import { Turn } from "./Turn.ts"

/** One endpoint and what answers there. */
export interface Endpoint<out R = never, out E = never> {
  /** An address, or its text: `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000` (both loopbacks), `unix:/run/a.sock`. */
  readonly address: Address.Address | string
  readonly service: Service<R, E>
  /** Share the port with other processes (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /** Connections at once through this listener, besides `limits.maxConnections` for all. Default: no bound of its own. */
  readonly maxConnections?: number
}

/** Bounds in time. */
export interface DeadlineOptions {
  /** For what was begun, and its scope, to end when a connection closes. Default 5 s. */
  readonly close?: Duration.Input
  /**
   * From our FIN to the peer's, while what it still sends is discarded; then reset. Default 30 s: the peer may still be
   * reading its last answer. At most 5 s when the server drains.
   */
  readonly linger?: Duration.Input
  /** In which a peer takes nothing of what is waiting for it; then reset. Default 30 s. */
  readonly writeStall?: Duration.Input
  /** From the beginning of a connection to its first whole frame. Default: no bound. */
  readonly firstFrame?: Duration.Input
  /** From the first byte of a frame to its last; bytes in between give no more time. Default: no bound. */
  readonly frame?: Duration.Input
  /** In which nothing goes either way, while the service waits for the peer. Default 10 minutes. */
  readonly idle?: Duration.Input
  /** From the beginning of a connection to its end; up to a tenth less, so that not all end at once. Default: no bound. */
  readonly maxAge?: Duration.Input
  /** For all connections to end when the server stops; then reset. Default 25 s. */
  readonly drain?: Duration.Input
}

/** Bounds, and who may enter. */
export interface LimitOptions extends Partial<Limits>, AdmissionOptions {}

/** Options of {@link make}. The endpoints may need different things; the server needs them all. */
export interface Options<out Endpoints extends AnyEndpoints = AnyEndpoints> {
  readonly listeners: Endpoints
  /** See {@link defaultLimits}; who may enter is not limited otherwise unless it is said here. */
  readonly limits?: LimitOptions
  readonly deadlines?: DeadlineOptions
  /** Are told of every event. */
  readonly observers?: ReadonlyArray<Observer>
}

type AnyEndpoints = ReadonlyArray<Endpoint<unknown, unknown>>
type AnyService<E extends AnyEndpoints> = Service<Needs<E[number]["service"]>, Failures<E[number]["service"]>>
type Needs<S> = S extends Service<infer R, infer _E> ? R : never
type Failures<S> = S extends Service<infer _R, infer E> ? E : never

/** `maxConnections` 10,000; `outboxHigh` 1 MiB; `outboxLow` 256 KiB. */
export const defaultLimits: Limits = { maxConnections: 10_000, outboxHigh: 1_048_576, outboxLow: 262_144 }

/** A running server. It ends when its scope closes: as {@link Server.drain}, then it releases what services acquired. */
export interface Server {
  /** What was bound, in the order of the listeners. */
  readonly addresses: ReadonlyArray<Address.Address>
  /** The connections by id. Live: it changes as they come and go. */
  readonly connections: ReadonlyMap<number, Connection>
  readonly state: "Serving" | "Draining" | "Stopped"
  /** Stops accepting, lets everything begun finish, ends all connections and says how it went. Done once. */
  readonly drain: Effect.Effect<DrainReport>
  /** Resets every connection now. Synchronous, for the last moment of a program. */
  abort(): void
}

/**
 * Acquires a server. Read downwards it is how it starts, upwards how it stops: stop accepting and drain, stop the wheel,
 * abort whoever is left, release what the services were provided with.
 */
export const make = <const Endpoints extends AnyEndpoints>(
  options: Options<Endpoints>,
): Effect.Effect<
  Server,
  ListenError | Failures<Endpoints[number]["service"]>,
  Sockets | Scope.Scope | Needs<Endpoints[number]["service"]>
> =>
  Effect.gen(function* () {
    const sockets = yield* Sockets
    const endpoints = yield* Effect.forEach(options.listeners, resolve)
    const services = yield* Effect.forEach(
      endpoints,
      ({ service }) => prepare(service as AnyService<Endpoints>), // one of them, whose needs are among all needs
    )
    const registry = yield* Effect.acquireRelease(makeRegistry(options), (registry) => registry.abandon)
    yield* Effect.addFinalizer(() => Effect.sync(() => registry.deadlines.stop()))
    const listeners: Array<Listener> = []
    const closing = Effect.suspend(() => Effect.forEach(listeners, ({ close }) => close, { discard: true }))
    const stop = yield* Effect.cached(Effect.uninterruptible(Effect.andThen(closing, registry.drain)))
    for (const [index, { address, reusePort = false, maxConnections = Infinity }] of endpoints.entries()) {
      const entrance: Entrance = { start: services[index]!, address, maxConnections, connections: 0 }
      const accept = (transport: Transport): void => registry.accept(transport, entrance)
      const listen = (address: Address.Address) =>
        sockets.listen({ address, reusePort, acceptFailed: registry.acceptFailed(address) }, accept)
      listeners.push(...(yield* bind(listen, address)))
    }
    // From here on there is something to drain: a start that fails just unbinds.
    yield* Effect.addFinalizer(() => stop)
    for (const { address } of listeners) registry.emit?.({ _tag: "Listening", address })
    return {
      addresses: listeners.map(({ address }) => address),
      connections: registry.connections,
      get state() {
        return registry.state
      },
      drain: stop,
      abort: () => registry.abort(),
    }
  })

const resolve = <R, E>(endpoint: Endpoint<R, E>) => {
  const { address } = endpoint
  const resolved = typeof address === "string" ? Address.parse(address) : address
  return resolved === undefined
    ? Effect.fail(new ListenError({ problem: "InvalidAddress", address }))
    : Effect.succeed({ ...endpoint, address: resolved })
}

type Listening = Effect.Effect<Listener, ListenError, Scope.Scope>

/** One listener, or for `localhost` two that share a port. */
const bind = (
  listen: (address: Address.Address) => Listening,
  address: Address.Address,
): Effect.Effect<ReadonlyArray<Listener>, ListenError, Scope.Scope> => {
  const [first, second] = Address.loopbacks(address)
  if (second === undefined) return Effect.map(listen(first), (listener) => [listener])
  const both = Effect.flatMap(listen(first), (listener) =>
    Effect.match(listen(samePort(second, listener.address)), {
      onSuccess: (other) => Exit.succeed([listener, other]),
      // The second loopback may not exist (IPv6 is off); everything else that is wrong with it is wrong.
      onFailure: (error) => error.problem === "AddressUnavailable" ? Exit.succeed([listener]) : Exit.fail(error),
    }).pipe(Effect.flatten))
  // The port that the system chose on one loopback may be taken on the other: another one is asked for.
  const again = (error: ListenError): boolean =>
    error.problem === "AddressInUse" && address._tag === "Tcp" && address.port === 0
  return Effect.retry(inScopeOfItsOwn(both), { times: 8, while: again })
}

/** What failed leaves nothing acquired behind. */
const inScopeOfItsOwn = <A, E>(acquire: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.flatMap(
    Effect.scope,
    (parent) =>
      Effect.flatMap(
        Scope.fork(parent),
        (scope) => Effect.onError(Scope.provide(acquire, scope), () => Scope.close(scope, Exit.void)),
      ),
  )

const samePort = (address: Address.Address, bound: Address.Address): Address.Address =>
  address._tag === "Tcp" && bound._tag === "Tcp" ? Address.tcp(address.host, bound.port) : address

/** A listener, as the registry sees it. */
interface Entrance {
  readonly start: Start
  readonly address: Address.Address
  readonly maxConnections: number
  /** That came through it and are still there. */
  connections: number
}

const makeRegistry = (options: Options): Effect.Effect<Registry> =>
  Effect.map(Effect.context<never>(), (context) => new Registry(context, options))

const checkCount = (name: string, value: number): void => {
  if (Number.isInteger(value) && value >= 0) return
  throw new RangeError(`Cannot make a server: ${name} is ${value}, accepted is an integer from 0`)
}

/** The connections of a server, and what they share. */
class Registry implements Supervisor {
  readonly turn: Turn
  readonly deadlines: Deadlines
  readonly limits: Limits
  readonly bounds: Bounds
  readonly emit: ((event: Event) => void) | undefined
  readonly connections = new Map<number, Connection>()
  state: Server["state"] = "Serving"
  readonly #clock: Clock.Clock
  readonly #admission: Admission
  // Of those that came through a listener with a bound of its own.
  readonly #entrances = new Map<number, Entrance>()
  readonly #draining = Latch.makeUnsafe()
  readonly #empty = Latch.makeUnsafe(true)
  readonly #drainMillis: number
  readonly #ended = { served: 0, drained: 0, forced: 0, unsent: 0 }
  #lastId = 0

  constructor(context: Context.Context<never>, { listeners, limits, deadlines, observers = [] }: Options) {
    this.#clock = Context.get(context, Clock.Clock)
    this.turn = new Turn(Context.get(context, Scheduler.Scheduler).makeDispatcher())
    this.deadlines = new Deadlines(context)
    const { maxConnections, outboxHigh, outboxLow, ...admission } = { ...defaultLimits, ...limits }
    this.limits = { maxConnections, outboxHigh, outboxLow }
    for (const [name, value] of Object.entries(this.limits)) checkCount(`limits.${name}`, value)
    for (const { maxConnections } of listeners) {
      if (maxConnections !== undefined) checkCount("listener.maxConnections", maxConnections)
    }
    this.#admission = new Admission(admission, this.#monotonic())
    this.bounds = {
      close: Duration.toMillis(deadlines?.close ?? "5 seconds"),
      linger: Duration.toMillis(deadlines?.linger ?? "30 seconds"),
      writeStall: Duration.toMillis(deadlines?.writeStall ?? "30 seconds"),
      firstFrame: Duration.toMillis(deadlines?.firstFrame ?? Infinity),
      frame: Duration.toMillis(deadlines?.frame ?? Infinity),
      idle: Duration.toMillis(deadlines?.idle ?? "10 minutes"),
      maxAge: Duration.toMillis(deadlines?.maxAge ?? Infinity),
    }
    this.#drainMillis = Duration.toMillis(deadlines?.drain ?? "25 seconds")
    this.emit = observers.length === 0 ? undefined : (event) => {
      for (const observe of observers) this.#tell(observe, event)
    }
  }

  get draining(): Effect.Effect<void> {
    return this.#draining.await
  }

  // What an observer throws belongs to its author, not in the middle of a connection: it is thrown again outside.
  #tell(observe: Observer, event: Event): void {
    try {
      observe(event)
    } catch (error) {
      this.turn.next(() => {
        throw error
      })
    }
  }

  now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  #monotonic(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  accept(transport: Transport, entrance: Entrance): void {
    const { remoteAddress } = transport
    const limit = this.#refusal(remoteAddress, entrance)
    if (limit !== undefined) {
      this.emit?.({ _tag: "Refused", remoteAddress, limit })
      return transport.abort()
    }
    const id = ++this.#lastId
    if (entrance.maxConnections < Infinity) {
      entrance.connections++
      this.#entrances.set(id, entrance)
    }
    try {
      this.connections.set(id, entrance.start(id, transport, this))
      this.#empty.closeUnsafe()
    } catch (cause) {
      // A codec threw instead of making a decoder or an encoder.
      this.#leave(id, remoteAddress)
      this.emit?.({ _tag: "AcceptFailed", address: entrance.address, failure: { code: undefined, cause } })
      transport.abort()
    }
  }

  #refusal(client: Address.Address | undefined, entrance: Entrance): RefusalLimit | undefined {
    if (this.state !== "Serving") return "draining"
    if (this.connections.size >= this.limits.maxConnections) return "maxConnections"
    if (entrance.connections >= entrance.maxConnections) return "listener.maxConnections"
    return this.#admission.admit(client, this.#monotonic())
  }

  #leave(id: number, client: Address.Address | undefined): void {
    this.#admission.release(client)
    const entrance = this.#entrances.get(id)
    if (entrance === undefined) return
    entrance.connections--
    this.#entrances.delete(id)
  }

  acceptFailed(address: Address.Address): (failure: { code: string | undefined; cause: unknown }) => void {
    return (failure) => this.emit?.({ _tag: "AcceptFailed", address, failure })
  }

  forget(id: number, reason: CloseReason.CloseReason, unsent: number): void {
    this.#leave(id, this.connections.get(id)?.remoteAddress)
    this.connections.delete(id)
    if (this.state !== "Serving") {
      const how = reason._tag === "Drained" ? "drained" : reason._tag === "DrainTimeout" ? "forced" : "served"
      this.#ended[how]++
      this.#ended.unsent += unsent
    }
    if (this.connections.size === 0) this.#empty.openUnsafe()
  }

  readonly drain: Effect.Effect<DrainReport> = Effect.suspend(() => {
    this.state = "Draining"
    this.emit?.({ _tag: "Draining", connections: this.connections.size })
    this.#draining.openUnsafe()
    const draining = { connections: this.connections, empty: this.#empty.await }
    return Effect.map(drain(draining, this.#drainMillis, this.bounds.close), () => {
      this.state = "Stopped"
      const report: DrainReport = { ...this.#ended }
      this.emit?.({ _tag: "Drained", report })
      return report
    })
  })

  /** Whoever is left when all waiting is over. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    this.abort()
    return this.connections.size === 0 ? Exit.void : Effect.timeoutOption(this.#empty.await, this.bounds.close)
  })

  abort(): void {
    for (const connection of this.connections.values()) connection.abortUnsafe(CloseReason.drainTimeout)
  }
}
