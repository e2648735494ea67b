/**
 * What the servers on Effect's own `SocketServer` share: its `node:net` server, one fiber a connection that pulls chunks,
 * and one write for what answers a chunk, which is its fastest form.
 */
import * as NodeSocketServer from "@effect/platform-node-shared/NodeSocketServer"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { Socket } from "effect/socket/Socket"

const newline = 10
const none = Buffer.alloc(0)

/** Serves on a free port for ever. `answer` is given the lines of a chunk and makes all replies to them. */
export const serve = (answer: (lines: ReadonlyArray<string>) => Effect.Effect<string>): Promise<never> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0, noDelay: true, allowHalfOpen: true })
    if (NetAddress.isInetAddress(server.address)) {
      console.error(JSON.stringify({ message: "listening", address: `127.0.0.1:${server.address.port}` }))
    }
    return yield* server.run((socket) => Effect.ignore(Effect.scoped(converse(socket, answer))))
  })))

const converse = Effect.fnUntraced(function* (socket: Socket, answer: Parameters<typeof serve>[0]) {
  const { pull } = yield* socket.reader
  const { write } = yield* socket.writer
  let rest: Uint8Array = none
  for (;;) {
    // Ends by failing, at a FIN as well.
    const chunks = (yield* pull) as ReadonlyArray<Uint8Array> // strings come of WebSockets only
    const bytes = rest.length === 0 && chunks.length === 1 ? asBuffer(chunks[0]!) : Buffer.concat([rest, ...chunks])
    const end = bytes.lastIndexOf(newline)
    rest = end === bytes.length - 1 ? none : bytes.subarray(end + 1)
    if (end !== -1) yield* write(yield* answer(bytes.toString("utf8", 0, end).split("\n")))
  }
})

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)
