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
import type { Scope } from "effect/Scope"
import cluster from "node:cluster"
import process from "node:process"
import * as Signals from "../signals.ts"
import type { Account } from "./Ledger.ts"
import type { Ready } from "./Supervisor.ts"

/** From the worker. */
export type Report =
  | { readonly _tag: "Ready" } & Ready
  | { readonly _tag: "Account"; readonly account: Account; readonly last: boolean }

/** To the worker: to drain, to end at once, to give an account; or that the last one has come. */
export type Order =
  | { readonly _tag: "Drain" }
  | { readonly _tag: "Abort"; readonly code: number }
  | { readonly _tag: "Account" }
  | { readonly _tag: "Taken" }

/** Says that this worker serves. */
export const ready = (ready: Ready): void =>
  // What JSON has no number for is as long as a timer can be.
  send({ _tag: "Ready", ...ready, patience: Math.min(ready.patience, 2 ** 31 - 1) })

/**
 * Gives an account whenever the supervisor asks for one; and the last one when the scope closes, which is not before the
 * supervisor has it: who exits before leaves it to the runtime whether it is read.
 */
export const account = (read: () => Account): Effect.Effect<void, never, Scope> => {
  const taken = Deferred.makeUnsafe<void>()
  const take = (): boolean => Deferred.doneUnsafe(taken, Exit.void)
  const give = (last: boolean): void => send({ _tag: "Account", account: read(), last })
  return Effect.acquireRelease(
    Effect.sync(() => {
      process.on("message", (message) => {
        const order = message as Order // as below
        if (order._tag === "Account") give(false)
        else if (order._tag === "Taken") take()
      })
      process.on("disconnect", take)
    }),
    () =>
      Effect.suspend(() => {
        if (!isSupervised()) return Effect.void
        give(true)
        return Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Deferred.await(taken)), takenMillis))
      }),
  )
}

/** In which a supervisor that is there has taken the last account, also on a busy machine, in milliseconds. */
const takenMillis = 3_000

// Who is gone need not be told; that it is gone is learnt by `disconnect`.
const send = (report: Report): void => void process.send?.(report, undefined, undefined, () => {})

/**
 * Listens from now on. The result waits until this worker is to drain: it is told to, it gets SIGTERM, or its supervisor
 * is gone. `abort` is called in place when it is to end at once, with its exit code.
 */
export const listen = (abort: (code: number) => void): Effect.Effect<Effect.Effect<void>> =>
  Effect.sync(() => {
    // Else Node ends it in place as soon as its supervisor is gone.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
    const asked = Deferred.makeUnsafe<void>()
    const ask = (): boolean => Deferred.doneUnsafe(asked, Exit.void)
    const receive = (signal: Signals.Signal) => (): void => {
      if (isSupervised()) {
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
    const looking = setInterval(() => {
      if (isSupervised()) return
      clearInterval(looking)
      ask()
    }, lookMillis)
    looking.unref()
    if (!process.connected) ask()
    return Deferred.await(asked)
  })

const parent = process.ppid

/**
 * Deno does not emit `disconnect` when the supervisor was killed before it had read all that was sent to it: the channel
 * ends by a reset then (denoland/deno#35961). Who has lost its parent is the child of another process.
 */
const isSupervised = (): boolean => process.connected && process.ppid === parent

/** Between two looks whether the supervisor is there, in milliseconds. */
const lookMillis = 1_000
