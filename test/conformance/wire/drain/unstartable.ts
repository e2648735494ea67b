/** A service that needs something which does not come, and cannot stop waiting for it. Says when it begins to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Lines, Service } from "anyport"

class Never extends Context.Service<Never, string>()("test/Never") {}

const waiting = Effect.andThen(Effect.sync(() => console.log("waiting")), Effect.never)

export default Service.provide(
  Service.respond(Lines.make({ maxLength: 80 }), () => Effect.map(Never, (text) => text)),
  Layer.effect(Never, Effect.uninterruptible(waiting)),
)
