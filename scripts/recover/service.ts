/**
 * What the program serves: each line is answered by the process that answers, and the line. `hold` takes file descriptors
 * first, as a service would that opens files.
 */
import { openSync } from "node:fs"
import process from "node:process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { Lines, Service } from "anyport"

/** How many it takes: more than the program keeps free beside those of its clients. */
const held = 32

const hold = (): void => {
  for (let count = 0; count < held; count++) openSync(fileURLToPath(import.meta.url), "r")
}

export default Service.respond(Lines.make({ maxLength: 1_024 }), (line) => {
  if (line === "hold") hold()
  return Effect.succeed(`${process.pid}: ${line}`)
})
