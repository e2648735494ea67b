/**
 * The tightest line server that a person writes by hand on `Bun.listen`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write.
 */
import { answerLines } from "./lines.ts"
import { Output } from "./Output.ts"
import { send, serve } from "./sockets-bun.ts"

const output = new Output()

serve((bytes, socket) => {
  const used = answerLines(bytes, output)
  if (output.size > 0) send(socket, output.bytes, output.size)
  return used
})
