/**
 * The line server on `Bun.listen` as most write it, a write a line. It is right all the same: slow readers, half-closes,
 * lines and characters split between chunks.
 */
import { reply } from "./reply.ts"
import { send, serve } from "./sockets-bun.ts"

const newline = 10
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

serve((bytes, socket) => {
  let start = 0
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
    const answer = encoder.encode(reply(decoder.decode(bytes.subarray(start, end))))
    send(socket, answer, answer.length)
    start = end + 1
  }
  return start
})
