/**
 * The clients of `scripts/idle.ts`, in one process: so many connections, each of which has exchanged one line and then
 * is silent. Says `open` once all are, and ends when its input does, when one is lost, or after five minutes.
 *
 * ```
 * node scripts/idle/holder.ts PORT CONNECTIONS
 * ```
 */
import { connect } from "node:net"

const [port, connections] = process.argv.slice(2).map(Number)

/** So many connect at once: less than a backlog. */
const abreast = 200
const line = "hello\n"
const reply = Buffer.from("echo: hello\n")

const fail = (why: string): void => {
  console.error(`Cannot hold ${connections} connections: ${why}`)
  process.exit(1)
}

const open = (): Promise<void> =>
  new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const socket = connect({ host: "127.0.0.1", port: port!, noDelay: true })
    socket
      .on("connect", () => socket.write(line))
      .on("data", (chunk) => {
        received = Buffer.concat([received, chunk])
        if (!reply.subarray(0, received.length).equals(received)) return fail(`the server answered ${received}`)
        if (received.length === reply.length) resolve()
      })
      .on("error", (error) => fail(error.message))
      .on("close", () => fail("the server closed one"))
  })

process.stdin.on("end", () => process.exit(0)).resume()
setTimeout(() => fail("nobody has ended this process within five minutes"), 300_000)

let left = connections!
const worker = async (): Promise<void> => {
  while (left-- > 0) await open()
}
await Promise.all(Array.from({ length: abreast }, worker))
console.log("open")
