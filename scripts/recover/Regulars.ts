/**
 * Clients that stay: each asks a line, verifies the answer, pauses and asks again; when its connection ends it opens another
 * one. What happened to them is noted with its time, by `performance.now`. They know nothing of what befalls the server.
 */
import { connect, type Socket } from "node:net"
import { within } from "./Program.ts"

/** A connection that was answered. */
export interface Visit {
  /** When connecting began. */
  readonly began: number
  /** When the system had connected it. */
  readonly connected: number
  /** When its first answer came. */
  readonly served: number
}

/** A connection that ended after it had been answered, and the process that answered it. */
export interface Loss {
  readonly at: number
  readonly pid: number
}

/** An answer: when it came, and to which of the clients. */
export interface Answer {
  readonly at: number
  readonly name: number
}

/** Options of {@link Regulars}. */
export interface Options {
  /** Between an answer and the next line, in milliseconds. Default: each connection asks once. */
  readonly pause?: number
  /** Between a connect that failed and the next, in milliseconds. Default 10. */
  readonly retry?: number
}

/** All of them. */
export class Regulars {
  readonly visits: Array<Visit> = []
  readonly losses: Array<Loss> = []
  readonly answers: Array<Answer> = []
  /** Connections that ended before an answer came. */
  failed = 0
  /** Answers that were not those to what was asked. */
  wrong = 0
  /** Who has a connection that was answered. */
  served = 0
  readonly #by = new Map<number, number>()
  /** Who waits to be told to {@link comeBack}; undefined when everybody comes back by himself. */
  #away: Array<() => void> | undefined
  readonly #port: number
  readonly #count: number
  readonly #pause: number
  readonly #retry: number
  readonly #sockets = new Set<Socket>()
  #changed: Array<() => void> = []
  #stopped = false

  /** They come at once. */
  constructor(port: number, count: number, { pause = Infinity, retry = 10 }: Options = {}) {
    this.#port = port
    this.#count = count
    this.#pause = pause
    this.#retry = retry
    for (let name = 0; name < count; name++) this.#enter(name)
  }

  /** How many connections a process has answered that have not ended. */
  servedBy(pid: number): number {
    return this.#by.get(pid) ?? 0
  }

  /** Throws unless all answers were right, and so many connections were lost. */
  verify(losses: number): void {
    if (this.wrong > 0) throw new Error(`${this.wrong} answers were wrong`)
    if (this.losses.length !== losses) {
      throw new Error(`${this.losses.length} connections were lost that had been answered; wanted is ${losses}`)
    }
  }

  /** From now on, whoever loses his connection stays away until {@link comeBack}. */
  stayAway(): void {
    this.#away ??= []
  }

  /** All that stayed away connect, in one turn of this process's loop. */
  comeBack(): void {
    const away = this.#away ?? []
    this.#away = undefined
    for (const enter of away) enter()
  }

  /** Waits until `done`, which is looked at whenever something has happened. Rejects after 30 s. */
  until(done: () => boolean): Promise<void> {
    return within(patience, this.#until(done), () => {
      const state = `${this.served} of ${this.#count} clients are served, ${this.failed} connects failed`
      return `not in ${patience / 1_000} s: ${state}`
    })
  }

  /** Waits until everybody is served. */
  allServed(): Promise<void> {
    return this.until(() => this.served === this.#count)
  }

  /** Everybody goes, for good. */
  stop(): void {
    this.#stopped = true
    for (const socket of this.#sockets) socket.destroy()
    this.#change()
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && !this.#stopped) await new Promise<void>((resolve) => this.#changed.push(resolve))
  }

  #change(): void {
    const changed = this.#changed
    this.#changed = []
    for (const wake of changed) wake()
  }

  #enter(name: number): void {
    if (this.#stopped) return
    const began = performance.now()
    let connected = 0
    let asked = ""
    let text = ""
    let turn = 0
    let pid: number | undefined
    const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true })
    this.#sockets.add(socket)
    const ask = (): void => {
      asked = `${name}-${turn++}`
      socket.write(`${asked}\n`)
    }
    const answered = (line: string): void => {
      const now = performance.now()
      const [by, what] = line.split(": ")
      if (what !== asked) this.wrong++
      this.answers.push({ at: now, name })
      if (pid === undefined) {
        pid = Number(by)
        this.served++
        this.#by.set(pid, this.servedBy(pid) + 1)
        this.visits.push({ began, connected, served: now })
      }
      if (this.#pause === Infinity) return
      // Nobody keeps step with the others.
      setTimeout(() => socket.writable && ask(), this.#pause * (0.5 + Math.random()))
    }
    socket.on("connect", () => {
      connected = performance.now()
      ask()
    })
    socket.on("data", (chunk) => {
      text += chunk
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        answered(text.slice(0, end))
        text = text.slice(end + 1)
      }
      this.#change()
    })
    socket.on("error", () => {}) // `close` follows
    socket.on("close", () => {
      this.#sockets.delete(socket)
      if (this.#stopped) return
      const again = (): void => this.#enter(name)
      if (pid === undefined) {
        this.failed++
        setTimeout(again, this.#retry)
      } else {
        this.served--
        this.#by.set(pid, this.servedBy(pid) - 1)
        this.losses.push({ at: performance.now(), pid })
        if (this.#away === undefined) again()
        else this.#away.push(again)
      }
      this.#change()
    })
  }
}

const patience = 30_000

/** The value that a share of these is not above; 0 when there are none. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}
