/**
 * What a supervisor and its worker say to each other, over the IPC channel that Node, Bun and Deno all give a child process;
 * and the worker's side of it.
 *
 * A worker is asked by its supervisor and by nobody else while there is one: a terminal's SIGINT reaches every process
 * of the group, a service manager's SIGTERM every process of the unit, and each would count as the second one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import process from "node:process"
import * as Signals from "../signals.ts"
import type { Ready } from "./Supervisor.ts"

/** From the worker. */
export type Report = { readonly _tag: "Ready" } & Ready

/** To the worker. */
export type Order = { readonly _tag: "Drain" } | { readonly _tag: "Abort"; readonly code: number }

/** Says that this worker serves. */
export const ready = (ready: Ready): void => {
  // What JSON has no number for is as long as a timer can be.
  const report: Report = { _tag: "Ready", ...ready, patience: Math.min(ready.patience, 2 ** 31 - 1) }
  // Who is gone need not be told; that it is gone is learnt by `disconnect`.
  process.send?.(report, undefined, undefined, () => {})
}

/**
 * Listens from now on. The result waits until this worker is to drain: it is told to, it gets SIGTERM, or its supervisor
 * is gone. `abort` is called in place when it is to end at once, with its exit code.
 */
export const listen = (abort: (code: number) => void): Effect.Effect<Effect.Effect<void>> =>
  Effect.sync(() => {
    const asked = Deferred.makeUnsafe<void>()
    const ask = (): boolean => Deferred.doneUnsafe(asked, Exit.void)
    const receive = (signal: Signals.Signal) => (): void => {
      if (process.connected) {
        if (signal === "SIGTERM") ask()
      } else if (!ask()) abort(Signals.exitCode(signal))
    }
    process.on("message", (message) => {
      const order = message as Order // by whoever started it as a worker
      if (order._tag === "Drain") ask()
      else if (order._tag === "Abort") abort(order.code)
    })
    process.on("disconnect", ask)
    process.on("SIGINT", receive("SIGINT"))
    process.on("SIGTERM", receive("SIGTERM"))
    // For the supervisor; unheard, it would end a worker that gets it too.
    process.on("SIGUSR2", () => {})
    if (!process.connected) ask()
    return Deferred.await(asked)
  })
