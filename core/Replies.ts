/**
 * The driver of `Service.respond`: each frame is handed to the handler, each reply goes out in the order asked for.
 *
 * A handler that is finished when it returns costs no fiber and no slot. One that is not takes a slot, and its reply
 * waits there for those in front of it. The default answers to failures are the seed's table: see {@link Unavailable},
 * {@link InvalidInput} and {@link Defect}.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type { Effect } from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"
import { hasProperty, isTagged } from "effect/Predicate"
import type { Scope } from "effect/Scope"
import * as CloseReason from "./CloseReason.ts"
import type { FrameError } from "./Codec.ts"
import type { Deadline } from "./Deadlines.ts"
import { type Driver, type ManagedConnection, Pause } from "./ManagedConnection.ts"

const TypeId = "~anyport/Reply"

/** What a handler answers: one frame, or one of the three below. */
export type Reply<Out> = Out | NoReply | Replies<Out> | Last<Out>

/** Nothing is answered. */
export interface NoReply {
  readonly [TypeId]: "none"
}

/** Several frames are answered, in this order. */
export interface Replies<out Out> {
  readonly [TypeId]: "many"
  readonly frames: ReadonlyArray<Out>
}

/** One frame is answered, and the connection ends after it (`LocalClosed`). */
export interface Last<out Out> {
  readonly [TypeId]: "last"
  readonly frame: Out
}

export const noReply: NoReply = { [TypeId]: "none" }
export const replies = <Out>(frames: ReadonlyArray<Out>): Replies<Out> => ({ [TypeId]: "many", frames })
export const last = <Out>(frame: Out): Last<Out> => ({ [TypeId]: "last", frame })

/** The peer asked for something that cannot be. It gets `reply`, and the connection goes on. */
export class InvalidInput<Out> extends Data.TaggedError("InvalidInput")<{ readonly reply: Out }> {}

/** Something that the service needs does not answer. The peer gets `reply`, an event is emitted, the connection goes on. */
export class Unavailable<Out> extends Data.TaggedError("Unavailable")<{
  readonly reply: Out
  readonly cause?: unknown
}> {}

/** The handler has a defect: the connection ends as `HandlerFailed`, with an id that stands in the event and the log. */
export interface Defect {
  readonly _tag: "Defect"
  readonly id: string
  readonly cause: Cause.Cause<unknown>
}

/** How a `respond` service answers, as its drivers see it: shared by all connections. `Face` is what handlers see of one. */
export interface Responder<In, Out, Face> {
  readonly handler: (frame: In, connection: Face) => Effect<Reply<Out>, unknown, Scope>
  /** The service's own answer to a failure; undefined leaves it to the default. */
  readonly onError: (error: unknown, connection: Face) => Reply<Out> | undefined
  readonly concurrency: number
  readonly ordered: boolean
  /** Milliseconds; undefined for no bound. */
  readonly timeout: number | undefined
  /** How much of `limits.maxInFlight` a request takes. */
  readonly weight: ((frame: In) => number) | undefined
}

/** Frames of one connection that are handled in one turn before the others have theirs; likewise bytes. */
const framesPerTurn = 1_024
const bytesPerTurn = 64 * 1024
const framesPerDecode = 128

/** The driver of one `respond` connection. */
export class ReplyDriver<In, Out, Face> implements Driver {
  readonly #connection: ManagedConnection<In, Out>
  readonly #responder: Responder<In, Out, Face>
  #face: Face
  readonly #slots: Array<Slot<Out>> = []
  // Decoded and not yet handled; only while something holds them up.
  #frames: Array<In> | undefined
  #next = 0
  held = 0
  #failures = 0
  // Room among all requests of the server: what the next one wants, what it was given in line, how to stop waiting for it.
  #weight = 0
  #room = 0
  #leaveLine: ((now: number) => void) | undefined
  #opening: Fiber<Face, unknown> | undefined
  #handling = false
  #finishing = false
  #interrupting = false

  constructor(connection: ManagedConnection<In, Out>, responder: Responder<In, Out, Face>, face: Face) {
    this.#connection = connection
    this.#responder = responder
    this.#face = face
  }

  get idle(): boolean {
    return !this.#handling && this.#slots.length === 0 && this.#frames === undefined && this.#opening === undefined
  }

