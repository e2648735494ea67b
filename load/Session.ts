/**
 * One connection of a generator: requests go out together, replies are matched in order, and each of them is timed.
 *
 * It stands directly on the port, with core's codecs and queue, and no fiber: what a generator costs is what it cannot
 * measure with.
 */
import { Input } from "../core/Input.ts"
import type { ByteWriter } from "../core/ByteWriter.ts"
import { Output } from "../core/Output.ts"
import type { Receiver, Transport, TransportEnd } from "../core/Sockets.ts"
import type { Expectation, Plan } from "./Plan.ts"
import { record, type Recorder } from "./Recorder.ts"

/** What a session needs of its run. */
export interface Run {
  readonly plan: Plan
  /** Where it is recorded; another one once the warm-up is over. */
  readonly recorder: Recorder
  readonly writer: ByteWriter
  /** Whether requests are sent still. */
  readonly sending: boolean
  /** Monotonic, in milliseconds. */
  now(): number
  /** Replies have come, and so many more requests may be sent. */
  replied(session: Session, count: number): void
  /** Everything that was sent is taken. */
  drained(session: Session): void
  ended(session: Session, end: TransportEnd["_tag"]): void
}

const framesPerDecode = 1_024

/** A connection of a generator. */
export class Session implements Receiver {
  readonly number: number
  /** Requests sent and not answered. */
  inFlight = 0
  /** When those were due that have to wait for a reply, of an open run. */
  readonly waiting: Ring<number> = new Ring()
  over = false
  readonly #run: Run
  readonly #transport: Transport
  readonly #input: Input<Uint8Array>
  readonly #output: Output<Uint8Array>
  readonly #frames: Array<Uint8Array> = []
  readonly #connectedAt: number
  // Of each request in flight: when it was meant to be sent, when it was, and what it was where that matters.
  readonly #intended: Ring<number> = new Ring()
  readonly #sentAt: Ring<number> = new Ring()
  readonly #requests: Ring<Uint8Array> | undefined
  #greeted: (() => void) | undefined
  #answers = 0 // to beats that are expected
  #began = false
  #finished = false

  constructor(number: number, transport: Transport, run: Run) {
    const { plan } = run
    const { decoder, encoder } = plan.framing()
    this.number = number
    this.#run = run
    this.#transport = transport
    this.#input = new Input(decoder())
    this.#output = new Output(transport, encoder(), run.writer)
    this.#connectedAt = run.now()
    // A message that is always the same need not be kept.
    this.#requests = plan.expect._tag === "Echo" && plan.messages.constant === undefined ? new Ring() : undefined
  }

  /** Begins; `ready` is called when requests may be sent. */
  begin(ready: () => void): void {
    const { hello } = this.#run.plan
    this.#transport.attach(this)
    if (hello === undefined) return ready()
    this.#greeted = ready
    this.#output.stage(hello.send)
    this.#write()
  }

  /** Sends requests now that were meant to be sent at these times. */
  send(intended: number, count = 1): void {
    const { plan, recorder } = this.#run
    const now = this.#run.now()
    for (let index = 0; index < count; index++) {
      const message = plan.messages.next(this.number)
      this.#output.stage(message)
      if (plan.expect._tag === "None") continue
      this.#intended.push(intended)
      this.#sentAt.push(now)
      this.#requests?.push(message.slice())
    }
    recorder.sent += count
    if (plan.expect._tag === "None") recorder.replies += count
    else this.inFlight += count
    this.#write()
  }

  /** Says that it is alive. */
  beat(): void {
    const { beat } = this.#run.plan
    if (beat === undefined || this.over) return
    if (beat.answer !== undefined) this.#answers++
    this.#run.recorder.heartbeats++
    this.#output.stage(beat.send)
    this.#write()
  }

  /** Bytes that the transport has not taken. */
  get unsent(): number {
    return this.#output.unsent + this.#transport.sending
  }

