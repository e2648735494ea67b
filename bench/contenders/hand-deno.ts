/**
 * The tightest line server that a person writes by hand on `Deno.listen`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write.
 */
import { answerLines } from "./lines.ts"
import { serve } from "./sockets-deno.ts"

await serve(answerLines)
