/** The line echo on Effect's own `SocketServer`: nothing suspends but its reads and writes. */
import * as Effect from "effect/Effect"
import { reply } from "./reply.ts"
import { serve } from "./sockets-effect.ts"

await serve((lines) => {
  let replies = ""
  for (const line of lines) replies += reply(line)
  return Effect.succeed(replies)
})
