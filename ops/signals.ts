/**
 * The two signals that end a program. The first one asks, the second one does not wait.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import process from "node:process"

/** A signal that ends the program. */
export type Signal = "SIGINT" | "SIGTERM"

/** The exit code of a program that a signal ended at once: 128 and the signal's number. */
export const exitCode = (signal: Signal): number => signal === "SIGINT" ? 130 : 143

/** Waits for the first signal. From the second on, `again` is called in place. */
export const first = (again: (signal: Signal) => void): Effect.Effect<Signal> =>
  Effect.callback((resume) => {
    let asked = false
    const listen = (signal: Signal) => (): void => {
      if (asked) return again(signal)
      asked = true
      resume(Exit.succeed(signal))
    }
    process.on("SIGINT", listen("SIGINT"))
    process.on("SIGTERM", listen("SIGTERM"))
  })
