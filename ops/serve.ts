/**
 * A server as a program: it listens, logs, waits for a signal, drains and says with which exit code to end.
 *
 * The command line calls this; so does any program that wants the same behaviour without the command line.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import type { Address } from "../core/Address.ts"
import type * as Server from "../core/Server.ts"
import type { Service } from "../core/Service.ts"
import type { ListenError, Sockets } from "../core/Sockets.ts"
import * as Descriptors from "./descriptors.ts"
import * as Logs from "./logs.ts"
import * as Places from "./places.ts"
import * as Signals from "./signals.ts"

/** What to serve, and where. */
export interface Options<E> {
  readonly service: Service<never, E>
  readonly address: Address
  /** Default: the preset for that address. `limits.maxConnections` is lowered to what the process has descriptors for. */
  readonly settings?: Server.Tunables
}

/** Serves until SIGINT or SIGTERM. The result is the exit code: 0, or 1 when the drain had to force a connection. */
export const serve = <E>(
  { service, address, settings = {} }: Options<E>,
): Effect.Effect<number, ListenError | Server.SettingsError | E, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    let abort = (): void => {}
    // Before anything else: whoever reads that it listens may send a signal at once.
    const signal = yield* Signals.listen((signal) => {
      abort()
      process.exit(Signals.exitCode(signal))
    })
    const observer = Logs.observer(run, { listening: Descriptors.read() === undefined ? unchecked() : {} })
    const server = yield* Places.make(
      { ...settings, listeners: [{ address, service }], observers: [observer] },
      (less) => {
        if (settings.limits?.maxConnections === undefined) return // nobody asked for so many
        run(Effect.annotateLogs(
          Effect.logWarning("max-connections lowered: the descriptor limit does not carry it (raise `ulimit -n`)"),
          { ...less },
        ))
      },
    )
    abort = () => server.abort()
    yield* signal
    const { forced } = yield* server.drain
    return forced > 0 ? 1 : 0
  }))

/** What the line says that it listens when the limit of connections could not be held against anything. */
const unchecked = (): Record<string, string> => ({
  descriptors:
    `unknown, so max-connections is not checked (\`ulimit -n\` has to exceed it): ${Descriptors.unreadable()}`,
})
