/** The tightest server of length-prefixed frames that a person writes by hand on `node:net`. */
import { answerFrames } from "./frames.ts"
import { Output } from "./Output.ts"
import { serve } from "./sockets-node.ts"

serve((bytes, socket) => {
  const output = new Output(bytes.length) // Node may keep what it is given
  const used = answerFrames(bytes, output)
  if (output.size > 0 && !socket.write(output.bytes.subarray(0, output.size))) socket.pause()
  return used
})
