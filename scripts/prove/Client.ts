/**
 * A client over `node:net` that keeps every byte it received, and knows how the connection ended. All of its waiting is
 * bounded. What the bytes ought to be is for the cases to say.
 */
import { connect, type Socket } from "node:net"

/** For how long it waits while nothing moves, in milliseconds. */
const patience = 2_000

/** A connection to a server under proof. */
export class Client {
  /** Bytes received so far. */
  received = 0
  /** How the server's half ended; undefined: not yet. */
  ending: "fin" | "reset" | undefined
  readonly #socket: Socket
  readonly #chunks: Array<Buffer> = []
  #changed: Array<() => void> = []

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.received += chunk.length
      this.#change()
    })
    socket.on("end", () => this.#end("fin"))
    socket.on("error", () => this.#end("reset"))
    socket.on("close", () => this.#end("reset")) // says nothing new behind the two above
    socket.on("drain", () => this.#change())
  }

  /** Connects, from another loopback if one is named; a paused client reads nothing until {@link read}. Rejects when it is refused. */
  static open(port: number, paused = false, localAddress = "127.0.0.1"): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true, noDelay: true })
      socket.once("error", reject)
      socket.once("connect", () => {
        const client = new Client(socket)
        if (paused) socket.pause()
        resolve(client)
      })
    })
  }

  /** Everything received, in one piece. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** What was sent and has not left this process, in bytes: the kernels on both sides are full. */
  get unsent(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength
  }

  /** Sends; returns whether the connection takes more. */
  send(data: string | Uint8Array): boolean {
    return !this.#socket.destroyed && this.#socket.write(data)
  }

  /** FIN, behind what was sent. */
  finish(): void {
    this.#socket.end()
  }

  /** Begins to read. */
  read(): void {
    this.#socket.resume()
  }

  /** Ends the connection at once. */
  close(): void {
    this.#socket.destroy()
  }

  /**
   * Waits until `done`, the end, or `millis` in which nothing moves: no byte comes and the connection takes none.
   * Returns whether it is done. Default 2 s.
   */
  async until(done: () => boolean, millis: number = patience): Promise<boolean> {
    while (!done()) {
      if (this.ending !== undefined || !await this.#moves(millis)) return done()
    }
    return true
  }

  /** Waits for `count` bytes in all. */
  receive(count: number): Promise<boolean> {
    return this.until(() => this.received >= count)
  }

  /** Waits for the server's FIN or reset. */
  end(millis?: number): Promise<boolean> {
    return this.until(() => this.ending !== undefined, millis)
  }

  /** Sends a line and waits for its echo; whether it came, whole and with nothing else. */
  async ask(line: string, millis?: number): Promise<boolean> {
    const reply = Buffer.from(`echo: ${line}\n`)
    const from = this.received
    this.send(`${line}\n`)
    await this.until(() => this.received >= from + reply.length, millis)
    return this.bytes.subarray(from).equals(reply)
  }

  #moves(millis: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), millis)
      this.#changed.push(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  #end(ending: "fin" | "reset"): void {
    // A reset may follow a FIN; the other way round is only Node's `close`.
    if (this.ending === undefined || (ending === "reset" && this.#socket.errored)) this.ending = ending
    this.#change()
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = []
    for (const wake of changed) wake()
  }
}
