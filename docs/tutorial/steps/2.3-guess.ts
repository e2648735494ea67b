import { Lines, Service } from "anyport"
import * as Effect from "effect/Effect"

export default Service.session(Lines.make({ maxLength: 80 }), (connection) =>
  Effect.gen(function* () {
    yield* connection.send("Which number from 1 to 9 do I think of?")
    for (let tries = 1; tries <= 3; tries++) {
      const guess = yield* connection.receive // undefined: the peer has finished writing
      if (guess === undefined) return yield* connection.send("You give up.")
      if (guess === "7") return yield* connection.send(`Yes, after ${tries}!`)
      yield* connection.send("No.")
    }
    yield* connection.send("It was 7.")
  }))
