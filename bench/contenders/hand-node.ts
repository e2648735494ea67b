/**
 * The tightest line server that a person writes by hand on `node:net`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write.
 */
import { reply } from "./reply.ts"
import { serve } from "./sockets-node.ts"

const newline = 10

serve((bytes, socket) => {
  const end = bytes.lastIndexOf(newline)
  if (end === -1) return 0
  let replies = ""
  for (const line of bytes.toString("utf8", 0, end).split("\n")) replies += reply(line)
  if (!socket.write(replies)) socket.pause()
  return end + 1
})
