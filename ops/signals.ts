/**
 * The two signals that end a program. The first one asks, the second one does not wait.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import process from "node:process"

/** A signal that ends the program. */
export type Signal = "SIGINT" | "SIGTERM"

/** The exit code of a program that a signal ended at once: 128 and the signal's number. */
export const exitCode = (signal: Signal): number => signal === "SIGINT" ? 130 : 143

/** Listens from now on. The result waits for the first signal; from the second on, `again` is called in place. */
export const listen = (again: (signal: Signal) => void): Effect.Effect<Effect.Effect<Signal>> =>
  Effect.sync(() => {
    const first = Deferred.makeUnsafe<Signal>()
    const receive = (signal: Signal) => (): void => {
      if (!Deferred.doneUnsafe(first, Exit.succeed(signal))) again(signal)
    }
    process.on("SIGINT", receive("SIGINT"))
    process.on("SIGTERM", receive("SIGTERM"))
    return Deferred.await(first)
  })
