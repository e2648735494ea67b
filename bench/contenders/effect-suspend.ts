/** The line echo on Effect's own `SocketServer`, suspending once for each line as `suspend.ts` does. */
import * as Effect from "effect/Effect"
import { later } from "./later.ts"
import { reply } from "./reply.ts"
import { serve } from "./sockets-effect.ts"

await serve((lines) =>
  Effect.map(
    Effect.forEach(lines, (line) => later(reply(line)), { concurrency: "unbounded" }),
    (replies) => replies.join(""),
  )
)
