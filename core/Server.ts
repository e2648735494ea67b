/**
 * A server: listeners, what enters through them, and the order in which all of it is acquired and released.
 *
 * Policy is elsewhere (Gate, Registry, ManagedConnection, Drain); signals and exit codes are the program's.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Address from "./Address.ts"
import type { Connection } from "./Connection.ts"
import type { DrainPhase, DrainReport } from "./DrainReport.ts"
import type { Observer } from "./Event.ts"
import type { Tunables } from "./Options.ts"
import { presets } from "./Presets.ts"
import { type Door, Registry, type Usage } from "./Registry.ts"
import { prepare, type Service } from "./Service.ts"
import { SettingsError } from "./Settings.ts"
import { type Listener, ListenError, Sockets, type Transport } from "./Sockets.ts"

export type {
  Admit,
  AdmitRule,
  Alarm,
  DeadlineOptions,
  DrainOptions,
  HeartbeatOptions,
  LimitOptions,
  OverloadOptions,
  Peer,
  Preset,
  ProxyOptions,
  Queue,
  Tunables,
} from "./Options.ts"
export type { Rate } from "./Rate.ts"
export type { DrainPhase, DrainReport, DrainStep } from "./DrainReport.ts"
export { presets, SettingsError, type Usage }

/** One endpoint and what answers there. */
export interface Endpoint<out R = never, out E = never> {
  /** An address, or its text: `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000` (both loopbacks), `unix:/run/a.sock`. */
  readonly address: Address.Address | string
  readonly service: Service<R, E>
  /** Share the port with other processes (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /** Take over this descriptor, which is bound to the address: see `ListenOptions`. Default: bind the address. */
  readonly descriptor?: number
  /** Connections at once through this listener, besides `limits.maxConnections` for all. Default: no bound of its own. */
  readonly maxConnections?: number
  /** Whether its clients come by the proxies of the option `proxy`, where there is one. Default true. */
  readonly proxied?: boolean
}

/** Options of {@link make}. The endpoints may need different things; the server needs them all. */
export interface Options<out Endpoints extends AnyEndpoints = AnyEndpoints> extends Tunables {
  readonly listeners: Endpoints
  /** Are told of every event. */
  readonly observers?: ReadonlyArray<Observer>
}

type AnyEndpoints = ReadonlyArray<Endpoint<unknown, unknown>>
type AnyService<E extends AnyEndpoints> = Service<Needs<E[number]["service"]>, Failures<E[number]["service"]>>
type Needs<S> = S extends Service<infer R, infer _E> ? R : never
type Failures<S> = S extends Service<infer _R, infer E> ? E : never

