/**
 * A Transport under management: bytes become frames on the way in, frames become one write a turn on the way out, and
 * exactly one place ends it and says why.
 *
 * What a service does with the frames is its {@link Driver}'s affair; policy is the server's, what a handler sees is
 * Connection.
 *
 * ```text
 *           close(reason)          driver and scope released     outbox empty: FIN
 *   Open ───────────────► Closing ─────────────────────────► Flushing ──────────► Lingering
 *     │                      │  at most deadlines.close          │ write stall        │ the peer's FIN, or deadlines.linger
 *     └── abort(reason), or the transport ended ────────────────┴────────► Ended ◄───┘
 * ```
 *
 * 1. While Open, frames are decoded as long as the pause mask is empty. Every reason not to read is a bit of it, and
 *    only `unpause` clears one. The transport itself is paused when bytes come that nobody may take.
 * 2. From Closing on no frame is given to the driver. What the peer still sends is discarded, so that it can finish
 *    writing and read its answers.
 * 3. The first reason given is the reason. `Closed` is emitted once, when the transport has ended and the driver and the
 *    scope are released, in whichever order.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Address } from "./Address.ts"
import { ByteBuffer } from "./ByteBuffer.ts"
import * as CloseReason from "./CloseReason.ts"
import { type Codec, type Decoder, type Encoder, type FrameError, invalidFrame } from "./Codec.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"
import type { Counters, Event } from "./Event.ts"
import { Outbox } from "./Outbox.ts"
import type { Receiver, Transport, TransportEnd } from "./Sockets.ts"
import type { Flushable, Turn } from "./Turn.ts"

/** What a service does with the frames of one connection. */
export interface Driver {
  /** Frames may be taken: decode and handle until there are none, or the connection is paused. */
  run(): void
  /** Whether nothing was begun that is not finished. */
  readonly idle: boolean
  /** No more frames will be handled. Calls `connection.release()` once what was begun has ended. */
  finish(): void
  /** Interrupts what still runs, and calls `connection.release()` once it has ended. */
  interrupt(): void
}

/** Bounds of a server's connections: a count, and bytes. */
export interface Limits {
  readonly maxConnections: number
  /** With more unsent than this, a connection is not read and its senders wait. */
  readonly outboxHigh: number
  /** With no more unsent than this, they go on. */
  readonly outboxLow: number
}

/** Bounds in time of a server's connections, in milliseconds. */
export interface Bounds {
  /** For what was begun, and the scope, to end when a connection closes. */
  readonly close: number
  /** From our FIN to the peer's. */
  readonly linger: number
  /** In which a peer takes nothing of what is waiting for it. */
  readonly writeStall: number
}

/** What a connection needs of its server. */
export interface Supervisor {
  readonly turn: Turn
  readonly deadlines: Deadlines
  readonly limits: Limits
  readonly bounds: Bounds
  /** Waits until the server begins to drain. */
  readonly draining: Effect.Effect<void>
  /** Undefined when nobody observes; then no event is made. */
  readonly emit: ((event: Event) => void) | undefined
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** The connection has ended and holds nothing any more. */
  forget(id: number, reason: CloseReason.CloseReason, unsent: number): void
}

/** Reasons not to read, as bits of one mask. */
export const Pause = { outbox: 1, concurrency: 2, turn: 4, opening: 8, input: 16, ended: 32 } as const

/** How long a peer is waited for that was idle when the server drained, in milliseconds: it has most likely read all. */
const lingerDrained = 5_000
/** How much a peer may go on sending after our FIN, in bytes. */
const lingerBytes = 16 * 1024 * 1024
/** As many replies are encoded at once as make about this many bytes, so that the marks see large ones soon. */
const batchBytes = 64 * 1024
const largestBatch = 1_024

