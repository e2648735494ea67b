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
import type { Holder } from "./Budget.ts"
import * as CloseReason from "./CloseReason.ts"
import { type Codec, invalidFrame } from "./Codec.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import type { Deadline } from "./Deadlines.ts"
import type { Counters } from "./Event.ts"
import { type Heartbeat, Pulse } from "./Heartbeat.ts"
import { Input } from "./Input.ts"
import { Lanes, type MessageClass, type SendOptions } from "./MessageClass.ts"
import { Output } from "./Output.ts"
import { overdue, partBound } from "./Overdue.ts"
import type { Receiver, Transport, TransportEnd } from "./Sockets.ts"
import { Stall } from "./Stall.ts"
import type { Arrival, Supervisor } from "./Supervisor.ts"
import type { Throttle } from "./Throttle.ts"
import type { Flushable } from "./Turn.ts"

/** What a service does with the frames of one connection. */
export interface Driver {
  /** Frames may be taken: decode and handle until there are none, or the connection is paused. */
  run(): void
  /** Whether nothing was begun that is not finished. */
  readonly idle: boolean
  /** About how many bytes the frames came from that were decoded and are not handled. */
  readonly held: number
  /** No more frames will be handled. Calls `connection.release()` once what was begun has ended. */
  finish(): void
  /** Interrupts what still runs, and calls `connection.release()` once it has ended. */
  interrupt(): void
  /** Something was handed to the transport, or could not be. For drivers that have more to send than they have sent. */
  written?(): void
}

/** Reasons not to read, as bits of one mask. */
export const Pause = {
  outbox: 1,
  concurrency: 2,
  turn: 4,
  opening: 8,
  input: 16,
  ended: 32,
  rate: 64,
  memory: 128,
  inFlight: 256,
} as const

/** How long a peer is waited for that was idle when it was ended, in milliseconds: it has most likely read all. */
const lingerImpatient = 5_000
/** So many times frames are decoded that turn out to be answers to pings, before the others have their turn. */
const pongRounds = 8
/** How much a peer may go on sending after our FIN, in bytes. */
const lingerBytes = 16 * 1024 * 1024

/** The engine of one connection, as all but its driver see it. */
export interface Managed<in Out> {
  readonly id: number
  readonly openedAt: number
  readonly remoteAddress: Address | undefined
  readonly localAddress: Address | undefined
  readonly proxyHeader: ProxyHeader | undefined
  readonly reason: CloseReason.CloseReason | undefined
  readonly counters: Counters
  readonly unsent: number
  readonly held: number
  readonly idle: boolean
  readonly finished: boolean
  readonly suspicion: number | undefined
  readonly roundTrip: number | undefined
  readonly identity: Identity | undefined
  importance: number
  heartbeatEvery(millis: number | undefined): void
  readonly draining: Effect.Effect<void>
  readonly drained: Effect.Effect<void, CloseReason.CloseReason>
  readonly over: Effect.Effect<CloseReason.CloseReason>
  send(frame: Out, options?: SendOptions): CloseReason.CloseReason | undefined
  isPaused(bit: number): boolean
  close(reason: CloseReason.CloseReason): void
  abort(reason: CloseReason.CloseReason): void
  account(): void
  look(): void
  readonly reading: boolean
  readonly bytesReceived: number
  goodbye(): boolean
  lastCall(): void
}

/** Who a peer is. */
export interface Identity {
  readonly value: unknown
  readonly name: string | undefined
}

/** What a service says beside its answers. */
export interface Manners<In, Out> {
  readonly heartbeat?: Heartbeat<In, Out>
  /** Makes the last words of a server that drains. */
  goodbye?(): Out
}

/** The engine of one connection. */
export class ManagedConnection<In, Out> implements Managed<Out>, Receiver, Deadline, Flushable, Holder {
  readonly id: number
  readonly openedAt: number
  readonly remoteAddress: Address | undefined
  readonly localAddress: Address | undefined
  readonly proxyHeader: ProxyHeader | undefined
  readonly supervisor: Supervisor
  /** The least important ones end first when the process cannot keep up. */
  importance = 0
  /** Who the peer is, once it has logged in, and what logs call it. */
  identity: Identity | undefined
  /** Bytes of one frame where that is less than `limits.maxFrame`. */
  maxFrame: number | undefined
  /** What it receives. Drivers decode through {@link decode}, which knows whether they may. */
  readonly input: Input<In>
  /** Why it is ending, once it is. */
  reason: CloseReason.CloseReason | undefined
  slot = 0

