/** Echoes lines by a session. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

const session: Service.Service = Service.session(
  Lines.make({ maxLength: 4_096 }),
  (connection) =>
    Effect.gen(function* () {
      for (;;) {
        const line = yield* connection.receive
        if (line === undefined) return
        yield* connection.send(`echo: ${line}`)
      }
    }),
)

export default session
