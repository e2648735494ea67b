/** The line echo on Effect's own `SocketServer`, suspending once for each line as `suspend.ts` does. */
import * as Effect from "effect/Effect"
import { later } from "./later.ts"
import { reply } from "./reply.ts"
import { serve } from "./sockets-effect.ts"

await serve(Effect.fnUntraced(function* (lines) {
  let replies = ""
  for (const line of lines) replies += yield* later(reply(line))
  return replies
}))
