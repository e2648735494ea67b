/**
 * Clients that ask in bursts, read every answer, and connect again when the server has ended their connection; and what
 * they saw of it. Nothing here knows how many processes serve.
 */
import { Buffer } from "node:buffer"
import { type Client, connect } from "./client.ts"

const burst = 8

/** Requests that went out together and of which some were not answered before the connection ended. */
export interface Unanswered {
  /** When the system had them all, in milliseconds since 1970. */
  readonly sent: number
  readonly count: number
  readonly ending: string | undefined
}

/** Clients that talk until they are told to stop. */
export class Talkers {
  /** Connections that were answered at least once. */
  established = 0
  answers = 0
  /** Answers that are not those to what was asked. */
  wrong = 0
  /** Established connections that were reset. */
  resets = 0
  /** Connects that were refused. */
  refused = 0
  /** Connections that were reset before the first answer. */
  handedOver = 0
  readonly unanswered: Array<Unanswered> = []
  readonly #port: number
  readonly #talking: ReadonlyArray<Promise<void>>
  #reconnect: boolean
  #stopped = false

  constructor(port: number, count: number, { reconnect = false } = {}) {
    this.#port = port
    this.#reconnect = reconnect
    this.#talking = Array.from({ length: count }, (_, index) => this.#talk(index))
  }

  /** How many of the unanswered were sent before a time. */
  lost(before: number): number {
    return this.unanswered.filter(({ sent }) => sent < before).reduce((sum, { count }) => sum + count, 0)
  }

  /** Waits until so many more answers have come. */
  async answered(more: number): Promise<void> {
    const wanted = this.answers + more
    while (this.answers < wanted) await pause(20)
  }

  /** Waits until the server has ended all of them; nobody connects again. */
  async ended(): Promise<void> {
    this.#reconnect = false
    await Promise.all(this.#talking)
  }

  /** Finishes all of them. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.ended()
  }

  async #talk(name: number): Promise<void> {
    do {
      const client = await connect(this.#port).catch(() => undefined)
      if (client === undefined) {
        this.refused++
        await pause(10)
        continue
      }
      await this.#converse(client, name)
      client.finish()
    } while (this.#reconnect)
  }

  async #converse(client: Client, name: number): Promise<void> {
    let before = 0
    // Some talk once and go, so that there are always new ones.
    const bursts = this.#reconnect && name % 2 === 0 ? 2 : Infinity
    for (let turn = 0; turn < bursts && !this.#stopped && client.ending === undefined; turn++) {
      const lines = Array.from({ length: burst }, (_, index) => `${name}-${turn}-${index}`)
      await client.send(Buffer.from(`${lines.join("\n")}\n`))
      const sent = Date.now()
      let count = 0
      try {
        for (; count < burst; count++) {
          const line = await client.line()
          if (before + count === 0) this.established++
          if (!line.endsWith(`: ${lines[count]}`)) this.wrong++
          this.answers++
        }
      } catch {
        this.unanswered.push({ sent, count: burst - count, ending: client.ending })
      }
      before += count
      // Pauses in which a drain may find them idle.
      await Promise.race([pause(60 + Math.random() * 200), ended(client)])
    }
    if (client.ending === "reset") before > 0 ? this.resets++ : this.handedOver++
  }
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const ended = async (client: Client): Promise<void> => void await client.ended()
