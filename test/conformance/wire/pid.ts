/** A service that says which process answers. */
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Lines from "../../../core/codecs/Lines.ts"
import * as Service from "../../../core/Service.ts"

export default Service.respond(Lines.make({ maxLength: 1_024 }), (line) => Effect.succeed(`${process.pid}: ${line}`))
