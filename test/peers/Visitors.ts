/**
 * Clients that connect, ask one thing and leave: so many at once, each after a short rest. They show who is let in while
 * listeners come and go.
 */
import { connect } from "node:net"
import { type Entries, late } from "./Entries.ts"
import type { Place } from "./Flow.ts"

/** Visits until they are stopped. */
export class Visitors {
  readonly #place: Place
  readonly #entries: Entries
  readonly #visiting: ReadonlyArray<Promise<void>>
  #stopped = false

  /** `rest`: milliseconds between two visits of each, on average. */
  constructor(place: Place, count: number, rest: number, entries: Entries) {
    this.#place = place
    this.#entries = entries
    this.#visiting = Array.from({ length: count }, () => this.#keepVisiting(rest))
  }

  /** Waits for the visits that are under way; there are no more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#visiting)
  }

  async #keepVisiting(rest: number): Promise<void> {
    while (!this.#stopped) {
      await this.#visit()
      await new Promise((resolve) => setTimeout(resolve, 2 * rest * Math.random()))
    }
  }

  #visit(): Promise<void> {
    return new Promise((resolve) => {
      let answered = false
      let code = late
      const socket = connect({ ...this.#place, noDelay: true })
      socket.on("connect", () => socket.write("0\n"))
      socket.on("data", () => {
        if (!answered) this.#entries.entered()
        answered = true
        socket.end()
      })
      socket.on("error", (error: NodeJS.ErrnoException) => code = error.code ?? error.message)
      socket.on("close", () => {
        if (!answered) this.#entries.failed(code)
        resolve()
      })
    })
  }
}
