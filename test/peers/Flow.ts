/**
 * Clients that never stop talking: each sends some lines every few milliseconds without waiting for the answers, verifies
 * these, and connects again once the server has finished. What each of them saw is counted; what counts as lost is for
 * who knows when the server began to drain.
 *
 * They talk to `test/conformance/wire/pid.ts`, whose answers begin with the process that gave them.
 */
import { connect, type Socket } from "node:net"
import { type Entries, late } from "./Entries.ts"

/** Lines that went out together and were not all answered before the connection ended. */
export interface Unanswered {
  /** Who served this connection. */
  readonly pid: number
  /** When the system had them all, in milliseconds since 1970. */
  readonly sent: number
  readonly count: number
}

/** Lines that go out together. */
const burst = 3
/** So many milliseconds at most lie between them; a server takes nobody for idle who was silent for less than 50. */
const longestPause = 45

/** Where to connect to. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string }

/** Clients that talk until they are stopped. */
export class Flow {
  answers = 0
  /** Answers that are not those to what was asked. */
  wrong = 0
  /** Connections that were reset after they had been answered, by code. */
  readonly resets: Record<string, number> = {}
  readonly unanswered: Array<Unanswered> = []
  readonly place: Place
  readonly entries: Entries
  readonly #talking: ReadonlyArray<Promise<void>>
  stopped = false

  constructor(place: Place, count: number, entries: Entries) {
    this.place = place
    this.entries = entries
    this.#talking = Array.from({ length: count }, () => this.#talk())
  }

  /** Sends no more, waits for what is still to be answered, and ends all of them. */
  async stop(): Promise<void> {
    this.stopped = true
    await Promise.all(this.#talking)
  }

  async #talk(): Promise<void> {
    while (!this.stopped) {
      const answered = await new Talk(this).ended
      // Whoever is not let in does not come back in the same instant.
      if (!answered) await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** One connection. */
class Talk {
  /** Whether anything was answered. */
  readonly ended: Promise<boolean>
  readonly #flow: Flow
  readonly #socket: Socket
  readonly #bursts: Array<{ readonly end: number; sent: number }> = []
  #sent = 0
  #answered = 0
  #pid: number | undefined
  #rest = ""
  #code: string | undefined
  #finished = false
  #timer: NodeJS.Timeout | undefined

  constructor(flow: Flow) {
    this.#flow = flow
    this.#socket = connect({ ...flow.place, allowHalfOpen: true, noDelay: true })
    this.#socket.setEncoding("latin1")
    this.#socket.on("connect", () => this.#send())
    this.#socket.on("data", (text) => this.#receive(String(text)))
    this.#socket.on("end", () => {
      this.#finished = true
      this.#socket.end()
    })
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? error.message
    })
    this.ended = new Promise((resolve) => this.#socket.on("close", () => resolve(this.#close())))
  }

  #send(): void {
    if (this.#finished || this.#socket.destroyed) return
    if (this.#flow.stopped) {
      if (this.#answered === this.#sent) this.#socket.end()
      return
    }
    // Who reads slowly, because the machine is busy, is not given more.
    if (this.#socket.writableLength === 0) {
      let text = ""
      for (let index = 0; index < burst; index++) text += `${this.#sent++}\n`
      const one = { end: this.#sent, sent: Infinity }
      this.#bursts.push(one)
      this.#socket.write(text, () => one.sent = Math.min(one.sent, Date.now()))
      if (this.#socket.writableLength === 0) one.sent = Date.now()
    }
    this.#timer = setTimeout(() => this.#send(), 5 + Math.random() * (longestPause - 5))
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n")
    this.#rest = lines.pop()! // splitting gives one at least
    for (const line of lines) {
      const [pid, number] = line.split(": ")
      if (this.#pid === undefined) this.#flow.entries.entered()
      this.#pid ??= Number(pid)
      if (Number(pid) !== this.#pid || Number(number) !== this.#answered) this.#flow.wrong++
      this.#answered++
    }
    this.#flow.answers += lines.length
    while (this.#bursts.length > 0 && this.#bursts[0]!.end <= this.#answered) this.#bursts.shift()
    if (this.#flow.stopped && this.#answered === this.#sent) this.#socket.end()
  }

  #close(): boolean {
    clearTimeout(this.#timer)
    const { resets, entries, unanswered } = this.#flow
    if (this.#pid === undefined) {
      if (this.#sent > 0 || this.#code !== undefined) entries.failed(this.#code ?? late)
      return false
    }
    if (this.#code !== undefined) resets[this.#code] = (resets[this.#code] ?? 0) + 1
    if (this.#rest !== "") this.#flow.wrong++
    let from = this.#answered
    for (const { end, sent } of this.#bursts) {
      if (sent !== Infinity) unanswered.push({ pid: this.#pid, sent, count: end - from })
      from = end
    }
    return true
  }
}
