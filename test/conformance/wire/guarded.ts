/**
 * A service behind a password that writes down each line it was sent, on its standard output: `got LINE`. It answers
 * `echo: LINE`, `pong` to `ping`, and `hang` never.
 */
import * as Effect from "effect/Effect"
import * as Lines from "../../../core/codecs/Lines.ts"
import * as Service from "../../../core/Service.ts"

const lines = Lines.make({ maxLength: 1_024 })

const handshake: Service.Handshake<string, string, string, unknown> = {
  codec: lines,
  run: Effect.fnUntraced(function* (connection) {
    const login = yield* connection.receive
    if (login !== "login secret") return yield* Effect.fail(new Service.LoginRefused({ reply: "no" }))
    yield* connection.send("yes")
    return "somebody"
  }),
}

export default Service.authenticate({ handshake }, () =>
  Service.respond(lines, (line) => {
    if (line === "ping") return Effect.succeed("pong")
    console.log(`got ${line}`)
    return line === "hang" ? Effect.never : Effect.succeed(`echo: ${line}`)
  }))