  /** Finishes writing, once everything is sent. */
  finish(): void {
    this.#finished = true
    if (this.#output.unsent === 0) this.#transport.shutdown()
  }

  abort(): void {
    this.#transport.abort()
  }

  // ── Receiver ─────────────────────────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    const { recorder } = this.#run
    const now = this.#run.now()
    recorder.bytesReceived += chunk.length
    if (!this.#began) {
      this.#began = true
      record(recorder.firstByte, now - this.#connectedAt)
    }
    this.#input.append(chunk)
    let replies = 0
    while (this.#input.decode(this.#frames, framesPerDecode, Infinity)) {
      for (const frame of this.#frames) if (this.#take(frame, now)) replies++
      this.#frames.length = 0
    }
    this.#input.own()
    if (this.#input.end !== undefined && this.#input.end._tag !== "PeerClosed") {
      recorder.fail("reply-invalid")
      return this.abort()
    }
    if (replies > 0) this.#run.replied(this, replies)
  }

  writable(): void {
    this.#output.unblock()
    this.#write()
    if (this.#output.unsent === 0 && !this.over) this.#run.drained(this)
  }

  fin(): void {
    if (!this.#finished) this.#run.recorder.fail("closed-by-server")
    this.#transport.shutdown()
  }

  closed(end: TransportEnd): void {
    this.over = true
    if (end._tag === "Reset" || end._tag === "Failed") this.#run.recorder.fail("reset")
    this.#run.ended(this, end._tag)
  }

  // ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a frame, and says whether it is a reply. */
  #take(frame: Uint8Array, now: number): boolean {
    const { plan, recorder } = this.#run
    const greeted = this.#greeted
    if (greeted !== undefined) {
      this.#greeted = undefined
      const { expect } = plan.hello! // it was said
      if (expect === undefined || equal(frame, expect)) greeted()
      else {
        recorder.fail("hello-refused")
        this.abort()
      }
      return false
    }
    if (this.#answers > 0 && equal(frame, plan.beat!.answer!)) {
      this.#answers--
      return false
    }
    if (this.inFlight === 0) {
      if (plan.expect._tag !== "None") recorder.fail("reply-wrong")
      return false
    }
    const intended = this.#intended.shift()!
    const sentAt = this.#sentAt.shift()!
    this.inFlight--
    record(recorder.response, now - intended)
    record(recorder.service, now - sentAt)
    recorder.replies++
    const request = this.#requests?.shift() ?? plan.messages.constant
    if (!fulfils(plan.expect, frame, request)) recorder.fail("reply-wrong")
    return true
  }

  #write(): void {
    if (this.over) return
    const { bytesSent } = this.#output
    const error = this.#output.write()
    // A message that its framing cannot carry was refused when the plan was made.
    if (error !== undefined) throw new Error(error.message)
    this.#run.recorder.bytesSent += this.#output.bytesSent - bytesSent
    if (this.#finished && this.#output.unsent === 0) this.#transport.shutdown()
  }
}

const fulfils = (expect: Expectation, reply: Uint8Array, request: Uint8Array | undefined): boolean => {
  switch (expect._tag) {
    case "Any":
    case "None":
      return true
    case "Prefix":
      return startsWith(reply, expect.prefix)
    case "Echo": {
      const { prefix } = expect
      if (request === undefined || reply.length !== prefix.length + request.length) return false
      return startsWith(reply, prefix) && equal(prefix.length === 0 ? reply : reply.subarray(prefix.length), request)
    }
    case "Matches":
      return expect.pattern.test(text.decode(reply))
  }
}

const text = new TextDecoder()

const equal = (one: Uint8Array, other: Uint8Array): boolean => one.length === other.length && startsWith(one, other)

const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean => {
  if (bytes.length < prefix.length) return false
  for (let index = 0; index < prefix.length; index++) if (bytes[index] !== prefix[index]) return false
  return true
}

/** A queue that neither shifts memory nor gives it back while it is in use. */
export class Ring<A> {
  length = 0
  #items: Array<A | undefined> = new Array(16)
  #first = 0

  /** The item that is next. */
  get first(): A | undefined {
    return this.length === 0 ? undefined : this.#items[this.#first]
  }

  push(item: A): void {
    if (this.length === this.#items.length) this.#grow()
    this.#items[(this.#first + this.length++) & (this.#items.length - 1)] = item
  }

  shift(): A | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#first]
    this.#first = (this.#first + 1) & (this.#items.length - 1)
    this.length--
    return item
  }

  #grow(): void {
    const items = new Array<A | undefined>(2 * this.#items.length)
    for (let index = 0; index < this.length; index++) {
      items[index] = this.#items[(this.#first + index) & (this.#items.length - 1)]
    }
    this.#items = items
    this.#first = 0
  }
}
