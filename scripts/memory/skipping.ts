/** The server of `scripts/memory.ts` that skips over-long lines and answers every other with its length. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

export default Service.respond(
  Lines.make({ maxLength: 65_536, overlong: "skip" }),
  (line) => Effect.succeed(String(line.length)),
)