/** A running server. It ends when its scope closes: as {@link Server.drain}, then it releases what services acquired. */
export interface Server {
  /** What was bound, in the order of the listeners. */
  readonly addresses: ReadonlyArray<Address.Address>
  /** The connections by id. Live: it changes as they come and go. */
  readonly connections: ReadonlyMap<number, Connection>
  /** Suspended: nobody is accepted until it is resumed. */
  readonly state: "Serving" | "Suspended" | "Draining" | "Stopped"
  /** How far a drain has come, once it has begun. */
  readonly drainPhase: DrainPhase | undefined
  /** What of the limits is in use now. */
  readonly usage: Usage
  /**
   * Changes limits, deadlines and policies of the running server, all at once or not at all; what is not named stays as
   * it is. Nobody is ended because a limit is lower now: it holds for who comes. `limits.memory` alone holds for all.
   */
  update(changes: Tunables): Effect.Effect<void, SettingsError>
  /**
   * Has something done in the course of the drain, when it comes to a phase, within a time (default 5 s): deregister at
   * `announced`, persist at `ended`. The drain waits for it, and goes on without it when it fails or its time is over; it
   * is interrupted then, which nobody waits for. How it went stands in the report under its name. At `forcing` it is done
   * only where there is somebody to be forced. Registered when its phase has begun, it is done with the next one that
   * begins; once the server has stopped, no more. Throws when the time is no duration.
   */
  onDrain(
    phase: DrainPhase,
    name: string,
    effect: Effect.Effect<unknown, unknown>,
    options?: { readonly timeout?: Duration.Input },
  ): void
  /** Accepts nobody until it is resumed; whoever is in stays. */
  suspend(): void
  /**
   * Accepts again. Where the runtime had to unbind (`capabilities.stopAccepting`) it binds again; while that fails, an
   * `AcceptFailed` is emitted each second and it is tried anew, whether anybody waits for it or not. Done once all
   * listeners accept, or the server is suspended again or drains.
   */
  readonly resume: Effect.Effect<void>
  /**
   * Ends the server in phases, without losing what was begun: see `DrainPhase`. Says how it went. Done once, and to its
   * end: whoever is interrupted stops waiting for it, no more.
   */
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
  ListenError | SettingsError | Failures<Endpoints[number]["service"]>,
  Sockets | Scope.Scope | Needs<Endpoints[number]["service"]>
> =>
  Effect.gen(function* () {
    const sockets = yield* Sockets
    const endpoints = yield* Effect.forEach(options.listeners, resolve)
    const services = yield* Effect.forEach(
      endpoints,
      ({ service }) => prepare(service as AnyService<Endpoints>), // one of them, whose needs are among all needs
    )
    const registry = yield* Effect.acquireRelease(makeRegistry(options, endpoints), (registry) => registry.abandon)
    yield* Effect.addFinalizer(() => Effect.sync(() => registry.deadlines.stop()))
    const listeners: Array<Listener> = []
    const closing = Effect.suspend(() => Effect.forEach(listeners, ({ close }) => close, { discard: true }))
    const stop = once(registry.drain(closing))
    for (const [index, endpoint] of endpoints.entries()) {
      const { address, reusePort = false, descriptor, maxConnections = Infinity, proxied = true } = endpoint
      const door: Door = { start: services[index]!, address, maxConnections, proxied, listeners: [], taken: 0 }
      const accept = (transport: Transport): void => registry.gate.accept(transport, door)
      const listen = (address: Address.Address) => {
        const acceptFailed = registry.acceptFailed(address)
        return sockets.listen(
          { address, acceptFailed, ...(descriptor === undefined ? { reusePort } : { descriptor }) },
          accept,
        )
      }
      registry.doors.push(door)
      const listening = descriptor === undefined ? bind(listen, address) : Effect.map(listen(address), (one) => [one])
      door.listeners.push(...(yield* listening))
      listeners.push(...door.listeners)
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
      get drainPhase() {
        return registry.drainPhase
      },
      get usage() {
        return registry.usage
      },
      update: (changes) => trying(() => registry.update(changes)),
      onDrain: (phase, name, effect, { timeout = "5 seconds" } = {}) =>
        registry.steps.add(phase, name, effect, timeout),
      suspend: () => registry.suspend(),
      resume: registry.resume,
      drain: stop,
      abort: () => registry.abort(),
    }
  })

const resolve = <R, E>(
  endpoint: Endpoint<R, E>,
): Effect.Effect<Endpoint<R, E> & { readonly address: Address.Address }, ListenError | SettingsError> => {
  const { address, maxConnections = Infinity } = endpoint
  if (maxConnections !== Infinity && !(Number.isInteger(maxConnections) && maxConnections >= 0)) {
    return Effect.fail(new SettingsError("listener.maxConnections", maxConnections, "an integer from 0, or Infinity"))
  }
  const resolved = typeof address === "string" ? Address.parse(address) : address
  return resolved === undefined
    ? Effect.fail(new ListenError({ problem: "InvalidAddress", address }))
    : Effect.succeed({ ...endpoint, address: resolved })
}

/** Done once for all who ask for it. `Effect.cached` would give it up with its last waiter, and begin again for the next. */
const once = <A>(effect: Effect.Effect<A>): Effect.Effect<A> => {
  let running: Fiber.Fiber<A> | undefined
  return Effect.flatMap(Effect.context<never>(), (context) => {
    running ??= Effect.runForkWith(context)(Effect.uninterruptible(effect))
    return Fiber.join(running)
  })
}

/** What a setting that cannot be throws is a failure; everything else is a defect. */
const trying = <A>(attempt: () => A): Effect.Effect<A, SettingsError> =>
  Effect.suspend(() => {
    try {
      return Exit.succeed(attempt())
    } catch (error) {
      return error instanceof SettingsError ? Exit.fail(error) : Exit.die(error)
    }
  })

const makeRegistry = (
  { listeners: _, observers = [], ...said }: Options,
  endpoints: ReadonlyArray<{ readonly address: Address.Address }>,
): Effect.Effect<Registry, SettingsError, Sockets> =>
  Effect.flatMap(Effect.context<Sockets>(), (context) => {
    const { capabilities } = Context.get(context, Sockets)
    const local = endpoints.every(({ address }) => Address.isLocal(address))
    return trying(() => new Registry(context, capabilities, said, local, observers))
  })

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
