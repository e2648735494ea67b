/**
 * The line server on `Deno.listen` as most write it, a write a line. It is right all the same: slow readers, half-closes,
 * lines and characters split between chunks.
 */
import { reply } from "./reply.ts"
import { serve } from "./sockets-deno.ts"

const newline = 10
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

await serve(async (bytes, _output, conn) => {
  let start = 0
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
    const answer = encoder.encode(reply(decoder.decode(bytes.subarray(start, end))))
    for (let sent = 0; sent < answer.length;) sent += await conn.write(answer.subarray(sent))
    start = end + 1
  }
  return start
})
