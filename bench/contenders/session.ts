/** The line echo as a session: a loop that receives and sends. */
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"

const service: Service.Service = Service.session(
  Lines.make({ maxLength: 65_536 }),
  (connection) =>
    Effect.gen(function* () {
      for (let line = yield* connection.receive; line !== undefined; line = yield* connection.receive) {
        yield* connection.send(`echo: ${line}`)
      }
    }),
)

export default service
