/** The session of `scripts/idle.ts`: the echo service as a loop that receives and sends. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

export default Service.session(
  Lines.make({ maxLength: 65_536 }),
  (connection) =>
    Effect.gen(function* () {
      for (let line = yield* connection.receive; line !== undefined; line = yield* connection.receive) {
        yield* connection.send(`echo: ${line}`)
      }
    }),
)
