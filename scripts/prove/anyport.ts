/** The same protocol as a service, the same file on every runtime. */
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"
import { file } from "./file.ts"

export default Service.respond(
  Lines.make({ maxLength: 65_536 }),
  (line) => Effect.succeed(line === "file" ? Service.last(file) : `echo: ${line}`),
)
