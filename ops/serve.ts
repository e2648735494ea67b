/**
 * A server as a program: it listens, logs, waits for a signal, drains and says with which exit code to end.
 *
 * The command line calls this; so does any program that wants the same behaviour without the command line.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import type { Address } from "../core/Address.ts"
import * as Server from "../core/Server.ts"
import type { Service } from "../core/Service.ts"
import type { ListenError, Sockets } from "../core/Sockets.ts"
import * as Descriptors from "./descriptors.ts"
import * as Logs from "./logs.ts"
import * as Signals from "./signals.ts"

/** What to serve, and where. */
export interface Options<E> {
  readonly service: Service<never, E>
  readonly address: Address
  /** Default: 10,000, or as many as the process has descriptors for. */
  readonly maxConnections?: number
  readonly deadlines?: Server.DeadlineOptions
}

/** Serves until SIGINT or SIGTERM. The result is the exit code: 0, or 1 when the drain had to force a connection. */
export const serve = <E>(options: Options<E>): Effect.Effect<number, ListenError | E, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    let abort = (): void => {}
    // Before anything else: whoever reads that it listens may send a signal at once.
    const signal = yield* Signals.listen((signal) => {
      abort()
      process.exit(Signals.exitCode(signal))
    })
    const maxConnections = yield* affordable(options.maxConnections)
    const server = yield* Server.make({
      listeners: [{ address: options.address, service: options.service }],
      limits: { maxConnections },
      deadlines: options.deadlines ?? {},
      observers: [Logs.observer(Effect.runForkWith(context))],
    })
    abort = () => server.abort()
    if (Descriptors.read() === undefined) {
      yield* Effect.annotateLogs(
        Effect.logInfo("max-connections not checked: the descriptor limit is not known (`ulimit -n` has to exceed it)"),
        { maxConnections, reason: Descriptors.unreadable() },
      )
    }
    yield* signal
    const { forced } = yield* server.drain
    return forced > 0 ? 1 : 0
  }))

/** As many connections as asked for, if the descriptor limit carries them; whoever asked is told when it does not. */
const affordable = Effect.fnUntraced(function* (asked: number | undefined): Effect.fn.Return<number> {
  const wanted = asked ?? Server.defaultLimits.maxConnections
  const lowered = Descriptors.affordable(wanted)
  if (lowered < wanted && asked !== undefined) {
    yield* Effect.annotateLogs(
      Effect.logWarning("max-connections lowered: the descriptor limit does not carry it (raise `ulimit -n`)"),
      { asked, lowered, limit: Descriptors.read()?.limit },
    )
  }
  return lowered
})
