/**
 * A raw client over `node:net`, which knows nothing of codecs: bytes out, bytes in, FIN and RST of either side.
 *
 * It reads from the first moment unless it was told to be paused, and keeps what nobody has asked for yet.
 */
import { Buffer } from "node:buffer"
import { once } from "node:events"
import * as net from "node:net"

/** How the server's half ended: by its FIN, by a reset, or not yet. */
export type Ending = "fin" | "reset" | undefined

/** A connection to the fixture, made of a connected socket. */
export class Client {
  readonly socket: net.Socket
  /** This side's port, by which the fixture knows it. */
  readonly port: number
  ending: Ending
  /** Bytes received so far. */
  received = 0
  #kept: Array<Buffer> = []
  #length = 0
  #changed: Array<() => void> = []

  constructor(socket: net.Socket) {
    this.socket = socket
    this.port = socket.localPort!
    socket.on("data", (chunk) => {
      this.#kept.push(chunk)
      this.#length += chunk.length
      this.received += chunk.length
      this.#change()
    })
    socket.on("end", () => this.#end("fin"))
    socket.on("error", () => this.#end("reset"))
    socket.on("close", () => this.#end("reset"))
  }

  /** Sends; resolves once the kernel has it all, or the connection is over. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(data, () => resolve()))
  }

  /** FIN, behind what was sent. */
  finish(): void {
    this.socket.end()
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Exactly `length` bytes, when they have come; rejects if the connection ends before. */
  async receive(length: number): Promise<Buffer> {
    while (this.#length < length) {
      if (this.ending !== undefined) {
        throw new Error(`The connection ended by ${this.ending} after ${this.#length} of ${length} bytes`)
      }
      await this.change()
    }
    this.#length -= length
    const parts: Array<Buffer> = []
    while (length > 0) {
      const first = this.#kept[0]!
      const part = first.subarray(0, length)
      parts.push(part)
      length -= part.length
      if (part.length === first.length) this.#kept.shift()
      else this.#kept[0] = first.subarray(part.length)
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** The next line, without its LF. */
  async line(): Promise<string> {
    for (;;) {
      const all = Buffer.concat(this.#kept)
      const end = all.indexOf(10)
      if (end >= 0) return (await this.receive(end + 1)).toString("utf8", 0, end)
      this.#kept = [all]
      if (this.ending !== undefined) throw new Error(`The connection ended by ${this.ending} within a line: ${all}`)
      await this.change()
    }
  }

  /** Sends a line and returns the answer. */
  async ask(line: string): Promise<string> {
    await this.send(`${line}\n`)
    return this.line()
  }

  /** Everything until the server's half ends. */
  async rest(): Promise<Buffer> {
    await this.ended()
    return this.receive(this.#length)
  }

  /** Waits for the end of the server's half. */
  async ended(): Promise<Ending> {
    while (this.ending === undefined) await this.change()
    return this.ending
  }

  /** Waits until something was received, or the end. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve))
  }

  #end(ending: Ending): void {
    // A reset may follow a FIN; the other way round is only Node's `close`.
    if (this.ending === undefined || (ending === "reset" && this.socket.errored)) this.ending = ending
    this.#change()
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = []
    for (const resolve of changed) resolve()
  }
}

/** Connects to a port of `host`; a paused client reads nothing until `client.socket.resume()`. `from`: its own address. */
export const connect = (port: number, host = "127.0.0.1", paused = false, from?: string): Promise<Client> =>
  open({ port, host, ...from === undefined ? {} : { localAddress: from } }, paused)

/** Connects to a Unix socket. */
export const connectUnix = (path: string): Promise<Client> => open({ path }, false)

const open = async (where: net.NetConnectOpts, paused: boolean): Promise<Client> => {
  const socket = net.connect({ ...where, allowHalfOpen: true, noDelay: true })
  alive.add(socket)
  socket.once("close", () => alive.delete(socket))
  await once(socket, "connect")
  const client = new Client(socket)
  if (paused) socket.pause()
  return client
}

const alive = new Set<net.Socket>()

/** Ends all clients that are left. */
export const disconnectAll = (): void => alive.forEach((socket) => socket.destroy())