/** The engine of one connection, as all but its driver see it. */
export interface Managed<in Out> {
  readonly id: number
  readonly openedAt: number
  readonly remoteAddress: Address | undefined
  readonly localAddress: Address | undefined
  readonly counters: Counters
  readonly unsent: number
  readonly idle: boolean
  readonly draining: Effect.Effect<void>
  readonly drained: Effect.Effect<void, CloseReason.CloseReason>
  readonly over: Effect.Effect<CloseReason.CloseReason>
  send(frame: Out): CloseReason.CloseReason | undefined
  isPaused(bit: number): boolean
  close(reason: CloseReason.CloseReason): void
  abort(reason: CloseReason.CloseReason): void
}

/** The engine of one connection. */
export class ManagedConnection<In, Out> implements Managed<Out>, Receiver, Deadline, Flushable {
  readonly id: number
  readonly openedAt: number
  readonly remoteAddress: Address | undefined
  readonly localAddress: Address | undefined
  readonly supervisor: Supervisor
  /** Why no more frames will come: the peer finished, or its bytes are not frames. */
  inputEnd: CloseReason.CloseReason | undefined
  /** Why it is ending, once it is. */
  reason: CloseReason.CloseReason | undefined
  bytesReceived = 0
  bytesSent = 0
  framesReceived = 0
  framesSent = 0
  slot = 0

  readonly #transport: Transport
  readonly #context: Context.Context<never>
  readonly #decoder: Decoder<In>
  readonly #encoder: Encoder<Out>
  readonly #input = new ByteBuffer()
  readonly #outbox = new Outbox()
  #driver!: Driver
  #state: "Open" | "Closing" | "Flushing" | "Lingering" | "Ended" = "Open"
  #mask = 0
  #paused = false // the transport is
  #blocked = false // it took less than it was given, and will say when to try again
  #fin = false // of the peer
  #dirty = false
  #staged: Array<Out> | undefined
  #batch = 16
  #progress = 0
  #discarded = 0
  #dropped = 0
  #releasing = false
  #released = false
  #gone = false // the transport has reported its end
  #reported = false
  #scope: Scope.Closeable | undefined
  #fork: (<A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Fiber<A, E>) | undefined
  #senders: Array<() => void> | undefined
  #watchers: Array<() => void> | undefined

  constructor(
    id: number,
    transport: Transport,
    codec: Codec<In, Out>,
    context: Context.Context<never>,
    supervisor: Supervisor,
  ) {
    this.id = id
    this.openedAt = supervisor.now()
    this.remoteAddress = transport.remoteAddress
    this.localAddress = transport.localAddress
    this.supervisor = supervisor
    this.#transport = transport
    this.#context = context
    this.#decoder = codec.decoder()
    this.#encoder = codec.encoder()
  }

  /** Attaches the transport: from now on the driver is called. */
  start(driver: Driver): void {
    this.#driver = driver
    const { id, remoteAddress, localAddress } = this
    this.supervisor.emit?.({ _tag: "Opened", connection: id, remoteAddress, localAddress })
    this.#transport.attach(this)
  }

