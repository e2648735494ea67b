import { Lines, Service } from "anyport"
import * as Effect from "effect/Effect"

export default Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) =>
    line === ""
      ? Effect.fail(new Service.InvalidInput({ reply: "error: the line is empty" }))
      : Effect.succeed(`echo: ${line}`),
)