  readonly #transport: Transport
  #context: Context.Context<never>
  readonly #output: Output<Out>
  #driver!: Driver
  #state: "Open" | "Closing" | "Flushing" | "Lingering" | "Ended" = "Open"
  #mask = 0
  #paused = false // the transport is
  #dirty = false
  #held = 0 // as the budget knows it
  // Times of the wheel, see `Deadlines.ahead`.
  readonly #beganAt: number
  #receivedAt: number
  #sentAt: number
  #waitsSince: number // that the service waits for the peer; see `waits`
  #waitedAfter = -1 // so many frames had come then
  #partAt = 0 // when the frame began of which a part is there; 0 for none
  #partFrom = 0 // how many bytes had come before it
  // What most connections never need.
  #manners: Manners<In, Out>
  #pulse: Pulse<In, Out> | undefined
  #throttle: Throttle | undefined
  #stall: Stall | undefined
  #lanes: Lanes<Out> | undefined
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
    { id, transport, proxyHeader }: Arrival,
    codec: Codec<In, Out>,
    manners: Manners<In, Out>,
    context: Context.Context<never>,
    supervisor: Supervisor,
  ) {
    this.id = id
    this.proxyHeader = proxyHeader
    this.openedAt = supervisor.now()
    this.remoteAddress = transport.remoteAddress
    this.localAddress = transport.localAddress
    this.supervisor = supervisor
    this.#transport = transport
    this.#context = context
    this.#beganAt = supervisor.deadlines.look()
    this.#receivedAt = this.#beganAt
    this.#sentAt = this.#beganAt
    this.#waitsSince = this.#beganAt
    this.#manners = manners
    this.#pulse = this.#pulseOf(manners)
    this.input = new Input(codec.decoder())
    this.#output = new Output(transport, codec.encoder(), supervisor.turn.writer)
    // Last: it is to be released, and a codec may throw.
    this.#throttle = supervisor.throttle(transport.remoteAddress)
  }

  /** Goes on as another service, whose driver is to be started. What is unread is for its codec. */
  become<NextIn, NextOut>(
    codec: Codec<NextIn, NextOut>,
    manners: Manners<NextIn, NextOut>,
    context: Context.Context<never>,
  ): void {
    if (this.#output.replying) this.#write()
    this.input.become(codec.decoder())
    this.#output.become(codec.encoder())
    this.#manners = manners as unknown as Manners<In, Out> // its frames are this codec's from here on
    this.#pulse = this.#pulseOf(this.#manners)
    this.#context = context
    this.#fork = undefined
    this.maxFrame = undefined
    // What is there already is handled once its driver is.
    this.yieldTurn()
  }

  #pulseOf({ heartbeat }: Manners<In, Out>): Pulse<In, Out> | undefined {
    const { settings, deadlines } = this.supervisor
    return heartbeat === undefined ? undefined : new Pulse(heartbeat, settings.heartbeat, deadlines.look())
  }

  /** Attaches the transport: from now on the driver is called. Or another one, once it has become another service. */
  start(driver: Driver): void {
    const attached = this.#driver !== undefined
    this.#driver = driver
    if (attached) {
      this.unpause(Pause.input) // the one before did not take what it had
      return this.#watch()
    }
    const { id, remoteAddress, localAddress } = this
    this.supervisor.emit?.({ _tag: "Opened", connection: id, remoteAddress, localAddress })
    this.#transport.attach(this)
    this.#watch()
  }

  // ── State ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get counters(): Counters {
    this.#output.settle()
    const { bytesReceived, framesReceived } = this.input
    const { bytesSent, framesSent } = this.#output
    return { bytesReceived, bytesSent, framesReceived, framesSent, framesDropped: this.#lanes?.dropped ?? 0 }
  }

  /** Bytes to be sent that the transport has not taken. */
  get unsent(): number {
    this.#output.settle()
    return this.#output.unsent + this.#dropped
  }

  /** Bytes in memory: what was received and is not handled, and what is not sent. */
  get held(): number {
    this.#output.settle()
    return this.#state === "Ended" ? 0 : this.#queued + this.#transport.sending
  }

  /** Bytes that are in nobody else's memory. */
  get #queued(): number {
    if (this.#state === "Ended") return 0
    const decoded = this.#state === "Open" ? this.#driver.held : 0
    return this.input.length + decoded + this.#output.unsent
  }

  /** How unlikely it is that the peer is alive; undefined without a heartbeat. */
  get suspicion(): number | undefined {
    return this.#pulse?.level(this.supervisor.deadlines.look(), this.#heardAt)
  }

  /** Milliseconds from the last ping to its answer. */
  get roundTrip(): number | undefined {
    return this.#pulse?.roundTrip
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

  /** Open, with everything handled that was received, or was by {@link lastCall}, and everything begun finished. */
  get idle(): boolean {
    return this.#state === "Open" && (this.input.length === 0 || this.input.done) && this.#driver.idle
  }

  /** Whether all was answered and sent, or cannot be any more: there is only the peer to wait for. */
  get finished(): boolean {
    return this.#state === "Ended" || (this.#state === "Lingering" && this.#transport.sending === 0)
  }

  /** Whether nothing keeps it from taking what the peer sends. */
  get reading(): boolean {
    return !this.#paused
  }

  get bytesReceived(): number {
    return this.input.bytesReceived
  }

  /** Bytes that the transport has taken. */
  get bytesSent(): number {
    return this.#output.bytesSent
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

  /** Appends at most `limit` frames to `out`, which is empty, and returns whether there were any: none once it is ending. */
  decode(out: Array<In>, limit: number): boolean {
    const { deadlines, settings } = this.supervisor
    for (let rounds = 0; this.#state === "Open"; rounds++) {
      // Whoever sends nothing but answers to pings has no longer turns for that.
      if (rounds === pongRounds) {
        this.yieldTurn()
        break
      }
      const allowed = this.#throttle === undefined ? limit : this.#allowed(limit, out)
      const { maxFrame } = settings.limits
      const most = this.maxFrame === undefined ? maxFrame : Math.min(this.maxFrame, maxFrame)
      if (allowed === 0 || !this.input.decode(out, allowed, most)) return false
      if (this.#throttle !== undefined && settings.limits.rates !== undefined) {
        this.#throttle.takeFrames(settings.limits.rates, deadlines, out.length)
      }
      this.#partAt = this.input.length === 0 ? 0 : deadlines.ahead
      this.#partFrom = this.input.bytesReceived - this.input.length
      this.#pulse?.takePongs(out, deadlines)
      if (out.length > 0) return true
    }
    return false
  }

  /** Sends a reply, with the others of this turn. A reply that comes after the end is dropped. */
  stage(frame: Out): void {
    if (this.#state === "Ended" || this.#state === "Lingering") return
    const enough = this.#output.stage(frame)
    if (!this.#dirty) this.#touch()
    if (enough) this.#write()
  }

  /**
   * Sends a frame at the end of this turn, or does with it what its class says. Returns why it could not; the connection
   * stays as it is then, unless the class ends it.
   */
  send(frame: Out, options?: SendOptions): CloseReason.CloseReason | undefined {
    // What was staged goes first, and may be too much already.
    if (this.#output.replying) this.#write()
    if (this.#state !== "Open" && this.#state !== "Closing") return this.reason!
    const kind = options?.class
    if (kind !== undefined && kind.full !== "wait" && this.isPaused(Pause.outbox)) {
      return this.#sendLater(frame, kind, options?.key)
    }
    const { outboxHigh } = this.supervisor.settings.limits
    const error = this.#output.enqueue(frame, outboxHigh)
    // A sender that never pauses has to meet the mark before the turn ends.
    if (this.#output.unsent > outboxHigh) this.#write()
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
    this.#waitsSince = this.supervisor.deadlines.ahead
    this.#driver.run()
    this.account()
    if (this.#mask === 0) this.#resume()
  }

  /** Tells the budget what is held. */
  account(): void {
    const { budget } = this.supervisor
    // Asking the runtime what it has in its hands costs a twentieth of a message on Node.
    const queued = this.#queued
    const held = budget.bounded && this.#state !== "Ended" ? queued + this.#transport.sending : queued
    if (held === this.#held) return
    const before = this.#held
    this.#held = held
    budget.change(this, before, held)
  }

  /** The service has done what was to be done for the frames that came, and waits for the peer. */
  waits(): void {
    // Asking again and again without having been given anything is one wait.
    if (this.input.framesReceived === this.#waitedAfter) return
    this.#waitedAfter = this.input.framesReceived
    this.#waitsSince = this.supervisor.deadlines.ahead
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
    this.input.clear()
    this.account()
    this.supervisor.deadlines.arm(this, this.supervisor.settings.deadlines.close)
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

  /** The settings were changed: what was armed may be too late. */
  look(): void {
    this.#throttle ??= this.supervisor.throttle(this.remoteAddress)
    if (this.#state === "Open") this.#inTurn(() => this.#watch())
  }

  /** Says goodbye, if the service has a word for it. */
  goodbye(): boolean {
    const manners = this.#manners
    if (manners.goodbye === undefined || this.#state !== "Open") return false
    this.#inTurn(() => this.#say("goodbye", () => manners.goodbye!()))
    return true
  }

  /** Handles what was received so far, with the frame that has begun, and reads nothing behind it. */
  lastCall(): void {
    this.input.lastCall()
  }

  /** Another interval of the heartbeat than the server's; undefined for that again. */
  heartbeatEvery(millis: number | undefined): void {
    if (this.#pulse === undefined || this.#state !== "Open") return
    this.#pulse.own = millis
    this.#inTurn(() => this.#watch())
  }

  // ── Receiver, Deadline, Flushable, Holder ────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    this.input.bytesReceived += chunk.length
    if (this.#state !== "Open") return this.#discard(chunk.length)
    const { turn, deadlines } = this.supervisor
    this.#receivedAt = deadlines.ahead
    turn.enter()
    try {
      const { framesReceived } = this.input
      this.input.append(chunk)
      if (this.#throttle !== undefined) this.#takeBytes(this.#throttle, chunk.length)
      if (this.#mask === 0 && !this.input.done) this.#driver.run()
      else if (!this.#paused) {
        this.#paused = true
        this.#transport.pause()
      }
      this.input.own()
      // What was consumed without a frame is a part of one as well.
      if (this.input.length === 0 && this.input.framesReceived > framesReceived) this.#partAt = 0
      else if (this.#partAt === 0) {
        this.#partAt = deadlines.ahead
        this.#partFrom = this.input.bytesReceived - chunk.length
      }
      if (this.#partAt !== 0) this.#watchPart()
      this.account()
    } finally {
      turn.leave(chunk.length)
    }
  }

  writable(): void {
    this.#output.unblock()
    this.#inTurn(() => this.#write())
  }

  fin(): void {
    this.input.finish()
    if (this.#mask !== 0) return
    this.#inTurn(() => {
      this.#driver.run()
      this.account()
    })
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
        case "Open":
          return this.#watch()
        default:
          return this.#watchWrites()
      }
    })
  }

  flush(): void {
    this.#dirty = false
    this.#write()
  }

  hold(): void {
    this.pause(Pause.memory)
  }

  letGo(): void {
    this.#inTurn(() => this.unpause(Pause.memory))
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #touch(): void {
    this.#dirty = true
    this.supervisor.turn.flushLater(this)
  }

  /** The one place that writes to the transport. */
  #write(): void {
    if (this.#state === "Ended") return
    const { bytesSent } = this.#output
    // The usual case has nothing to do but to write, and to see that all was taken.
    const calm = this.#state === "Open" && this.#stall === undefined && this.#lanes === undefined &&
      !this.isPaused(Pause.outbox) && this.#driver.written === undefined
    if (calm) this.#sentAt = this.supervisor.deadlines.ahead
    let written = this.#output.write()
    if (calm && written === "All" && this.#transport.sending === 0) {
      if (this.#held > 0) this.account()
      return
    }
    const { outboxHigh, outboxLow } = this.supervisor.settings.limits
    for (;;) {
      if (typeof written !== "string") this.close(CloseReason.encodeFailed(written))
      if (this.#output.unsent > outboxLow || !this.#takeKept()) break
      written = this.#output.write()
    }
    if (bytesSent !== this.#output.bytesSent) this.#sentAt = this.supervisor.deadlines.ahead
    const { unsent } = this.#output
    if (unsent > outboxHigh) this.pause(Pause.outbox)
    else if (unsent <= outboxLow && this.isPaused(Pause.outbox)) {
      this.unpause(Pause.outbox)
      this.#wake()
    }
    this.account()
    this.#driver.written?.()
    // Unpaused, the driver may have answered more, and begun to end.
    if (this.#output.empty && this.#state === "Flushing") this.#finishWriting()
    else if (this.#stall === undefined && (this.#state === "Open" || this.#state === "Flushing")) this.#watchWrites()
  }

  /** What becomes of a frame while more is unsent than there should be. */
  #sendLater(frame: Out, kind: MessageClass, key: unknown): CloseReason.CloseReason | undefined {
    const lanes = this.#lanes ??= new Lanes()
    switch (kind.full) {
      case "disconnect":
        this.abort(CloseReason.outboxFull)
        return this.reason
      case "drop-newest":
        lanes.dropped++
        return undefined
      default:
        lanes.keep(frame, kind, key)
        return undefined
    }
  }

  /** Queues frames that were kept, as many as there is room for. Whether there was one. */
  #takeKept(): boolean {
    let next = this.#lanes?.take()
    if (next === undefined) return false
    const { outboxHigh } = this.supervisor.settings.limits
    for (; next !== undefined; next = this.#output.unsent > outboxHigh ? undefined : this.#lanes!.take()) {
      const error = this.#output.enqueue(next.frame, outboxHigh)
      if (error !== undefined) this.close(CloseReason.encodeFailed(error))
    }
    return true
  }

  // ── Watching ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to watch that the peer takes something of what waits for it, or sees that it has not. */
  #watchWrites(): void {
    this.account()
    const { sending } = this.#transport
    const waiting = this.#output.unsent + sending
    if (waiting === 0) {
      this.#stall = undefined
      return
    }
    const { deadlines, settings } = this.supervisor
    const taken = this.#output.bytesSent - sending
    const now = deadlines.look()
    const stall = this.#stall ??= new Stall(taken, waiting, now, settings.deadlines)
    const verdict = stall.look(taken, waiting, now, settings.deadlines, settings.limits)
    if (typeof verdict !== "number") return this.abort(verdict)
    if (verdict < Infinity) deadlines.armBy(this, verdict - deadlines.now)
  }

  /** Ends it if it has taken too long for something, and looks again when it next may have. */
  #watch(): void {
    const { deadlines, settings } = this.supervisor
    if (this.isPaused(Pause.rate)) {
      deadlines.look()
      this.#waitForRate()
      if (this.#state !== "Open") return
    }
    const verdict = overdue(
      {
        id: this.id,
        beganAt: this.#beganAt,
        receivedAt: this.#receivedAt,
        sentAt: this.#sentAt,
        waitsSince: this.#mask === 0 && this.#driver.idle ? this.#waitsSince : undefined,
        partAt: this.#partAt,
        part: this.input.bytesReceived - this.#partFrom,
        framesReceived: this.input.framesReceived,
        sending: this.#output.unsent + this.#transport.sending > 0,
      },
      settings.deadlines,
      settings.limits,
      deadlines.now,
    )
    if (typeof verdict !== "number") return this.close(verdict)
    if (verdict < Infinity) deadlines.armBy(this, verdict - deadlines.now)
    this.#watchWrites()
    // Last: a ping waits for the end of the turn.
    if (this.#pulse !== undefined && this.#state === "Open") this.#beat(this.#pulse)
  }

  /** Is armed for the part of a frame that is there; nobody else is looked at for that. */
  #watchPart(): void {
    const { deadlines, settings } = this.supervisor
    const bound = partBound(settings.deadlines, settings.limits)
    if (bound < Infinity && this.#state === "Open") deadlines.armBy(this, bound)
  }

  /** When something came from the peer; a peer that is not read is not silent. */
  get #heardAt(): number {
    return Math.max(this.#receivedAt, this.#mask === 0 ? this.#waitsSince : this.supervisor.deadlines.now)
  }

  #beat(pulse: Pulse<In, Out>): void {
    const { deadlines, settings, emit } = this.supervisor
    const { id, remoteAddress } = this
    const beat = pulse.look(deadlines.now, this.#heardAt, settings.heartbeat)
    const { lost, ping, suspected, silence, next } = beat
    if (suspected !== undefined) {
      emit?.({ _tag: "Suspected", connection: id, remoteAddress, level: suspected, silence })
    }
    // Nobody takes what waits: there is nothing to flush.
    if (lost) {
      return this.unsent + this.#transport.sending > 0
        ? this.abort(CloseReason.heartbeatLost)
        : this.close(CloseReason.heartbeatLost)
    }
    if (ping && !this.isPaused(Pause.outbox)) this.#ping(pulse)
    if (next < Infinity && this.#state === "Open") deadlines.armBy(this, next - deadlines.now)
  }

  #ping(pulse: Pulse<In, Out>): void {
    const { heartbeat } = pulse
    if (heartbeat.ping !== undefined && this.#say("The heartbeat's ping", () => heartbeat.ping!())) {
      pulse.pinged(this.supervisor.deadlines.now)
    }
  }

  /** Sends a frame that the service makes when it is asked for one, and returns whether it did; ends it otherwise. */
  #say(name: string, make: () => Out): boolean {
    try {
      const failure = this.send(make())
      if (failure !== undefined) this.close(failure)
      return failure === undefined
    } catch (defect) {
      this.close(CloseReason.encodeFailed(invalidFrame(`${name} threw: ${String(defect)}`)))
      return false
    }
  }

  /** How many frames the rates allow now, up to a limit. When none, reading waits or the connection ends. */
  #allowed(limit: number, out: Array<In>): number {
    const { rates, overRate, maxFrame } = this.supervisor.settings.limits
    // What is no byte is no frame, but may be their end.
    if (rates === undefined || this.input.length === 0) return limit
    const { deadlines } = this.supervisor
    // By a time that is too old fewer are allowed, not more: as long as that is enough, no clock is read.
    const allowed = this.#throttle!.frames(rates, deadlines)
    if (allowed >= limit) return limit
    deadlines.look()
    const now = Math.min(limit, this.#throttle!.frames(rates, deadlines))
    if (now > 0) return now
    if (overRate === "wait") this.#waitForRate()
    else if (this.input.decode(out, 1, maxFrame)) {
      out.length = 0
      this.close(CloseReason.rateExceeded)
    }
    return 0
  }

  #takeBytes(throttle: Throttle, count: number): void {
    const { rates, overRate } = this.supervisor.settings.limits
    if (rates === undefined) return
    const { deadlines, turn } = this.supervisor
    if (!turn.looked) {
      turn.looked = true
      deadlines.look()
    }
    if (!throttle.takeBytes(rates, deadlines, count)) return
    if (overRate === "wait") this.#waitForRate()
    else this.close(CloseReason.rateExceeded)
  }

  /**
   * Does not read until the rates allow more. By the same look at the clock as they were asked by: at a later one they
   * may allow it, and who was told that they do not would wait for nothing.
   */
  #waitForRate(): void {
    const { deadlines, settings: { limits: { rates } } } = this.supervisor
    const wait = rates === undefined ? 0 : this.#throttle!.wait(rates, deadlines)
    if (wait === 0) {
      this.unpause(Pause.rate)
      if (!this.isPaused(Pause.rate)) this.#throttle!.settle()
      return
    }
    this.pause(Pause.rate)
    deadlines.armBy(this, wait)
  }

  // ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #begin(state: "Closing" | "Ended", reason: CloseReason.CloseReason): void {
    this.#state = state
    this.reason ??= reason
    this.#mask |= Pause.ended
    this.#throttle?.settle()
  }

  /** The stream is of no more use: whatever is unsent is dropped, whatever runs is interrupted. */
  #cut(reason: CloseReason.CloseReason): void {
    this.#begin("Ended", reason)
    this.supervisor.deadlines.disarm(this)
    this.#dropped = this.#output.drop()
    this.#lanes?.clear()
    this.input.clear()
    this.account()
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
    this.#stall = undefined
    if (!this.#dirty) this.#touch()
  }

  #finishWriting(): void {
    this.#state = "Lingering"
    const { linger } = this.supervisor.settings.deadlines
    this.supervisor.deadlines.arm(this, impatient.has(this.reason!._tag) ? Math.min(linger, lingerImpatient) : linger)
    this.#transport.shutdown()
  }

  #discard(length: number): void {
    if (this.#state !== "Lingering") return
    this.#discarded += length
    if (this.#discarded > lingerBytes) this.abort(this.reason!)
  }

  #resume(): void {
    if (!this.#paused || (this.#state === "Open" && this.input.done)) return
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
      ...(this.identity?.name === undefined ? {} : { identity: this.identity.name }),
    })
    supervisor.budget.forget(this)
    this.#throttle?.release()
    supervisor.forget(id, reason, unsent)
    const watchers = this.#watchers
    this.#watchers = undefined
    watchers?.forEach((wake) => wake())
  }

  #inTurn(task: () => void): void {
    const { turn } = this.supervisor
    turn.enter()
    try {
      task()
    } finally {
      turn.leave()
    }
  }
}

const expected = new Set<string>(["PeerClosed", "LocalClosed", "Drained", "IdleTimeout", "MaxAge"])

/** Of whom no more is expected than that it finishes. */
const impatient = new Set<string>([
  "Drained",
  "FirstFrameTimeout",
  "FrameTimeout",
  "IdleTimeout",
  "TooSlow",
  "HeartbeatLost",
  "RateExceeded",
  "LoginRefused",
  "LoginTimeout",
  "Superseded",
])

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
