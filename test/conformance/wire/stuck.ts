/** A service as a user writes it, in a module of its own: echoes lines, and never answers `stuck`. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

const stuck: Service.Service = Service.respond(
  Lines.make({ maxLength: 1_024 }),
  (line) => line === "stuck" ? Effect.never : Effect.succeed(`mine: ${line}`),
)

export default stuck
