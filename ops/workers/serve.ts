/**
 * A server as several processes: what {@link serve} of one process does, with workers that share a port.
 *
 * This process serves nobody. It starts the workers, passes signals on, and says with which exit code to end.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import { type Address, format, loopbacks, tcp } from "../../core/Address.ts"
import type { Tunables } from "../../core/Options.ts"
import { SettingsError } from "../../core/Settings.ts"
import { type ListenError, Sockets } from "../../core/Sockets.ts"
import * as Container from "../container.ts"
import * as Signals from "../signals.ts"
import type { Status } from "../systemd/systemd.ts"
import * as Unit from "../systemd/unit.ts"
import * as Child from "./Child.ts"
import * as Cluster from "./Cluster.ts"
import * as Command from "./Command.ts"
import { Ledger } from "./Ledger.ts"
import * as Part from "./Part.ts"
import type { Share } from "./Share.ts"
import * as Supervisor from "./Supervisor.ts"

/** What to serve, and where. */
export interface Options {
  readonly address: Address
  readonly settings: Tunables
  readonly count: number
  readonly share: Share
  /** Where `/livez`, `/readyz` and `/metrics` of all workers are served. Default: nowhere. */
  readonly admin?: Address
  readonly command: Exclude<Command.Command, { readonly problem: string }>
}

/**
 * Serves by workers until SIGINT or SIGTERM, and replaces them by new ones at SIGUSR2. The result is the exit code: 0, or
 * 1 when a worker had to force a connection, or was killed while it drained; 2 when the workers say that they are
 * configured wrongly.
 */
export const serve = (
  { address, settings, count, share, admin: where, command }: Options,
): Effect.Effect<number, ListenError | SettingsError | Supervisor.GaveUp, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    yield* sharable(settings, address, count)
    const chosen = share === "cluster" ? yield* choosePort(address) : address
    yield* isFree(chosen)
    // Taken out of the environment before there are workers: each of them would say that the unit ends.
    const unit = yield* Unit.tell(run)
    const ledger = new Ledger()
    const launch = (number: number, port = portOf(chosen)) => {
      const part = { number, count, port, share }
      const start = () => share === "cluster" ? Cluster.fork(Command.args(part)) : Child.run(command(part))
      return Child.start(start, ledger)
    }
    const supervisor = yield* Supervisor.make(launch, { count })
    const signal = yield* Signals.listen((signal) => {
      const code = Signals.exitCode(signal)
      run(Effect.ensuring(supervisor.abort(code), Effect.sync(() => process.exit(code))))
    })
    process.on("SIGUSR2", () => void run(supervisor.roll))
    yield* Effect.annotateLogs(Effect.logInfo("starting workers"), {
      workers: count,
      share,
      pid: process.pid,
      address: format(address),
    })
    const admin = where === undefined ? undefined : yield* listen(where, supervisor, ledger)
    yield* Container.warn(admin === undefined ? [address] : [address, admin.address])
    if (unit !== undefined) {
      const told = (): Status => ({ text: statusOf(supervisor), draining: supervisor.ending })
      yield* Effect.forkScoped(Effect.map(supervisor.started, () => unit.startedAs(told)))
    }
    return yield* Effect.raceFirst(supervisor.run, signal).pipe(
      Effect.andThen(Effect.sync(() => unit?.stopping())),
      Effect.andThen(supervisor.drain),
      Effect.map((clean) => clean ? 0 : 1),
      Effect.catchTag("GaveUp", (error) => Effect.andThen(supervisor.drain, Effect.fail(error))),
      Effect.catchTag("Misconfigured", () => Effect.succeed(2)),
    )
  }))

const statusOf = ({ count, ending, members }: Supervisor.Supervisor): string => {
  const ready = members.filter(({ ready, draining }) => ready !== undefined && !draining).length
  return ending ? `draining, ${members.length} workers left` : `${ready} of ${count} workers ready`
}

/** Loaded only by whoever asks for it. */
const listen = Effect.fnUntraced(function* (where: Address, supervisor: Supervisor.Supervisor, ledger: Ledger) {
  const [{ listen }, { sources }] = yield* Effect.promise(() =>
    Promise.all([import("../admin/admin.ts"), import("./Instance.ts")])
  )
  return yield* listen(where, sources(supervisor, ledger))
})

/** What each worker would refuse is refused once. */
const sharable = (settings: Tunables, address: Address, count: number): Effect.Effect<void, SettingsError> =>
  Effect.try({
    try: () => void Part.settings(settings, address, { number: 1, count }),
    catch: (error) => {
      if (error instanceof SettingsError) return error
      throw error
    },
  })

/**
 * A cluster gives those who ask for any port another one each time there was nobody left who had it, so it is chosen here.
 * Should somebody take it before the first worker has it, that one says so.
 */
const choosePort = (address: Address): Effect.Effect<Address, ListenError, Sockets> => {
  if (address._tag === "Unix" || address.port !== 0) return Effect.succeed(address)
  const probe = Effect.flatMap(
    Sockets,
    ({ listen }) => listen({ address: loopbacks(address)[0] }, (transport) => transport.abort()),
  )
  return Effect.scoped(Effect.map(probe, (bound) => tcp(address.host, portOf(bound.address) ?? 0)))
}

const portOf = (address: Address): number | undefined =>
  address._tag === "Tcp" && address.port !== 0 ? address.port : undefined

/**
 * Nobody is there yet: whoever shares a port by itself is let in by the system beside everybody who does too, so that an
 * instance started twice would take half of the clients. What else is wrong with the address the workers say. A Unix
 * socket that was left behind is removed by this.
 */
const isFree = (address: Address): Effect.Effect<void, ListenError, Sockets> =>
  Effect.gen(function* () {
    const { listen } = yield* Sockets
    if (address._tag === "Tcp" && address.port === 0) return
    yield* Effect.forEach(loopbacks(address), (address) =>
      Effect.scoped(listen({ address }, (transport) =>
        transport.abort())).pipe(
          Effect.asVoid,
          Effect.catchIf((error) => error.problem !== "AddressInUse", () => Effect.void),
        ))
  })
