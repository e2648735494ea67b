/**
 * An Effect that really suspends once: a `Deferred` that is resolved in the next turn of the event loop, as somebody
 * who answers from elsewhere would.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { setImmediate } from "node:timers"

/** Succeeds with the value in the next turn. */
export const later = <A>(value: A): Effect.Effect<A> =>
  Effect.suspend(() => {
    const deferred = Deferred.makeUnsafe<A>()
    setImmediate(() => Deferred.doneUnsafe(deferred, Effect.succeed(value)))
    return Deferred.await(deferred)
  })
