/**
 * This process as a unit of systemd, where systemd started it and wants to know how it is. What tells it is loaded only then.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Environment from "../environment.ts"
import type { Systemd } from "./systemd.ts"

/** Tells systemd, until the scope closes; undefined where it does not want to know. */
export const tell = (
  run: (effect: Effect.Effect<void>) => void,
): Effect.Effect<Systemd | undefined, never, Scope> =>
  Effect.gen(function* () {
    const socket = Environment.take("NOTIFY_SOCKET")
    if (socket === undefined) return undefined
    const { make } = yield* Effect.promise(() => import("./systemd.ts"))
    return yield* make(socket, (detail) => {
      run(Effect.annotateLogs(Effect.logWarning("systemd cannot be told how the server is"), { detail }))
    })
  })
