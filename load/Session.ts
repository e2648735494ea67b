/**
 * One connection of a generator: requests go out together, replies are matched in order, and each of them is timed.
 *
 * It stands directly on the port, with core's codecs and queue, and no fiber: what a generator costs is what it cannot
 * measure with. It neither knows when requests are due nor connects again.
 *
 * Moments of a request:
 *
 * - *intended*: given by whoever has it sent.
 * - *sent*: when the transport took the last byte of it. While the server does not read, that is later than when it was
 *   made; the transport itself may hold up to 256 KiB that the system has not taken.
 * - *answered*: when the chunk was there that ended its reply. All that one turn of the loop brings was there when it began.
 */
import type { ByteWriter } from "../core/ByteWriter.ts"
import type { Encoder } from "../core/Codec.ts"
import { Input } from "../core/Input.ts"
import { Outbox } from "../core/Outbox.ts"
import type { Receiver, Transport, TransportEnd } from "../core/Sockets.ts"
import { Pending } from "./Pending.ts"
import type { Expectation, Plan } from "./Plan.ts"
import { record, type Recorder } from "./Recorder.ts"
import { Ring } from "./Ring.ts"

/** What a session needs of its run. */
export interface Run {
  readonly plan: Plan
  /** The codec of the plan. */
  readonly codec: ReturnType<Plan["framing"]>
  /** Where it is recorded. */
  readonly recorder: Recorder
  /** Requests that were meant to be sent before are not measured. */
  readonly measuredFrom: number
  /** Of one connection, at most. */
  readonly inFlight: number
  readonly writer: ByteWriter
  /** Monotonic, in milliseconds. */
  now(): number
  /** When the bytes were there that come in this turn. */
  arrived(): number
  /** Something was written: what comes from here on may be the answer. */
  wrote(): void
  /** Requests are done: their replies have come, or there are none and they are sent. */
  done(session: Session, count: number, now: number): void
  /** Everything that was sent is taken. */
  drained(session: Session): void
  ended(session: Session): void
  /** Messages cannot be made or framed; nothing that is sent later would be what the plan says. */
  broken(problem: string): void
}

const framesPerDecode = 1_024
/** Bytes that are handed to the transport at once. */
const batchBytes = 64 * 1024

/** A connection of a generator. */
export class Session implements Receiver {
  readonly number: number
  over = false
  readonly #run: Run
  readonly #transport: Transport
  readonly #input: Input<Uint8Array>
  readonly #encoder: Encoder<Uint8Array>
  readonly #outbox = new Outbox()
  readonly #frames: Array<Uint8Array> = []
  readonly #connectedAt: number
  readonly #pending = new Pending()
  readonly #requests: Ring<Uint8Array> | undefined // what they were, where that matters
  readonly #due: Array<number> = [] // requests to be sent in this turn
  #made = 0 // bytes
  #taken = 0 // of them
  #greeted: ((welcome: boolean) => void) | undefined
  #answers = 0 // to beats that are expected
  #began = false
  #finished = false // nothing more is sent
  #deaf = false // nothing more is listened to
  #onEnd: (() => void) | undefined

  constructor(number: number, transport: Transport, run: Run) {
    const { codec, plan } = run
    this.number = number
    this.#run = run
    this.#transport = transport
    this.#input = new Input(codec.decoder())
    this.#encoder = codec.encoder()
    this.#connectedAt = run.now()
    // A message that is always the same need not be kept.
    this.#requests = plan.expect._tag === "Echo" && plan.messages.constant === undefined ? new Ring() : undefined
  }

  /** Begins. `ready` is told whether requests may be sent, once that is known. */
  begin(ready: (welcome: boolean) => void): void {
    const { hello } = this.#run.plan
    if (hello === undefined) {
      this.#transport.attach(this)
      return ready(true)
    }
    this.#greeted = ready
    this.#transport.attach(this)
    this.#say(hello.send)
  }

  /** Is called when it has ended, also where it has already. */
  onEnd(tell: () => void): void {
    if (this.over) tell()
    else this.#onEnd = tell
  }

