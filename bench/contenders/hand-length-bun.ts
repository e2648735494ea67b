/** The tightest server of length-prefixed frames that a person writes by hand on `Bun.listen`. */
import { answerFrames } from "./frames.ts"
import { Output } from "./Output.ts"
import { send, serve } from "./sockets-bun.ts"

const output = new Output()

serve((bytes, socket) => {
  const used = answerFrames(bytes, output)
  if (output.size > 0) send(socket, output.bytes, output.size)
  return used
})
