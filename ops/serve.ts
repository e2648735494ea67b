/**
 * A server as a program: it listens, logs, waits for a signal, drains and says with which exit code to end.
 *
 * The command line calls this; so does any program that wants the same behaviour without the command line.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import process from "node:process"
import * as Address from "../core/Address.ts"
import type * as Server from "../core/Server.ts"
import type { Service } from "../core/Service.ts"
import { type ListenError, Sockets } from "../core/Sockets.ts"
import type { Sources } from "./admin/routes.ts"
import * as Container from "./container.ts"
import * as Descriptors from "./descriptors.ts"
import * as Logs from "./logs.ts"
import * as Places from "./places.ts"
import * as Signals from "./signals.ts"
import * as Unit from "./systemd/unit.ts"
import * as Channel from "./workers/Channel.ts"
import * as Part from "./workers/Part.ts"
import type { Ready } from "./workers/Supervisor.ts"

/** What to serve, and where. */
export interface Options<E> {
  /** Found when everything else is ready for it; until then a signal ends the program. */
  readonly service: Effect.Effect<Service<never, E>, E>
  readonly address: Address.Address
  /** A descriptor to take over, which is bound to that address. Default: the address is bound. */
  readonly descriptor?: number
  /** Default: the preset for that address. `limits.maxConnections` is lowered to what the process has descriptors for. */
  readonly settings?: Server.Tunables
  /**
   * Where `/livez`, `/readyz` and `/metrics` are served, and the version that they name; of a worker its supervisor serves
   * them. Default: nowhere.
   */
  readonly admin?: { readonly address: Address.Address; readonly version: string }
  /** Which worker of a supervisor this process is: it has its share of the limits, and shares the port. Default: none. */
  readonly worker?: Part.Part
}

/** In which everything has to be released once the drain is over, in milliseconds. */
const releaseMillis = 5_000

/**
 * Serves until SIGINT or SIGTERM, which may come at any time after this was called, or until a worker's supervisor says so.
 * The result is the exit code: 0, or 1 when the drain had to force a connection, or something that was acquired is not
 * released in 5 s.
 */
export const serve = <E>(options: Options<E>): Effect.Effect<number, ListenError | Server.SettingsError | E, Sockets> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const run = Effect.runForkWith(yield* Effect.context<never>())
      // While it starts it may wait for what is nothing to the runtime: Node would end by itself then, with 13.
      const staying = setInterval(() => {}, 2 ** 30)
      let abort = (): void => {}
      // Before anything else: whoever reads that it listens may send a signal at once.
      const end = (code: number): void => {
        abort()
        process.exit(code)
      }
      const signal = yield* options.worker === undefined
        ? Signals.listen((signal) => end(Signals.exitCode(signal)))
        : Channel.listen(end)
      const scope = yield* Scope.make()
      const starting = yield* Effect.forkDetach(Effect.interruptible(Scope.provide(start(options, run), scope)))
      const serving = Effect.gen(function* () {
        const server = yield* Effect.raceFirst(Fiber.join(starting), Effect.as(signal, undefined))
        if (server === undefined) {
          yield* Effect.logInfo("stopped before it had started")
          return 0
        }
        abort = () => server.abort()
        yield* signal
        const { forced } = yield* server.drain
        return forced > 0 ? 1 : 0
      })
      const exit = yield* Effect.exit(restore(serving))
      const releasing = yield* Effect.forkDetach(
        Effect.andThen(Fiber.interrupt(starting), Scope.close(scope, Exit.asVoid(exit))),
      )
      const released = yield* Effect.timeoutOption(Effect.interruptible(Fiber.await(releasing)), releaseMillis)
      clearInterval(staying)
      const code = yield* exit
      if (Option.isSome(released)) return code
      yield* Effect.logError(`not everything was released in ${releaseMillis / 1_000} s; ending without`)
      return 1
    }).pipe(options.worker === undefined ? identity : Effect.annotateLogs({ worker: options.worker.number }))
  )

/** Starts what there is, from the outside to the inside: the admin endpoint answers while the service starts. */
const start = Effect.fnUntraced(function* <E>(
  { service, address, descriptor, settings = {}, admin: where, worker }: Options<E>,
  run: (effect: Effect.Effect<void>) => void,
): Effect.fn.Return<Server.Server, ListenError | Server.SettingsError | E, Sockets | Scope.Scope> {
  if (worker !== undefined) Part.announce()
  const watch = where === undefined ? undefined : yield* watching(where.version)
  const admin = where === undefined || watch === undefined || worker !== undefined
    ? undefined
    : yield* listen(where.address, watch.sources)
  const systemd = worker === undefined ? yield* Unit.tell(run) : undefined
  const observer = Logs.observer(run, { listening: Descriptors.read() === undefined ? unchecked() : {} })
  const server = yield* Places.make(
    {
      ...worker === undefined ? settings : Part.settings(settings, address, worker),
      listeners: [{
        address: at(address, worker),
        service: yield* service,
        reusePort: worker?.share === "reuseport",
        ...(descriptor === undefined ? {} : { descriptor }),
      }],
      observers: [observer, ...[watch, systemd].flatMap((watching) => watching?.observe ?? [])],
    },
    (less) => {
      if (settings.limits?.maxConnections === undefined) return // nobody asked for so many
      run(Effect.annotateLogs(
        Effect.logWarning("max-connections lowered: the descriptor limit does not carry it (raise `ulimit -n`)"),
        { ...less },
      ))
    },
    admin?.maxConnections,
  )
  watch?.started(server)
  systemd?.started(server)
  if (worker === undefined) {
    yield* Container.warn(admin === undefined ? server.addresses : [...server.addresses, admin.address])
    return server
  }
  // Acquired after the server, so that the last account is given when it has drained, whatever its release does.
  if (watch !== undefined) yield* Channel.account(watch.account)
  Channel.ready(ready(server.addresses[0]!, Part.patience(settings, address)))
  return server
})

/** Where the first worker listens, for those after it. */
const at = (address: Address.Address, worker: Part.Part | undefined): Address.Address =>
  address._tag === "Unix" || worker?.port === undefined ? address : Address.tcp(address.host, worker.port)

const ready = (address: Address.Address, patience: number): Ready => ({
  address: Address.format(address),
  port: address._tag === "Tcp" ? address.port : 0,
  patience,
})

// Loaded only by whoever asks for it.
const watching = Effect.fnUntraced(function* (version: string) {
  const { capabilities } = yield* Sockets
  const [runtime = "", runtimeVersion = ""] = capabilities.runtime.split(" ")
  const { make } = yield* Effect.promise(() => import("./admin/watch.ts"))
  return make({ version, runtime, runtime_version: runtimeVersion })
})

const listen = Effect.fnUntraced(function* (address: Address.Address, sources: Sources) {
  const { listen } = yield* Effect.promise(() => import("./admin/admin.ts"))
  return yield* listen(address, sources)
})

/** What the line says that it listens when the limit of connections could not be held against anything. */
const unchecked = (): Record<string, string> => ({
  descriptors:
    `unknown, so max-connections is not checked (\`ulimit -n\` has to exceed it): ${Descriptors.unreadable()}`,
})