  // ── State ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get counters(): Counters {
    const { bytesReceived, bytesSent, framesReceived, framesSent } = this
    return { bytesReceived, bytesSent, framesReceived, framesSent }
  }

  /** Whether `decode` may have something to give: unread bytes, or the end of them. */
  get readable(): boolean {
    return this.#input.length > 0 || (this.#fin && this.inputEnd === undefined)
  }

  /** Bytes received and not yet decoded. */
  get unread(): number {
    return this.#input.length
  }

  /** Bytes to be sent that the transport has not taken. */
  get unsent(): number {
    return this.#outbox.size + this.#dropped
  }

  /** Whether frames may be handled. */
  get running(): boolean {
    return this.#mask === 0
  }

  isPaused(bit: number): boolean {
    return (this.#mask & bit) !== 0
  }

  /** Waits until the server begins to drain. */
  get draining(): Effect.Effect<void> {
    return this.supervisor.draining
  }

  /** Open, with everything received handled and everything begun finished. */
  get idle(): boolean {
    return this.#state === "Open" && this.#input.length === 0 && this.#driver.idle
  }

  /** Released when the connection has ended, whatever ended it. Made when first asked for. */
  get scope(): Scope.Scope {
    return this.#scope ??= Scope.makeUnsafe()
  }

  /** Waits for the end, and says why. */
  get over(): Effect.Effect<CloseReason.CloseReason> {
    return Effect.callback((resume) => {
      if (this.#reported) return resume(Exit.succeed(this.reason!))
      return subscribe(this.#watchers ??= [], () => resume(Exit.succeed(this.reason!)))
    })
  }

  /** Waits until `send` may go on. */
  get drained(): Effect.Effect<void, CloseReason.CloseReason> {
    return Effect.callback((resume) => {
      const settle = () => resume(this.#state === "Ended" ? Exit.fail(this.reason!) : Exit.void)
      if (!this.isPaused(Pause.outbox)) return settle()
      return subscribe(this.#senders ??= [], settle)
    })
  }

  // ── What a driver uses ───────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Appends at most `limit` frames to `out`, which is empty, and returns whether there were any. When there will be no
   * more, `inputEnd` says why.
   */
  decode(out: Array<In>, limit: number): boolean {
    if (this.inputEnd !== undefined || this.#state !== "Open") return false
    let error: FrameError | undefined
    try {
      error = this.#decoder.decode(this.#input, out, limit)
      if (this.#fin && error === undefined && out.length === 0) {
        error = this.#decoder.end(this.#input, out)
        this.inputEnd = this.#input.length > 0 ? CloseReason.truncatedFrame(this.#input.length) : CloseReason.peerClosed
      }
    } catch (defect) {
      error = invalidFrame(`Decoder threw: ${String(defect)}`)
    }
    if (error !== undefined) this.inputEnd = CloseReason.decodeFailed(error)
    if (this.inputEnd !== undefined) this.#input.clear()
    this.framesReceived += out.length
    return out.length > 0
  }

  /** Sends a reply, with the others of this turn. A reply that comes after the end is dropped. */
  stage(frame: Out): void {
    if (this.#state === "Ended" || this.#state === "Lingering") return
    const staged = this.#staged
    if (staged === undefined) {
      this.#staged = [frame]
      if (!this.#dirty) this.#touch()
      return
    }
    staged.push(frame)
    if (staged.length >= this.#batch) this.#write()
  }

  /** Sends a frame at the end of this turn. Returns why it could not; the connection stays as it is then. */
  send(frame: Out): CloseReason.CloseReason | undefined {
    if (this.#state !== "Open" && this.#state !== "Closing") return this.reason!
    const { writer } = this.supervisor.turn
    const base = writer.length
    if (this.#staged !== undefined) this.#write()
    const error = this.#encode([frame])
    this.#spill(base)
    // A sender that never pauses has to meet the mark before the turn ends.
    if (this.#outbox.size > this.supervisor.limits.outboxHigh) this.#write()
    else if (!this.#dirty) this.#touch()
    return error === undefined ? undefined : CloseReason.encodeFailed(error)
  }

  /** Adds a reason not to read. */
  pause(bit: number): void {
    this.#mask |= bit
  }

  /** Takes one back. When none is left, handling goes on, then reading. */
  unpause(bit: number): void {
    if ((this.#mask & bit) === 0) return
    this.#mask &= ~bit
    if (this.#mask !== 0) return
    this.#driver.run()
    if (this.#mask === 0) this.#resume()
  }

  /** Lets the other connections have their turn before this one goes on. */
  yieldTurn(): void {
    this.pause(Pause.turn)
    this.supervisor.turn.next(() => this.unpause(Pause.turn))
  }

  /** Runs a handler's effect with the service's context and this connection's scope. */
  fork<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber<A, E> {
    this.#fork ??= Effect.runForkWith(Context.add(this.#context, Scope.Scope, this.scope))
    return this.#fork(effect)
  }

  /** Begins to end it: what was begun is finished and sent. */
  close(reason: CloseReason.CloseReason): void {
    if (this.#state !== "Open") return
    this.#begin("Closing", reason)
    this.#input.clear()
    this.supervisor.deadlines.arm(this, this.supervisor.bounds.close)
    this.#resume() // to discard what still comes
    this.#driver.finish()
  }

  /** Ends it at once. */
  abort(reason: CloseReason.CloseReason): void {
    if (this.#state === "Ended") return
    this.#cut(reason)
    this.#transport.abort()
  }

  /** What the driver began has ended: the scope is closed next, then what is left is sent. */
  release(): void {
    if (this.#releasing) return
    this.#releasing = true
    if (this.#scope === undefined) return this.#afterRelease()
    const exit = expected.has(this.reason!._tag) ? Exit.void : Exit.fail(this.reason)
    Effect.runForkWith(this.#context)(Scope.close(this.#scope, exit)).addObserver(() => this.#afterRelease())
  }

  // ── Receiver, Deadline, Flushable ────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    this.bytesReceived += chunk.length
    if (this.#state !== "Open") return this.#discard(chunk.length)
    const { turn } = this.supervisor
    turn.enter()
    this.#input.append(chunk)
    if (this.#mask === 0) this.#driver.run()
    else if (!this.#paused) {
      this.#paused = true
      this.#transport.pause()
    }
    this.#input.own()
    turn.leave()
  }

  writable(): void {
    this.#blocked = false
    this.#inTurn(() => this.#write())
  }

  fin(): void {
    this.#fin = true
    if (this.#mask === 0) this.#inTurn(() => this.#driver.run())
  }

  closed(end: TransportEnd): void {
    this.#gone = true
    this.#inTurn(() => {
      if (this.#state !== "Ended") this.#cut(reasonOf(end))
      this.#report()
    })
  }

  expire(): void {
    this.#inTurn(() => {
      switch (this.#state) {
        case "Closing":
          this.#driver.interrupt()
          // A finalizer that hangs holds back the report, not the peer.
          return this.#flushOut()
        case "Lingering":
          if (this.#transport.sending === 0) return this.abort(this.reason!)
          return this.#watchWrites()
        default:
          return this.#watchWrites()
      }
    })
  }

  flush(): void {
    this.#dirty = false
    this.#write()
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #touch(): void {
    this.#dirty = true
    this.supervisor.turn.flushLater(this)
  }

  /** The one place that writes to the transport. */
  #write(): void {
    if (this.#state === "Ended") return
    const outbox = this.#outbox
    let error: FrameError | undefined
    if (outbox.size > 0) {
      const base = this.supervisor.turn.writer.length
      if (this.#staged !== undefined) error = this.#encodeStaged()
      this.#spill(base)
      if (!this.#blocked) {
        this.bytesSent += outbox.flush(this.#transport)
        this.#blocked = outbox.size > 0
      }
    } else if (this.#staged !== undefined) {
      const { writer } = this.supervisor.turn
      const base = writer.length
      error = this.#encodeStaged()
      const bytes = writer.bytes.subarray(base, writer.length)
      const taken = bytes.length === 0 ? 0 : this.#transport.write(bytes)
      this.bytesSent += taken
      if (taken < bytes.length) {
        this.#blocked = true
        outbox.append(bytes.subarray(taken))
      }
      writer.truncate(base)
    }
    if (error !== undefined) this.close(CloseReason.encodeFailed(error))
    this.#afterWrite(outbox.size)
  }

  #afterWrite(unsent: number): void {
    const { limits } = this.supervisor
    if (unsent > limits.outboxHigh) this.pause(Pause.outbox)
    else if (unsent <= limits.outboxLow && this.isPaused(Pause.outbox)) {
      this.unpause(Pause.outbox)
      this.#wake()
    }
    if (unsent === 0 && this.#state === "Flushing") this.#finishWriting()
    else if (unsent > 0 && this.slot === 0) this.#watchWrites()
  }

  #watchWrites(): void {
    const waiting = this.#outbox.size + this.#transport.sending
    if (waiting === 0) return
    const progress = this.bytesSent - this.#transport.sending
    // Not yet watched is never the same as watched without progress.
    if (this.#progress === progress + 1) return this.abort(CloseReason.writeStalled)
    this.#progress = progress + 1
    this.supervisor.deadlines.arm(this, this.supervisor.bounds.writeStall)
  }

  /** Moves what was encoded since `base` from the shared scratch buffer into this connection's queue. */
  #spill(base: number): void {
    const { writer } = this.supervisor.turn
    if (writer.length > base) this.#outbox.append(writer.bytes.subarray(base, writer.length))
    writer.truncate(base)
  }

  #encodeStaged(): FrameError | undefined {
    const staged = this.#staged!
    this.#staged = undefined
    const { turn } = this.supervisor
    const base = turn.writer.length
    const error = this.#encode(staged)
    const mean = (turn.writer.length - base) / staged.length
    this.#batch = Math.max(1, Math.min(largestBatch, Math.floor(batchBytes / Math.max(mean, 1))))
    return error
  }

  #encode(frames: ReadonlyArray<Out>): FrameError | undefined {
    const { writer } = this.supervisor.turn
    const base = writer.length
    this.framesSent += frames.length
    try {
      return this.#encoder.encode(frames, writer)
    } catch (defect) {
      writer.truncate(base)
      return invalidFrame(`Encoder threw: ${String(defect)}`)
    }
  }

  // ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #begin(state: "Closing" | "Ended", reason: CloseReason.CloseReason): void {
    this.#state = state
    this.reason ??= reason
    this.#mask |= Pause.ended
  }

  /** The stream is of no more use: whatever is unsent is dropped, whatever runs is interrupted. */
  #cut(reason: CloseReason.CloseReason): void {
    this.#begin("Ended", reason)
    this.supervisor.deadlines.disarm(this)
    this.#dropped = this.#outbox.size
    this.#outbox.clear()
    this.#input.clear()
    this.#staged = undefined
    this.#driver.interrupt()
    this.#wake()
  }

  #afterRelease(): void {
    this.#released = true
    this.#inTurn(() => {
      if (this.#state === "Closing") this.#flushOut()
      this.#report()
    })
  }

  #flushOut(): void {
    if (this.#state !== "Closing") return
    this.#state = "Flushing"
    this.supervisor.deadlines.disarm(this)
    this.#progress = 0
    if (!this.#dirty) this.#touch()
  }

  #finishWriting(): void {
    this.#state = "Lingering"
    const { linger } = this.supervisor.bounds
    this.supervisor.deadlines.arm(this, this.reason!._tag === "Drained" ? Math.min(linger, lingerDrained) : linger)
    this.#transport.shutdown()
  }

  #discard(length: number): void {
    if (this.#state !== "Lingering") return
    this.#discarded += length
    if (this.#discarded > lingerBytes) this.abort(this.reason!)
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#transport.resume()
  }

  #wake(): void {
    const senders = this.#senders
    this.#senders = undefined
    senders?.forEach((wake) => wake())
  }

  /** The one place that reports the end. */
  #report(): void {
    if (!this.#gone || !this.#released || this.#reported) return
    this.#reported = true
    const { supervisor, id, remoteAddress, counters, unsent } = this
    const reason = this.reason!
    supervisor.emit?.({
      _tag: "Closed",
      connection: id,
      remoteAddress,
      reason,
      counters,
      duration: supervisor.now() - this.openedAt,
      unsent,
    })
    supervisor.forget(id, reason, unsent)
    const watchers = this.#watchers
    this.#watchers = undefined
    watchers?.forEach((wake) => wake())
  }

  #inTurn(task: () => void): void {
    const { turn } = this.supervisor
    turn.enter()
    task()
    turn.leave()
  }
}

const expected = new Set<string>(["PeerClosed", "LocalClosed", "Drained"])

const reasonOf = (end: TransportEnd): CloseReason.CloseReason => {
  switch (end._tag) {
    case "Finished":
      return CloseReason.peerClosed
    case "Reset":
      return CloseReason.peerReset
    case "Aborted":
      return CloseReason.kicked
    case "Failed":
      return CloseReason.transportFailed(end.cause)
  }
}

const subscribe = (waiters: Array<() => void>, waiter: () => void): Effect.Effect<void> => {
  waiters.push(waiter)
  return Effect.sync(() => {
    const index = waiters.indexOf(waiter)
    if (index >= 0) waiters.splice(index, 1)
  })
}
