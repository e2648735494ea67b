/**
 * This process as a unit of systemd, where systemd started it and wants to know how it is. What tells it is loaded only then.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Environment from "../environment.ts"
import type { Observer } from "../../core/Event.ts"
import type { Status, Systemd, Told } from "./systemd.ts"

/** Whoever tells systemd. */
export interface Unit extends Pick<Systemd, "stopping"> {
  readonly observe: Observer
  /** A server has started. */
  started(server: Told): void
  /** Something else has, which is like this. */
  startedAs(status: () => Status): void
}

/** Tells systemd, until the scope closes; undefined where it does not want to know. */
export const tell = (
  run: (effect: Effect.Effect<void>) => void,
): Effect.Effect<Unit | undefined, never, Scope> =>
  Effect.gen(function* () {
    const socket = Environment.take("NOTIFY_SOCKET")
    if (socket === undefined) return undefined
    const { make, statusOf } = yield* Effect.promise(() => import("./systemd.ts"))
    const systemd = yield* make(socket, (detail) => {
      run(Effect.annotateLogs(Effect.logWarning("systemd cannot be told how the server is"), { detail }))
    })
    return {
      observe: systemd.observe,
      stopping: systemd.stopping,
      started: (server) => systemd.started(() => statusOf(server)),
      startedAs: systemd.started,
    }
  })
