/** Echoes lines, and says goodbye when the server drains. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

const polite: Service.Service = Service.respond(
  Lines.make({ maxLength: 4_096 }),
  (line) => Effect.succeed(`echo: ${line}`),
  { goodbye: () => "bye" },
)

export default polite
