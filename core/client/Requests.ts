/**
 * Which frame is the answer to which request: by order, or by a key. Nothing here sends, waits or fails.
 *
 * 1. An answer that comes late is given to nobody. By order, a request that was given up keeps its place until then; by
 *    key, its key is not used again while this connection lasts, as long as not too many were given up since.
 * 2. Answers that nobody waits for (late, twice, unknown, to what was not sent yet) are `ignored`.
 * 3. With the connection all places are gone: what comes on the next one is not meant for them.
 */
import type { Deadline } from "../Deadlines.ts"
import type { NotSent, Unknown } from "./Errors.ts"

/** A request, from when it is asked to when that is settled. */
export class Request<in In> implements Deadline {
  /** In the outbox; handed to a connection; answered, failed or given up. */
  state: "Kept" | "InFlight" | "Settled" = "Kept"
  slot = 0
  readonly key: unknown
  readonly succeed: (reply: In) => void
  readonly fail: (failure: NotSent | Unknown) => void
  readonly #late: () => void

  constructor(
    key: unknown,
    succeed: (reply: In) => void,
    fail: (failure: NotSent | Unknown) => void,
    late: () => void,
  ) {
    this.key = key
    this.succeed = succeed
    this.fail = fail
    this.#late = late
  }

  expire(): void {
    this.#late()
  }
}

/** The requests of a client. */
export interface Requests<In> {
  /** Requests that are kept or in flight, and places that are kept for late answers. */
  readonly size: number
  /** Takes one up that is kept, or says why it cannot be. */
  add(request: Request<In>): "KeyInUse" | "KeyMissing" | undefined
  /** It goes from Kept to InFlight. */
  sent(request: Request<In>): void
  /** It is settled next, without an answer. */
  giveUp(request: Request<In>): void
  /** The request whose answer a frame is, which is settled next; or what else the frame is. */
  reply(frame: In): Request<In> | "push" | "ignored"
  /** The connection is gone, and with it those that are returned; others that were sent are Kept again. */
  lost(): ReadonlyArray<Request<In>>
}

/** Answers come in the order of the requests. */
export class ByOrder<In> implements Requests<In> {
  #line: Array<Request<In>> = []
  #kept = 0

  get size(): number {
    return this.#line.length + this.#kept
  }

  add(): undefined {
    this.#kept++
  }

  sent(request: Request<In>): void {
    this.#kept--
    this.#line.push(request)
  }

  giveUp(request: Request<In>): void {
    if (request.state === "Kept") this.#kept--
  }

  reply(): Request<In> | "push" | "ignored" {
    const first = this.#line.shift()
    if (first === undefined) return "push"
    return first.state === "InFlight" ? first : "ignored"
  }

  lost(): ReadonlyArray<Request<In>> {
    const line = this.#line
    this.#line = []
    this.#kept += line.filter(({ state }) => state === "Kept").length
    return line.filter(({ state }) => state === "InFlight")
  }
}

/** How many keys are remembered that were given up. */
const mostLate = 1_000

/** Answers are found by a key. */
export class ByKey<In> implements Requests<In> {
  readonly #keyOf: (frame: In) => unknown
  readonly #requests = new Map<unknown, Request<In>>()
  readonly #late = new Set<unknown>()

  constructor(keyOf: (frame: In) => unknown) {
    this.#keyOf = keyOf
  }

  get size(): number {
    return this.#requests.size
  }

  add(request: Request<In>): "KeyInUse" | "KeyMissing" | undefined {
    const { key } = request
    if (key === undefined) return "KeyMissing"
    if (this.#requests.has(key) || this.#late.has(key)) return "KeyInUse"
    this.#requests.set(key, request)
    return undefined
  }

  sent(): void {}

  giveUp(request: Request<In>): void {
    this.#requests.delete(request.key)
    if (request.state !== "InFlight") return
    this.#late.add(request.key)
    if (this.#late.size > mostLate) this.#late.delete(this.#late.values().next().value)
  }

  reply(frame: In): Request<In> | "push" | "ignored" {
    const key = this.#keyFor(frame)
    if (key === undefined) return "push"
    const request = this.#requests.get(key)
    if (request?.state !== "InFlight") {
      this.#late.delete(key)
      return "ignored"
    }
    this.#requests.delete(key)
    return request
  }

  lost(): ReadonlyArray<Request<In>> {
    this.#late.clear()
    const lost = [...this.#requests.values()].filter(({ state }) => state === "InFlight")
    for (const { key } of lost) this.#requests.delete(key)
    return lost
  }

  #keyFor(frame: In): unknown {
    try {
      return this.#keyOf(frame)
    } catch {
      return undefined // what is wrong with the frame is for whoever takes it to say
    }
  }
}
