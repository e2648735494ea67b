/** The line echo as a service whose handler is done when it returns. */
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

const service: Service.Service = Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) => Effect.succeed(`echo: ${line}`),
)

export default service
