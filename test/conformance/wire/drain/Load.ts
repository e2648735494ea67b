/**
 * Steady load that does not stop by itself: clients that keep so many requests on their way each, and go on until the
 * server's FIN, or its goodbye. Each answer is compared with its request.
 */
import { once } from "node:events"
import * as net from "node:net"

/** The last words of a service that says goodbye. */
export const goodbye = "bye"

/** The echo of a line is asked for, by every fourth client of a long one, so that not all are read at once. */
const request = (client: number, number: number): string =>
  client % 4 === 0 ? `${client}.${number} ${padding}` : `${client}.${number}`

const padding = "x".repeat(2_000)

/** One client. */
export class Asker {
  /** How many of its requests were answered, each by its own answer. */
  answered = 0
  /** What went wrong, if something did. */
  failure: string | undefined
  readonly port: number
  readonly ended: Promise<void>
  readonly #socket: net.Socket
  readonly #client: number
  #asked = 0
  #state: "Asking" | "Leaving" | "Ended" = "Asking"
  #rest = ""

  constructor(socket: net.Socket, client: number, inFlight: number) {
    this.#socket = socket
    this.#client = client
    this.port = socket.localPort!
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()))
    socket.setEncoding("latin1").on("data", (text: string) => this.#receive(text))
    socket.on("end", () => {
      this.#state = "Ended"
      socket.end()
    })
    socket.on("error", (error) => this.#fail(error.message))
    this.#ask(inFlight)
  }

  /**
   * How many of its requests are at the server's socket for certain: loopback delivers before `write` returns, and Node
   * writes at once as much as the kernel takes.
   */
  get arrived(): number {
    return this.#socket.writableLength === 0 ? this.#asked : this.answered
  }

  /** Asks nothing more, and closes once everything is answered. */
  leave(): void {
    if (this.#state === "Asking") this.#state = "Leaving"
    if (this.#state === "Leaving" && this.answered === this.#asked) this.#socket.end()
  }

  #ask(count: number): void {
    let text = ""
    while (count-- > 0) text += `${request(this.#client, this.#asked++)}\n`
    this.#socket.write(text)
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n")
    this.#rest = lines.pop()!
    const before = this.answered
    for (const line of lines) {
      if (line === goodbye) this.leave()
      else if (line === `echo: ${request(this.#client, this.answered)}`) this.answered++
      else this.#fail(`answer ${this.answered} is ${line.slice(0, 50)}`)
    }
    if (this.#state === "Leaving") this.leave()
    else if (this.answered > before) this.#ask(this.answered - before)
  }

  #fail(why: string): void {
    this.failure ??= `client ${this.#client}: ${why}`
  }
}

/** What is known of the requests at some moment. */
export interface Moment {
  /** Of each client, how many had arrived at the server. */
  readonly arrived: ReadonlyArray<number>
  /** How many of all of them were not answered. */
  readonly waiting: number
}

/** All clients. */
export class Load {
  readonly askers: ReadonlyArray<Asker>

  private constructor(askers: ReadonlyArray<Asker>) {
    this.askers = askers
  }

  /** Connects so many clients, and waits until each has had some answers for each that it waits for. */
  static async start(port: number, clients: number, inFlight: number): Promise<Load> {
    const askers = await Promise.all(Array.from({ length: clients }, async (_, client) => {
      const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
      await once(socket, "connect")
      return new Asker(socket, client, inFlight)
    }))
    const load = new Load(askers)
    while (askers.some(({ answered, failure }) => answered < 5 * inFlight && failure === undefined)) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return load
  }

  get answered(): number {
    return this.askers.reduce((sum, { answered }) => sum + answered, 0)
  }

  /** What has arrived by now. */
  get moment(): Moment {
    const arrived = this.askers.map((asker) => asker.arrived)
    return { arrived, waiting: arrived.reduce((sum, count) => sum + count, 0) - this.answered }
  }

  /** Waits until all connections have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.askers.map(({ ended }) => ended))
  }

  /** What went wrong: failures, and requests that had arrived by a moment and were not answered. */
  losses({ arrived }: Moment): ReadonlyArray<string> {
    return this.askers.flatMap(({ failure, answered }, client) => [
      ...failure === undefined ? [] : [failure],
      ...answered >= arrived[client]! ? [] : [`client ${client}: ${arrived[client]! - answered} answers are missing`],
    ])
  }
}
