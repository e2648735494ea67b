/** The tightest server of length-prefixed frames that a person writes by hand on `Deno.listen`. */
import { answerFrames } from "./frames.ts"
import { serve } from "./sockets-deno.ts"

await serve(answerFrames)
