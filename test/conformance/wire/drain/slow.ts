/** Echoes lines, each after a while, four at once. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

const slow: Service.Service = Service.respond(
  Lines.make({ maxLength: 4_096 }),
  (line) => Effect.as(Effect.sleep("5 millis"), `echo: ${line}`),
  { concurrency: 4 },
)

export default slow
