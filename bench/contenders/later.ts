/**
 * An Effect that really suspends once: a `Deferred` that is resolved in the next turn of the event loop, as somebody
 * who answers from elsewhere would.
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { setImmediate } from "node:timers"

/** Succeeds with the value in the next turn from now on. */
export const later = <A>(value: A): Effect.Effect<A> => {
  const deferred = Deferred.makeUnsafe<A>()
  setImmediate(() => Deferred.doneUnsafe(deferred, Exit.succeed(value)))
  return Deferred.await(deferred)
}
