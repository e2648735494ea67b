/**
 * Waits of a fiber for something that happens again and again, such as input. It does what `Effect.callback` does, and
 * takes the fiber up again by a shorter way.
 *
 * Effect 4.1 takes an `AsyncResource` each time a fiber suspends, so that an `AsyncLocalStorage` has its value when the
 * fiber goes on (`captureAsyncContext` in its `internal/effect.ts`). For a session that waits for each chunk that is a
 * fifth of all CPU time on Deno, and about 3 % on Node (paired bursts against the code before, as `npm run cpu --
 * --against` makes them). Here the fiber's loop is entered directly, so no other is taken than that of its first wait: what goes on runs in the asynchronous context of
 * whatever woke it, and a store that a session has entered by itself does not last beyond a wait. Effect's own context is
 * not touched by any of this. Where a fiber is made otherwise than in 4.1, the usual way is taken.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { getCurrent } from "effect/Fiber"

/** Waits until `wake` is called. `register` returns what is to be done when nobody waits any more. */
export const wait = (register: (wake: () => void) => () => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const fiber: object | undefined = getCurrent()
    let waiting = true
    const forget = register(() => {
      if (!waiting) return
      waiting = false
      if (fiber !== undefined && isParked(fiber)) goOn(fiber)
      else resume(Exit.void)
    })
    return Effect.sync(() => {
      waiting = false
      forget()
    })
  })

/** A suspended fiber of Effect 4.1, as far as it is used here. */
interface Parked {
  _yielded: (() => void) | undefined
  runLoop(effect: unknown): unknown
  evaluate(effect: unknown): void
}

const isParked = (fiber: object): fiber is Parked =>
  "_yielded" in fiber && typeof fiber._yielded === "function" &&
  "runLoop" in fiber && typeof fiber.runLoop === "function" &&
  "evaluate" in fiber && typeof fiber.evaluate === "function"

// What `evaluate` does with a fiber that was suspended; what it does with one that has ended is left to it.
const goOn = (fiber: Parked): void => {
  const resumed = fiber._yielded!
  fiber._yielded = undefined
  resumed()
  const exit = fiber.runLoop(Exit.void)
  if (Exit.isExit(exit)) fiber.evaluate(exit)
}