  /** Requests that may be sent now. None while the server does not read what was sent before. */
  get room(): number {
    if (!this.open || this.#outbox.size > 0) return 0
    return this.#run.inFlight - this.inFlight
  }

  /** Requests without a reply, also those that are sent at the end of this turn. */
  get inFlight(): number {
    return this.#pending.length + this.#due.length
  }

  /** Answers to heartbeats that have not come. */
  get unanswered(): number {
    return this.#answers
  }

  /** Requests may be sent. */
  get open(): boolean {
    return !this.over && !this.#finished && !this.#deaf
  }

  /** Adds a request to those of this turn, which {@link flush} sends. Returns whether it is the first of them. */
  request(intended: number): boolean {
    return this.#due.push(intended) === 1
  }

  /** Sends the requests of this turn together. */
  flush(): void {
    const { plan, recorder, measuredFrom, writer } = this.#run
    const base = writer.length
    for (const intended of this.#due) {
      const message = this.#encode()
      if (message === undefined) break
      if (this.#requests !== undefined) this.#requests.push(new Uint8Array(message))
      this.#pending.push(intended, this.#made + writer.length - base)
      if (intended >= measuredFrom) recorder.sent++
      if (writer.length - base >= batchBytes) this.#deliver(base)
    }
    this.#due.length = 0
    const now = this.#deliver(base)
    if (plan.expect._tag === "None") this.#settleSent(now)
  }

  /** Sends messages, as many as the transport takes and about 64 KiB at most, whose replies are counted and no more. */
  flood(): void {
    const { recorder, writer } = this.#run
    const base = writer.length
    while (this.open && this.#outbox.size === 0 && writer.length - base < batchBytes) {
      if (this.#encode() === undefined) break
      recorder.sent++
    }
    this.#deliver(base)
  }

  /** Says that it is alive, unless the server does not even read what was said before. */
  beat(): void {
    const { plan: { beat }, recorder } = this.#run
    if (beat === undefined || !this.open || this.#outbox.size > 0) return
    if (beat.answer !== undefined) this.#answers++
    recorder.heartbeats++
    this.#say(beat.send)
  }

  /** Finishes writing, once everything is sent. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    if (this.#outbox.size === 0) this.#transport.shutdown()
  }

  abort(): void {
    this.#deaf = true
    this.#transport.abort()
  }

  /**
   * Takes all requests that have no reply. Each is recorded with the time that it has waited: one that was never answered
   * must not be the one that nobody sees, and so one of the warm-up counts as well, unless a schedule sends others behind
   * it. Returns how many were to be measured.
   */
  giveUp(now: number): number {
    return this.#settle(this.#pending.length, now, false)
  }

  // ── Receiver ─────────────────────────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    if (this.#deaf) return
    const { recorder } = this.#run
    const now = this.#run.arrived()
    recorder.bytesReceived += chunk.length
    if (!this.#began) {
      this.#began = true
      record(recorder.firstByte, now - this.#connectedAt)
    }
    this.#input.append(chunk)
    this.#read(now)
    this.#input.own()
  }

  writable(): void {
    const { plan, recorder } = this.#run
    const now = this.#run.now()
    const taken = this.#outbox.flush(this.#transport)
    this.#taken += taken
    recorder.bytesSent += taken
    this.#pending.mark(this.#taken, now)
    if (plan.expect._tag === "None") this.#settleSent(now)
    if (this.#outbox.size > 0 || this.over) return
    if (this.#finished) this.#transport.shutdown()
    else this.#run.drained(this)
  }

  fin(): void {
    if (!this.#finished && !this.#deaf) this.#run.recorder.fail("closed-by-server")
    this.#finished = true
    this.#input.finish()
    this.#read(this.#run.now())
    this.#outbox.clear() // nobody is there to answer it
    this.#transport.shutdown()
  }

  closed(end: TransportEnd): void {
    this.over = true
    if (!this.#deaf && (end._tag === "Reset" || end._tag === "Failed")) this.#run.recorder.fail("reset")
    this.#greet(false)
    this.#run.ended(this)
    this.#onEnd?.()
  }

  // ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #read(now: number): void {
    const { plan, recorder } = this.#run
    let replies = 0
    while (!this.#deaf && this.#input.decode(this.#frames, framesPerDecode, Infinity)) {
      for (const frame of this.#frames) if (this.#isReply(frame, replies)) replies++
      this.#frames.length = 0
    }
    if (plan.mode === "flood") {
      recorder.replies += replies
      replies = 0
    } else {
      this.#settle(replies, now, true)
    }
    if (!this.#deaf && this.#input.end?._tag === "DecodeFailed") {
      recorder.fail("reply-invalid")
      this.abort()
    }
    if (replies > 0) this.#run.done(this, replies, now)
  }

  /** Whether a frame is a reply, behind so many others of this chunk. */
  #isReply(frame: Uint8Array, before: number): boolean {
    if (this.#deaf) return false
    const { plan, recorder } = this.#run
    if (this.#greeted !== undefined) {
      const { expect } = plan.hello! // it was said
      const welcome = expect === undefined || equal(frame, expect)
      if (!welcome) {
        recorder.fail("hello-refused")
        this.abort()
      }
      this.#greet(welcome)
      return false
    }
    if (this.#answers > 0 && equal(frame, plan.beat!.answer!)) {
      this.#answers--
      return false
    }
    if (plan.mode === "flood") return true
    if (plan.expect._tag === "None") return false
    if (before >= this.#pending.length) {
      recorder.fail("reply-wrong")
      return false
    }
    const request = this.#requests === undefined ? plan.messages.constant : this.#requests.shift()
    if (!fulfils(plan.expect, frame, request)) recorder.fail("reply-wrong")
    return true
  }

  #greet(welcome: boolean): void {
    const greeted = this.#greeted
    this.#greeted = undefined
    greeted?.(welcome)
  }

  /** Records requests from the front on, as answered or as given up. Returns how many were to be measured. */
  #settle(replies: number, now: number, answered: boolean): number {
    const { measuredFrom, plan, recorder } = this.#run
    let measured = 0
    for (let left = replies; left > 0;) {
      const taken = this.#pending.take(left, (intended, sent, count) => {
        if (intended < measuredFrom) {
          if (answered || plan.mode === "open") return
          recorder.sent += count
        }
        measured += count
        record(recorder.response, now - intended, count)
        if (sent !== undefined || answered) record(recorder.service, now - (sent ?? now), count)
        if (answered) recorder.replies += count
      })
      if (taken === 0) break
      left -= taken
    }
    return measured
  }

  /** Requests that nobody answers are done when they are sent: there is no service time. */
  #settleSent(now: number): void {
    const { measuredFrom, recorder } = this.#run
    const sent = this.#pending.length - this.#pending.unsent
    for (let left = sent; left > 0;) {
      left -= this.#pending.take(left, (intended, at, count) => {
        if (intended < measuredFrom) return
        record(recorder.response, (at ?? now) - intended, count)
        recorder.replies += count
      })
    }
    if (sent > 0) this.#run.done(this, sent, now)
  }

  #say(message: Uint8Array): void {
    const base = this.#run.writer.length
    if (this.#frame(message)) this.#deliver(base)
  }

  /** Encodes the next message; undefined when that cannot be done, which ends the run. */
  #encode(): Uint8Array | undefined {
    const { plan } = this.#run
    try {
      const message = plan.messages.next(this.number)
      return this.#frame(message) ? message : undefined
    } catch (defect) {
      this.#run.broken(`Cannot make message: ${defect instanceof Error ? defect.message : String(defect)}`)
      return undefined
    }
  }

