/** A service that waits for something it needs which does not come, as for a database that is away. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Lines, Service } from "anyport"

class Never extends Context.Service<Never, string>()("test/Never") {}

export default Service.provide(
  Service.respond(Lines.make({ maxLength: 80 }), () => Effect.map(Never, (text) => text)),
  Layer.effect(Never, Effect.as(Effect.sleep("1 hour"), "")),
)
