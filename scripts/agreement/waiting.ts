/** A service that takes a millisecond, as one does that asks somebody else: `echo: ` and the line. */
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

export default Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) => Effect.as(Effect.sleep("1 millis"), `echo: ${line}`),
)