  #frame(message: Uint8Array): boolean {
    const { writer } = this.#run
    const before = writer.length
    one[0] = message
    const error = this.#encoder.encode(one, writer)
    if (error === undefined) return true
    writer.truncate(before)
    this.#run.broken(`Cannot frame message of ${message.length} bytes: ${error.message}`)
    return false
  }

  /** Hands over what was encoded since `base`, behind what waits. Returns when that was. */
  #deliver(base: number): number {
    const { recorder, writer } = this.#run
    const bytes = writer.bytes.subarray(base, writer.length)
    let taken = 0
    if (bytes.length > 0) {
      this.#run.wrote()
      if (this.#outbox.size === 0) taken = this.#transport.write(bytes)
      if (taken < bytes.length) this.#outbox.append(bytes.subarray(taken))
    }
    // Not before: what handing over takes is this process's time, and none of the server's.
    const now = this.#run.now()
    this.#made += bytes.length
    this.#taken += taken
    recorder.bytesSent += taken
    this.#pending.mark(this.#taken, now)
    writer.truncate(base)
    return now
  }
}

/** Encoders want many frames; here is one at a time, because a message is only lent until the next. */
const one: Array<Uint8Array> = []

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
      return startsWith(reply, prefix) && endsWith(reply, request)
    }
    case "Matches":
      expect.pattern.lastIndex = 0 // of a global one, which goes on where it was
      return expect.pattern.test(text.decode(reply))
  }
}

const text = new TextDecoder()

const equal = (some: Uint8Array, other: Uint8Array): boolean => some.length === other.length && endsWith(some, other)

const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean => {
  if (bytes.length < prefix.length) return false
  for (let index = 0; index < prefix.length; index++) if (bytes[index] !== prefix[index]) return false
  return true
}

/** `end` is not the longer one. */
const endsWith = (bytes: Uint8Array, end: Uint8Array): boolean => {
  const from = bytes.length - end.length
  for (let index = 0; index < end.length; index++) if (bytes[from + index] !== end[index]) return false
  return true
}
