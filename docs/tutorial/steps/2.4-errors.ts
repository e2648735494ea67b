import { Lines, Service } from "anyport"
import * as Effect from "effect/Effect"

const answer = Effect.fnUntracedEager(function* (line: string) {
  if (line === "rate") {
    return yield* new Service.Unavailable({ reply: "error: no rate now, ask later", cause: "the bank is closed" })
  }
  const match = /^div (\d+) (\d+)$/.exec(line)
  if (match === null) return yield* new Service.InvalidInput({ reply: "error: wanted is: div 6 3" })
  return String(BigInt(match[1]!) / BigInt(match[2]!)) // who has thought of 0?
})

export default Service.respond(Lines.make({ maxLength: 80 }), answer)
