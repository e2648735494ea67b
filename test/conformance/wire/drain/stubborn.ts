/** A service whose answers never come, and cannot be interrupted. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

const stubborn: Service.Service = Service.respond(
  Lines.make({ maxLength: 80 }),
  () => Effect.uninterruptible(Effect.never),
)

export default stubborn
