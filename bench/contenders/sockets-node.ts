/**
 * What the hand-written servers share on `node:net`: listening, what of a chunk no message has ended in, slow readers and
 * half-closes. They have no limit and no deadline. Bun and Deno run this too, with their `node:net`.
 */
import { type AddressInfo, createServer, type Socket } from "node:net"

const none = Buffer.alloc(0)

/** Serves on a free port. `answer` is given what was received and not answered yet, and returns how much it has used up. */
export const serve = (answer: (bytes: Buffer, socket: Socket) => number): void => {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    let rest: Buffer = none
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const used = answer(bytes, socket)
      rest = used === bytes.length ? none : bytes.subarray(used)
    })
    socket.on("drain", () => socket.resume())
    socket.on("end", () => socket.end())
    socket.on("error", () => {})
  })
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo // as of every TCP server
    console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${port}` }))
  })
}
