/**
 * The seed of this project: replies `echo: <line>\n` to every line, also to a last one that the peer did not end.
 */
import * as Effect from "effect/Effect"
import * as Lines from "../core/codecs/Lines.ts"
import * as Service from "../core/Service.ts"

const echo: Service.Service = Service.respond(
  Lines.make({ maxLength: 65_536, unterminated: "deliver" }),
  (line) => Effect.succeed(`echo: ${line}`),
)

export default echo
