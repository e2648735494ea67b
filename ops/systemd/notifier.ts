/**
 * What is said to systemd, in order, one message at a time (sd_notify(3)).
 *
 * 1. A message is sent when the one before it has arrived or was given up: two states never change places.
 * 2. What waits is bounded: one message a state, and of each variable the last value.
 * 3. Whoever says something does not wait for it. That it fails is said once.
 *
 * How a message is sent is `program.ts`; what is worth one is `systemd.ts`.
 */

/** Sends one message; resolves to what went wrong, undefined when nothing did. */
export type Send = (message: Message) => Promise<string | undefined>

/** A change of state, and variables beside it. */
export interface Message {
  readonly state: State | undefined
  readonly variables: Variables
}

/** What the server is from now on: it serves, reads its configuration anew, or ends. */
export type State = "READY" | "RELOADING" | "STOPPING"

/** Variables by name, as sd_notify(3) has them. */
export type Variables = Readonly<Record<string, string>>

/** The messages of one process. */
export class Notifier {
  readonly #send: Send
  readonly #failed: (why: string) => void
  #waiting: Array<Message> = []
  #sending = false
  #stopping = false
  #complained = false

  /** `failed` is told of the first message that could not be sent. */
  constructor(send: Send, failed: (why: string) => void) {
    this.#send = send
    this.#failed = failed
  }

  /** Says variables, and a state they go with. After STOPPING there is no other state. */
  say(variables: Variables, state?: State): void {
    if (state !== undefined && this.#stopping) return
    if (state === "STOPPING") this.#stopping = true
    const last = this.#waiting.at(-1)
    // Two states in one message would come in systemd's order, not in ours.
    const joins = last !== undefined && (state === undefined || last.state === undefined)
    const superseded = this.#waiting.filter((message) =>
      (joins && message === last) || (state !== undefined && message.state === state)
    )
    const others = this.#waiting.filter((message) => !superseded.includes(message))
    this.#waiting = [
      ...others.map((message) => ({ ...message, variables: without(message.variables, variables) })),
      {
        state: state ?? (joins ? last.state : undefined),
        variables: Object.assign({}, ...superseded.map((message) => message.variables), variables),
      },
    ]
    void this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      const why = await this.#send(message).catch(String)
      if (why === undefined || this.#complained) continue
      this.#complained = true
      this.#failed(why)
    }
    this.#sending = false
  }
}

const without = (variables: Variables, newer: Variables): Variables =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !(name in newer)))