  /** Makes what handlers see of the connection before its first frame is handled. */
  open(effect: Effect<Face, unknown, Scope>): void {
    const connection = this.#connection
    connection.pause(Pause.opening)
    const fiber = connection.fork(effect)
    this.#opening = fiber
    fiber.addObserver((exit) => {
      this.#opening = undefined
      if (this.#finishing) return connection.release()
      if (Exit.isFailure(exit)) {
        const failure = exit.cause.reasons.find(Cause.isFailReason)
        if (failure !== undefined && CloseReason.isCloseReason(failure.error)) return connection.close(failure.error)
        this.#fail(exit.cause)
        // A failure that a request would survive leaves a connection without its state.
        return connection.close(CloseReason.handlerFailed(`${connection.id}.${this.#failures}`, exit.cause))
      }
      this.#face = exit.value
      connection.unpause(Pause.opening)
    })
  }

  run(): void {
    // A handler that lets its own connection go on is already inside this loop.
    if (this.#handling) return
    this.#handling = true
    const connection = this.#connection
    const frames = this.#frames ?? []
    const unread = connection.input.length
    let next = this.#next
    let left = framesPerTurn
    let bytesEach = this.held / (frames.length - next)
    this.#frames = undefined
    this.held = 0
    // Asked once: this is the path of every frame. Room that was granted is given back also when the bound has gone.
    const bounded = connection.supervisor.inFlight.bounded || this.#room > 0
    this.#weight = 0
    while (connection.running) {
      if (next < frames.length) {
        const frame = frames[next]!
        if (bounded && !this.#findRoom(frame)) break
        next++
        this.#begin(frame)
        if (bounded && this.#room > 0) this.#giveRoom(this.#grantedRoom())
        continue
      }
      if (!connection.input.readable) break
      if (left <= 0 || unread - connection.input.length >= bytesPerTurn) {
        connection.yieldTurn()
        break
      }
      // Of an empty array too it would be a call into the engine, for each chunk.
      if (next > 0) frames.length = next = 0
      const { length } = connection.input
      if (!connection.decode(frames, framesPerDecode)) break
      left -= frames.length
      bytesEach = (length - connection.input.length) / frames.length
    }
    this.#handling = false
    if (this.#finishing) return this.#releaseIfIdle()
    if (next < frames.length) {
      this.#frames = frames
      this.#next = next
      this.held = Math.round((frames.length - next) * bytesEach)
    } else {
      this.#next = 0
      if (connection.input.end !== undefined) this.#endInput()
    }
  }

  finish(): void {
    this.#finishing = true
    this.#frames = undefined
    this.#leaveLine?.(this.#connection.supervisor.deadlines.look())
    this.#leaveLine = undefined
    this.#releaseIfIdle()
    this.#opening?.interruptUnsafe()
  }

  interrupt(): void {
    this.#interrupting = true
    this.finish()
    for (const slot of [...this.#slots]) slot.fiber?.interruptUnsafe()
  }

  /**
   * Sees that there is room for a request; when there is none, waits in line for it without reading on. What is answered
   * at once takes none: to take and to give it back for each frame was 4 % of 16 in flight. (A request that begins inside of
   * another one's handler may so take what that one has seen.)
   */
  #findRoom(frame: In): boolean {
    if (this.#room > 0) return true
    const { inFlight, deadlines, turn } = this.#connection.supervisor
    const weight = this.#weight = this.#weigh(frame)
    if (inFlight.fits(weight)) return true
    this.#connection.pause(Pause.inFlight)
    this.#leaveLine = inFlight.wait(weight, deadlines.look(), () => {
      this.#leaveLine = undefined
      this.#room = weight
      // Whoever gave the room has something else to finish first.
      turn.next(() => {
        this.#connection.unpause(Pause.inFlight)
        // Something has come in between that holds it up, or its end: nobody is to wait for that as well.
        if (this.#room > 0) this.#giveRoom(this.#grantedRoom())
      })
    })
    return false
  }

  #weigh(frame: In): number {
    try {
      const weight = this.#responder.weight?.(frame) ?? 1
      return weight > 0 && weight < Infinity ? weight : 1
    } catch {
      return 1 // what is wrong with the frame is the handler's to say
    }
  }

  /** Takes the room of a request that is not answered at once, and returns how much that is. */
  #takeRoom(): number {
    if (this.#room > 0) return this.#grantedRoom()
    if (this.#weight > 0) this.#connection.supervisor.inFlight.take(this.#weight)
    return this.#weight
  }

  #grantedRoom(): number {
    const room = this.#room
    this.#room = 0
    return room
  }

  #giveRoom(weight: number): void {
    const { inFlight, deadlines } = this.#connection.supervisor
    // The time is for those who waited. Reading it for each frame was a tenth of a message's CPU time.
    inFlight.give(weight, inFlight.waiting > 0 ? deadlines.look() : deadlines.now)
  }

  #begin(frame: In): void {
    let effect: Effect<Reply<Out>, unknown, Scope>
    try {
      effect = this.#responder.handler(frame, this.#face)
    } catch (defect) {
      effect = Exit.die(defect)
    }
    // An Exit is an Effect that is done, and the only one with such a tag: asking for the tag alone is the fast way.
    const exit = effect as Exit.Exit<Reply<Out>, unknown>
    if (exit._tag === "Success" && this.#slots.length === 0) return this.#reply(exit.value)
    if (Exit.isExit(effect)) return this.#settle(exit)
    const fiber = this.#connection.fork(effect)
    const settled = fiber.pollUnsafe()
    if (settled === undefined) this.#wait(fiber)
    else this.#settle(settled)
  }

  #settle(exit: Exit.Exit<Reply<Out>, unknown>): void {
    if (this.#slots.length === 0 || !this.#responder.ordered) return this.#answer(exit)
    const slot = new Slot<Out>()
    slot.exit = exit
    this.#push(slot)
  }

  #wait(fiber: Fiber<Reply<Out>, unknown>): void {
    const { timeout } = this.#responder
    const slot = new Slot<Out>()
    slot.fiber = fiber
    const room = this.#takeRoom()
    this.#push(slot)
    if (timeout !== undefined) {
      slot.onExpire = () => {
        this.#connection.close(CloseReason.handlerTimeout)
        fiber.interruptUnsafe()
      }
      this.#connection.supervisor.deadlines.arm(slot, timeout)
    }
    fiber.addObserver((exit) => {
      this.#connection.supervisor.deadlines.disarm(slot)
      slot.fiber = undefined
      slot.exit = exit
      if (room > 0) this.#giveRoom(room)
      this.#collect(slot)
    })
    // It has ended its own connection and gone on: whoever was to be interrupted was not there yet.
    if (this.#interrupting) fiber.interruptUnsafe()
  }

  #push(slot: Slot<Out>): void {
    this.#slots.push(slot)
    if (this.#slots.length >= this.#responder.concurrency) this.#connection.pause(Pause.concurrency)
  }

  /** A slot has its answer: it goes out now, or waits for those in front of it. */
  #collect(slot: Slot<Out>): void {
    const slots = this.#slots
    if (this.#responder.ordered) {
      while (slots[0]?.exit !== undefined) this.#answer(slots.shift()!.exit!)
    } else {
      slots.splice(slots.indexOf(slot), 1)
      this.#answer(slot.exit!)
    }
    if (this.#finishing) return this.#releaseIfIdle()
    if (slots.length === 0) this.#connection.waits()
    if (slots.length < this.#responder.concurrency) this.#connection.unpause(Pause.concurrency)
    this.#endInput()
  }

  #answer(exit: Exit.Exit<Reply<Out>, unknown>): void {
    if (Exit.isSuccess(exit)) this.#reply(exit.value)
    else this.#fail(exit.cause)
  }

  #reply(reply: Reply<Out>): void {
    const connection = this.#connection
    if (typeof reply !== "object" || reply === null || !(TypeId in reply)) return connection.stage(reply as Out) // no mark: a frame
    const marked = reply as NoReply | Replies<Out> | Last<Out> // it bears the mark
    switch (marked[TypeId]) {
      case "none":
        return
      case "many":
        for (const frame of marked.frames) connection.stage(frame)
        return
      case "last":
        connection.stage(marked.frame)
        return connection.close(CloseReason.localClosed)
    }
  }

  #fail(cause: Cause.Cause<unknown>): void {
    const connection = this.#connection
    // Interrupted by the connection's own end, or by its timeout.
    if (Cause.hasInterruptsOnly(cause) && connection.reason !== undefined) return
    const id = `${connection.id}.${++this.#failures}`
    const failure = cause.reasons.find(Cause.isFailReason)
    const error = failure === undefined ? { _tag: "Defect", id, cause } satisfies Defect : failure.error
    const unavailable = isTagged(error, "Unavailable")
    const own = this.#answerTo(error)
    if (CloseReason.isCloseReason(error)) {
      connection.close(error)
      return own === undefined ? undefined : this.#reply(own)
    }
    const survives = failure !== undefined && (own !== undefined || unavailable || isTagged(error, "InvalidInput"))
    if (!survives || unavailable) {
      const kind = unavailable ? "unavailable" : failure === undefined ? "defect" : "failed"
      connection.supervisor.emit?.({ _tag: "HandlerFailed", connection: connection.id, kind, id, cause })
    }
    // Closed before the last words are staged, so that they cannot be the reason.
    if (!survives) connection.close(CloseReason.handlerFailed(id, cause))
    if (own !== undefined) this.#reply(own)
    else if (survives && hasProperty(error, "reply")) {
      connection.stage(error.reply as Out) // the handler's error type says that its replies are frames
    }
  }

  #answerTo(error: unknown): Reply<Out> | undefined {
    try {
      return this.#responder.onError(error, this.#face)
    } catch {
      return undefined // it cannot say anything better than the failure that it was asked about
    }
  }

  #releaseIfIdle(): void {
    if (this.idle) this.#connection.release()
  }

  /** No more frames will come and all were answered. */
  #endInput(): void {
    const end = this.#connection.input.end
    if (end === undefined || this.#finishing || !this.idle) return
    this.#connection.close(end)
    if (end._tag !== "DecodeFailed") return
    const own = this.#answerTo(end.error satisfies FrameError)
    if (own !== undefined) this.#reply(own)
  }
}

class Slot<Out> implements Deadline {
  slot = 0
  fiber: Fiber<Reply<Out>, unknown> | undefined
  exit: Exit.Exit<Reply<Out>, unknown> | undefined
  onExpire: (() => void) | undefined

  expire(): void {
    this.onExpire?.()
  }
}
