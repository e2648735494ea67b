/**
 * Clients that come one after the other at a steady rate, whether the one before was served or not: each connects, asks one
 * line, and goes once it is answered. They tell for how long nobody new was served.
 */
import { connect, type Socket } from "node:net"
import { within } from "./Program.ts"

/** Between one and the next, in milliseconds. */
export const interval = 5

/** Who was served: when he came, and when he was answered, by `performance.now`. */
export interface Visitor {
  readonly came: number
  readonly served: number
}

/** All of them. */
export class Visitors {
  /** In the order in which they were answered. */
  readonly served: Array<Visitor> = []
  /** Connections that ended before an answer came. */
  failed = 0
  readonly #timer: NodeJS.Timeout
  readonly #sockets = new Set<Socket>()
  #changed: Array<() => void> = []
  #stopped = false

  /** The first one comes at once. */
  constructor(port: number) {
    this.#timer = setInterval(() => this.#visit(port), interval)
    this.#visit(port)
  }

  /** Waits until somebody is served who came after a time, and says when that was. Rejects after 30 s. */
  servedSince(time: number): Promise<number> {
    return within(patience, this.#servedSince(time), () => `nobody new was served in ${patience / 1_000} s`)
  }

  /** The longest time in which nobody was served, of those that end after `from`, in milliseconds. */
  longestGap(from: number): number {
    const times = this.served.map(({ served }) => served)
    const gaps = times.slice(1).map((now, index) => now < from ? 0 : now - times[index]!)
    return Math.max(0, ...gaps)
  }

  /** Nobody comes any more. */
  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
    this.#change()
  }

  async #servedSince(time: number): Promise<number> {
    for (;;) {
      const first = this.served.find(({ came }) => came >= time)
      if (first !== undefined || this.#stopped) return first?.served ?? NaN
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  #visit(port: number): void {
    const came = performance.now()
    const socket = connect({ host: "127.0.0.1", port, noDelay: true })
    let answered = false
    this.#sockets.add(socket)
    socket.on("connect", () => socket.write("hello\n"))
    socket.once("data", () => {
      answered = true
      this.served.push({ came, served: performance.now() })
      socket.destroy()
      this.#change()
    })
    socket.on("error", () => {}) // `close` follows
    socket.on("close", () => {
      this.#sockets.delete(socket)
      if (!answered && !this.#stopped) this.failed++
    })
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = []
    for (const wake of changed) wake()
  }
}

const patience = 30_000
