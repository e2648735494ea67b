/** A service that tells its supervisor each line, and answers once that is sent. */
import * as Effect from "effect/Effect"
import process from "node:process"
import * as Lines from "../../../core/codecs/Lines.ts"
import * as Service from "../../../core/Service.ts"

export default Service.respond(Lines.make({ maxLength: 1_024 }), (line) =>
  Effect.callback<string>((resume) => {
    process.send?.({ line }, undefined, undefined, () => resume(Effect.succeed(line)))
  }))
