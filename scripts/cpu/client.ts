/**
 * The load of `scripts/cpu.ts`: connections that each keep a fixed number of 64-byte lines in flight and compare every
 * byte that comes back with what an echo server has to answer. It measures nothing; the figure is the server's own CPU
 * time.
 */
import { connect, type Socket } from "node:net"

/** A load over open connections, to be run more than once. */
export interface Load {
  /**
   * Sends `messages` lines, divided evenly over the connections, with at most `inFlight` unanswered on each, and
   * resolves when all are answered. Rejects at the first wrong byte or lost connection.
   */
  readonly run: (messages: number, inFlight: number) => Promise<void>
  readonly close: () => void
}

/** Opens `connections` connections to a port of loopback. */
export const open = async (port: number, connections: number): Promise<Load> => {
  const clients = await Promise.all(Array.from({ length: connections }, (_, index) => Client.open(port, index)))
  return {
    run: async (messages, inFlight) => {
      const each = Math.ceil(messages / connections)
      await Promise.all(clients.map((client) => client.run(each, inFlight)))
    },
    close: () => clients.forEach((client) => client.close()),
  }
}

const lines = 64
const requestBytes = 64
const replyBytes = requestBytes + "echo: ".length

class Client {
  // Both are a cycle of different lines written twice, so that any stretch of up to one cycle is a view.
  readonly #requests: Buffer
  readonly #replies: Buffer
  readonly #socket: Socket
  #received = 0 // bytes, since the connection was opened
  #sent = 0 // lines, likewise
  #target = 0
  #inFlight = 0
  #done: () => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor(socket: Socket, index: number) {
    const cycle = Array.from(
      { length: lines },
      (_, line) => `connection ${index}, line ${line} `.padEnd(requestBytes - 1, "abcdefghijklmnopqrstuvwxyz") + "\n",
    )
    this.#requests = Buffer.from([...cycle, ...cycle].join(""))
    this.#replies = Buffer.from([...cycle, ...cycle].map((line) => `echo: ${line}`).join(""))
    this.#socket = socket
    socket.on("data", (chunk) => this.#check(chunk))
    socket.on("error", (error) => this.#fail(error))
    socket.on("close", () => this.#fail(new Error("Lost a connection: the server closed it before all was answered")))
  }

  static open(port: number, index: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true })
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        resolve(new Client(socket, index))
      })
    })
  }

  run(messages: number, inFlight: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#fail = reject
      this.#inFlight = inFlight
      this.#target = this.#sent + messages
      this.#send()
    })
  }

  close(): void {
    this.#fail = () => {}
    this.#socket.destroy()
  }

  #send(): void {
    const answered = Math.floor(this.#received / replyBytes)
    const count = Math.min(answered + this.#inFlight, this.#target) - this.#sent
    if (count <= 0) return
    const start = (this.#sent % lines) * requestBytes
    this.#sent += count
    this.#socket.write(this.#requests.subarray(start, start + count * requestBytes))
  }

  #check(chunk: Buffer): void {
    const start = this.#received % (lines * replyBytes)
    const end = start + chunk.length
    this.#received += chunk.length
    if (end > this.#replies.length || this.#replies.compare(chunk, 0, chunk.length, start, end) !== 0) {
      const wanted = this.#replies.toString("latin1", start, end)
      this.#fail(new Error(`Wrong reply: received ${JSON.stringify(chunk.toString("latin1"))}, wanted ${wanted}`))
      return this.#socket.destroy() && undefined
    }
    this.#send()
    if (this.#received === this.#target * replyBytes) this.#done()
  }
}
