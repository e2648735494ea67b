/**
 * A server inside a program of one's own, Node, Bun or Deno, without the word Effect: promises, and no signal handlers.
 *
 * Whoever writes Effect takes `Server.make`; a program that is nothing but the server takes `anyport serve`.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { layer } from "../adapters/auto.ts"
import * as Address from "../core/Address.ts"
import type { DrainPhase, DrainReport } from "../core/DrainReport.ts"
import type { Observer } from "../core/Event.ts"
import type * as Server from "../core/Server.ts"
import type { Service } from "../core/Service.ts"
import type { ListenError } from "../core/Sockets.ts"
import * as Logs from "./logs.ts"
import * as Places from "./places.ts"

/** Options of {@link start}, among them all that can be said of a server: limits, deadlines, `proxy`, and so on. */
export interface StartOptions extends Server.Tunables {
  /**
   * An address, or its text: `127.0.0.1:9000` (default), `[::1]:9000`, `localhost:9000` (both loopbacks), `[::]:9000`
   * (everywhere), `unix:/run/a.sock`. Port 0 asks the system for a free one.
   */
  readonly address?: Address.Address | string
  /** Share the port with other processes (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /** See {@link Server.presets}. `maxConnections` is lowered to what the process has descriptors for. */
  readonly limits?: Server.LimitOptions
  /** Are told of every event. */
  readonly observers?: ReadonlyArray<Observer>
  /** Write what goes wrong to stderr, as `anyport serve` does: warnings and errors, no more. Default true. */
  readonly log?: boolean
}

/** A server that runs. */
export interface Started {
  /** What was bound: `127.0.0.1:9000`, `unix:/run/a.sock`. */
  readonly address: string
  /** The port that was bound, also where 0 was asked for; undefined for a Unix socket. */
  readonly port: number | undefined
  /** The connections by id. Live: it changes as they come and go. */
  readonly connections: Server.Server["connections"]
  /** Suspended: nobody is accepted until it is resumed. New clients should come while it is Serving. */
  readonly state: Server.Server["state"]
  /** What of the limits is in use now. */
  readonly usage: Server.Usage
  /** Changes settings of the running server, all at once; rejects with a `SettingsError` and changes nothing if it cannot. */
  update(changes: Server.Tunables): Promise<void>
  /**
   * Has something done in the course of the drain, when it comes to a phase, within a time (default 5 s, then the signal
   * is aborted): deregister at `announced`, persist at `ended`. How it went stands in the report under its name.
   */
  onDrain(
    phase: DrainPhase,
    name: string,
    action: (signal: AbortSignal) => unknown,
    options?: { readonly timeout?: Duration.Input },
  ): void
  /** Accepts nobody until it is resumed; whoever is in stays. */
  suspend(): void
  /** Accepts again; resolves once it does. While the address cannot be bound again, it is tried each second. */
  resume(): Promise<void>
  /**
   * Stops accepting (beyond loopback after `drain.delay`), lets everything begun finish, ends all connections, releases
   * everything, and says how it went.
   */
  drain(): Promise<DrainReport>
  /** Stops accepting, resets every connection and releases everything, now. */
  close(): Promise<void>
}

/**
 * Starts a server. Rejects with a `ListenError` that says what to do when the address cannot be bound, with a `SettingsError` or with what a
 * layer of the service failed with; nothing is left behind then. Whoever starts it ends it: by `drain` or `close`, which
 * may be called in any order and more than once.
 */
export const start = async <E>(service: Service<never, E>, options: StartOptions = {}): Promise<Started> => {
  const scope = Scope.makeUnsafe()
  let releasing: Promise<void> | undefined
  const release = (): Promise<void> => releasing ??= Effect.runPromise(Scope.close(scope, Exit.void))
  const exit = await Effect.runPromiseExit(Scope.provide(acquire(service, options), scope))
  if (Exit.isFailure(exit)) {
    await release()
    throw Cause.squash(exit.cause)
  }
  const server = exit.value
  const bound = server.addresses[0]!
  return {
    address: Address.format(bound),
    port: bound._tag === "Tcp" ? bound.port : undefined,
    connections: server.connections,
    get state() {
      return server.state
    },
    get usage() {
      return server.usage
    },
    update: (changes) => Effect.runPromise(server.update(changes)),
    onDrain: (phase, name, action, options) =>
      server.onDrain(
        phase,
        name,
        Effect.tryPromise({ try: async (signal) => await action(signal), catch: (error) => error }),
        options,
      ),
    suspend: () => server.suspend(),
    resume: () => Effect.runPromise(server.resume),
    drain: async () => {
      const report = await Effect.runPromise(server.drain)
      await release()
      return report
    },
    close: () => {
      server.abort()
      return release()
    },
  }
}

const acquire = <E>(
  service: Service<never, E>,
  { address = "127.0.0.1:9000", reusePort = false, observers = [], log = true, ...settings }: StartOptions,
): Effect.Effect<Server.Server, ListenError | Server.SettingsError | E, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = yield* Layer.build(layer)
    const logging = log ? [Logs.observer(Effect.runForkWith(yield* Layer.build(Logs.layer())), { from: "Warn" })] : []
    const options = {
      ...settings,
      listeners: [{ address, service, reusePort }],
      observers: [...logging, ...observers],
    }
    return yield* Effect.provideContext(Places.make(options, () => {}), sockets)
  })
