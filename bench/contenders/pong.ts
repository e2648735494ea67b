/** The service that simulators of others understand as well: `+PONG` to a line `PING`, as Redis answers, and a login. */
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

const service: Service.Service = Service.respond(
  Lines.make({ maxLength: 65_536, newline: "\r\n" }),
  (line) => Effect.succeed(line === "PING" ? "+PONG" : line.startsWith("LOGIN ") ? "+OK" : "-ERR PING or LOGIN"),
)

export default service
