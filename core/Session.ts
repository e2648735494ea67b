/**
 * The driver of `Service.session`, and the connection as a session sees it: frames are received when the session asks,
 * sent when it likes.
 *
 * One fiber runs the session from the first moment to the last. It parks in `receive`; while it does something else,
 * input gathers up to a bound and then is not read.
 */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"
import type { Scope } from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CloseReason from "./CloseReason.ts"
import type { FrameError } from "./Codec.ts"
import { Connection } from "./Connection.ts"
import { type Driver, type ManagedConnection, Pause } from "./ManagedConnection.ts"
import { wait } from "./Wait.ts"

/** A connection as its session sees it. */
export class Session<out In, in Out> extends Connection<Out> {
  readonly #driver: SessionDriver<In>

  constructor(connection: ManagedConnection<In, Out>, driver: SessionDriver<In>) {
    super(connection)
    this.#driver = driver
  }

  /**
   * The next frame, or undefined once the peer has finished writing (sending still works). Waits for one; does not
   * suspend the fiber when one is there. Fails with `DecodeFailed` or `TruncatedFrame` when what comes is not a frame,
   * and with the reason once the connection is over.
   */
  get receive(): Effect.Effect<In | undefined, CloseReason.CloseReason> {
    return this.#driver.receive
  }

  /** All frames that are there, at least one; none once the peer has finished writing. Otherwise as {@link receive}. */
  get receiveAll(): Effect.Effect<ReadonlyArray<In>, CloseReason.CloseReason> {
    return this.#driver.receiveAll
  }

  /** The frames as a stream that ends when the peer has finished writing. */
  get frames(): Stream.Stream<In, CloseReason.CloseReason> {
    return Stream.fromPull(Exit.succeed(Effect.flatMap(
      this.#driver.receiveAll,
      (frames) => isReadonlyArrayNonEmpty(frames) ? Exit.succeed(frames) : Cause.done(),
    )))
  }
}

/** How a session is fed. */
export interface Feeding {
  /** Frames that are decoded together. */
  readonly framesPerDecode: number
  /** Unread input beyond which a session that does not receive is not read for. Bytes. */
  readonly inputHigh: number
  /** Is told of the bytes that were decoded together, and may refuse them. */
  decoded?(bytes: number): FrameError | undefined
}

const eagerly: Feeding = { framesPerDecode: 128, inputHigh: 64 * 1024 }

/** The driver of one session connection. */
export class SessionDriver<In> implements Driver {
  readonly #connection: ManagedConnection<In, never>
  readonly #feeding: Feeding
  readonly #frames: Array<In> = []
  #next = 0
  #waiters: Array<() => void> = []
  #fiber: Fiber<void, unknown> | undefined
  /** All that were decoded together count until more are asked for. */
  held = 0
  #ended = false
  #retired = false

  constructor(connection: ManagedConnection<In, never>, feeding: Feeding = eagerly) {
    this.#connection = connection
    this.#feeding = feeding
  }

  /** Runs the session. Its end is the connection's. */
  begin(session: Effect.Effect<void, unknown, Scope>): void {
    const fiber = this.#connection.fork(session)
    this.#fiber = fiber
    fiber.addObserver((exit) => this.#end(exit))
    // It may have closed its own connection before there was a fiber to interrupt.
    if (this.#connection.reason !== undefined) fiber.interruptUnsafe()
  }

  /** The connection goes on without this session, whose end is not the connection's any more. */
  retire(): void {
    this.#retired = true
  }

  get idle(): boolean {
    return this.#waiters.length > 0 && this.#next >= this.#frames.length
  }

  run(): void {
    const waiters = this.#waiters
    if (waiters.length === 0) {
      if (this.#connection.input.length > this.#feeding.inputHigh) this.#connection.pause(Pause.input)
      return
    }
    if (!this.#fill() && this.#connection.input.end === undefined) return
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  finish(): void {
    if (this.#ended) return this.#connection.release()
    this.#fiber?.interruptUnsafe()
  }

  interrupt(): void {
    this.finish()
  }

  readonly receive: Effect.Effect<In | undefined, CloseReason.CloseReason> = Effect.suspend(() => {
    if (this.#fill()) return Exit.succeed(this.#frames[this.#next++])
    const end = this.#inputEnd()
    return end === undefined ? Effect.flatMap(this.#input, () => this.receive) : Exit.map(end, () => undefined)
  })

  readonly receiveAll: Effect.Effect<ReadonlyArray<In>, CloseReason.CloseReason> = Effect.suspend(() => {
    if (this.#fill()) {
      const frames = this.#frames.slice(this.#next)
      this.#next = this.#frames.length
      return Exit.succeed(frames)
    }
    const end = this.#inputEnd()
    return end === undefined ? Effect.flatMap(this.#input, () => this.receiveAll) : Exit.map(end, () => [])
  })

  /** Whether a decoded frame is there. */
  #fill(): boolean {
    if (this.#next < this.#frames.length) return true
    this.#frames.length = 0
    this.#next = 0
    const { input } = this.#connection
    const { length } = input
    const filled = this.#connection.decode(this.#frames, this.#feeding.framesPerDecode)
    this.held = filled ? length - input.length : 0
    this.#connection.account()
    const error = filled ? this.#feeding.decoded?.(this.held) : undefined
    if (error !== undefined) return this.#refuse(error)
    if (input.length <= this.#feeding.inputHigh) this.#connection.unpause(Pause.input)
    return filled
  }

  /** What was decoded counts as no frame. */
  #refuse(error: FrameError): false {
    this.#frames.length = 0
    this.#connection.input.end = CloseReason.decodeFailed(error)
    return false
  }

  #inputEnd(): Exit.Exit<void, CloseReason.CloseReason> | undefined {
    const end = this.#connection.input.end ?? this.#connection.reason
    if (end === undefined) return undefined
    return end._tag === "PeerClosed" ? Exit.void : Exit.fail(end)
  }

  readonly #input: Effect.Effect<void> = wait((wake) => {
    this.#connection.waits()
    // An empty array that is pushed to makes room for many.
    if (this.#waiters.length === 0) this.#waiters = [wake]
    else this.#waiters.push(wake)
    return () => {
      this.#waiters = this.#waiters.filter((waiter) => waiter !== wake)
    }
  })

  #end(exit: Exit.Exit<void, unknown>): void {
    this.#ended = true
    if (this.#retired) return
    const connection = this.#connection
    connection.close(this.#reasonOf(exit))
    connection.release()
  }

  #reasonOf(exit: Exit.Exit<void, unknown>): CloseReason.CloseReason {
    const connection = this.#connection
    if (Exit.isSuccess(exit)) {
      return connection.input.end?._tag === "PeerClosed" ? CloseReason.peerClosed : CloseReason.localClosed
    }
    if (connection.reason !== undefined) return connection.reason
    const failure = exit.cause.reasons.find(Cause.isFailReason)
    if (failure !== undefined && CloseReason.isCloseReason(failure.error)) return failure.error
    const id = `${connection.id}.1`
    const kind = failure === undefined ? "defect" : "failed"
    connection.supervisor.emit?.({ _tag: "HandlerFailed", connection: connection.id, kind, id, cause: exit.cause })
    return CloseReason.handlerFailed(id, exit.cause)
  }
}
