/**
 * The tightest line server that a person writes by hand on `node:net`, doing the work that a service does: every line
 * is a string of its own, a function answers it, and all replies of a chunk leave in one write. The baseline of
 * `scripts/cpu.ts`. It has no limit and no deadline; lines and characters split between chunks, slow readers and
 * half-closes are right.
 */
import { type AddressInfo, createServer } from "node:net"

const reply = (line: string): string => `echo: ${line}\n`
const newline = 10
const none = Buffer.alloc(0)

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let rest: Buffer = none
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(newline)
    rest = end === bytes.length - 1 ? none : bytes.subarray(end + 1)
    if (end === -1) return
    let replies = ""
    for (const line of bytes.toString("utf8", 0, end).split("\n")) replies += reply(line)
    if (!socket.write(replies)) socket.pause()
  })
  socket.on("drain", () => socket.resume())
  socket.on("end", () => socket.end())
  socket.on("error", () => {})
})

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo // an AddressInfo for every TCP server
  console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${port}` }))
})
