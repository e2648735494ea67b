/** A service that cannot let go of something that it needed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Lines, Service } from "anyport"

class Kept extends Context.Service<Kept, string>()("test/Kept") {}

export default Service.provide(
  Service.respond(Lines.make({ maxLength: 80 }), (line) => Effect.map(Kept, (text) => text + line)),
  Layer.effect(Kept, Effect.acquireRelease(Effect.succeed("kept: "), () => Effect.never)),
)
