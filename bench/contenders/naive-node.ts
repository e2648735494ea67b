/**
 * The line server on `node:net` as most write it, a write a line. It is right all the same: slow readers, half-closes,
 * lines and characters split between chunks.
 */
import { reply } from "./reply.ts"
import { serve } from "./sockets-node.ts"

const newline = 10

serve((bytes, socket) => {
  let start = 0
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
    if (!socket.write(reply(bytes.toString("utf8", start, end)))) socket.pause()
    start = end + 1
  }
  return start
})
