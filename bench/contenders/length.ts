/** The echo of length-prefixed frames as a service. */
import * as Effect from "effect/Effect"
import * as LengthPrefixed from "../../core/codecs/LengthPrefixed.ts"
import * as Service from "../../core/Service.ts"

const service: Service.Service = Service.respond(
  LengthPrefixed.make({ width: 4, maxLength: 1_048_576 }),
  (frame) => Effect.succeed(frame),
)

export default service
