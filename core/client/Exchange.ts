/**
 * What goes through a client, whichever connection it has at the moment: frames and requests on their way out, answers
 * and other frames on their way in. The client is told here when there is a connection, when it is gone, and when there
 * will never be one again; making them is its affair.
 *
 * ```text
 * send, request ─► Outgoing ─► connection ─► peer
 *                  │ kept while there is none, or more than outboxHigh bytes are unsent
 * settled      ◄── Requests ◄─┐
 * receive      ◄── Unread   ◄─┴── connection ◄─ peer
 * ```
 *
 * 1. Each request is settled once: answered, `NotSent` when no byte of it left, else `Unknown`.
 * 2. What users run when something is settled may call anything here: all is in order before it is.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CloseReason, EncodeFailed } from "../CloseReason.ts"
import type { Deadlines } from "../Deadlines.ts"
import type { ManagedConnection } from "../ManagedConnection.ts"
import { type ClientClosed, NotSent, OutboxFull, Unknown } from "./Errors.ts"
import type { ClientEvent, Ending } from "./Event.ts"
import { type Desk, LinkDriver } from "./LinkDriver.ts"
import type { Config } from "./Options.ts"
import { Outgoing, type Parcel } from "./Outgoing.ts"
import { ByKey, ByOrder, Request, type Requests } from "./Requests.ts"
import { Unread } from "./Unread.ts"

/** Options of one request. */
export interface RequestOptions {
  /** By which its answer is found, where answers are found by a key. */
  readonly key?: unknown
  /** From asking to the answer, time away included. Default: the client's `requestTimeout`. */
  readonly timeout?: Duration.Input
}

/** What a client holds. A reading: it does not change. */
export interface ClientUsage {
  /** Frames that are kept for when they can be sent. */
  readonly outbox: number
  /** Bytes that the connection has and the transport has not taken. */
  readonly unsent: number
  /** Requests without an answer, with the places of those that were given up: see `maxRequests`. */
  readonly requests: number
  /** Frames that wait to be taken. */
  readonly unread: number
  /** Answers that nobody waited for, so far: late, twice, to what was never asked. */
  readonly ignored: number
}

/** The exchange of one client. */
export class Exchange<In, Out> implements Desk<In> {
  readonly #config: Config<In, Out>
  readonly #deadlines: Deadlines
  readonly #emit: (event: ClientEvent) => void
  readonly #requests: Requests<In>
  readonly #outgoing: Outgoing<In, Out>
  readonly #unread: Unread<In>
  #connection: ManagedConnection<In, Out> | undefined
  #driver: LinkDriver<In, Out> | undefined
  #flushing: ManagedConnection<In, Out> | undefined // what is left of its last connection
  #full = false // the peer does not read: wait until it does
  #ending: ClientClosed | undefined // nothing more is taken
  #ended = false
  #ignored = 0
  #senders: Array<() => void> = []
  #watchers: Array<() => void> = []

  constructor(config: Config<In, Out>, deadlines: Deadlines, emit: (event: ClientEvent) => void) {
    const { keyOf, outbox, maxUnread } = config
    this.#config = config
    this.#deadlines = deadlines
    this.#emit = emit
    this.#requests = keyOf === undefined ? new ByOrder() : new ByKey(keyOf)
    this.#outgoing = new Outgoing(outbox)
    this.#unread = new Unread(maxUnread, () => this.#driver?.goOn())
  }

  get state(): "Ready" | "Away" | "Closed" {
    return this.#ending !== undefined ? "Closed" : this.#connection === undefined ? "Away" : "Ready"
  }

  get usage(): ClientUsage {
    return {
      outbox: this.#outgoing.size,
      unsent: this.#connection?.unsent ?? 0,
      requests: this.#requests.size,
      unread: this.#unread.size,
      ignored: this.#ignored,
    }
  }

  // ── What users ask ───────────────────────────────────────────────────────────────────────────────────────────────

  get receive(): Unread<In>["receive"] {
    return this.#unread.receive
  }

  get frames(): Unread<In>["stream"] {
    return this.#unread.stream
  }

  /** Waits for a connection. */
  readonly connected: Effect.Effect<void, ClientClosed> = Effect.suspend(() => {
    if (this.#ending !== undefined) return Exit.fail(this.#ending)
    return this.#connection === undefined ? Effect.flatMap(this.#change, () => this.connected) : Exit.void
  })

  /** Waits for the end. */
  readonly closed: Effect.Effect<Ending> = Effect.suspend(() =>
    this.#ended ? Exit.succeed(this.#ending!.reason) : Effect.flatMap(this.#change, () => this.closed)
  )

  send(frame: Out): Effect.Effect<void, OutboxFull | ClientClosed | EncodeFailed> {
    return Effect.suspend((): Effect.Effect<void, OutboxFull | ClientClosed | EncodeFailed> => {
      if (this.#ending !== undefined) return Exit.fail(this.#ending)
      const failure = this.#post({ frame, request: undefined })
      if (failure !== undefined) return Exit.fail(failure)
      return this.#full ? this.#room : Exit.void
    })
  }

  request(frame: Out, { key, timeout }: RequestOptions = {}): Effect.Effect<In, NotSent | Unknown> {
    return Effect.callback((resume) => {
      const fail = (failure: NotSent | Unknown): void => resume(Exit.fail(failure))
      const request = new Request<In>(key, (reply) => resume(Exit.succeed(reply)), fail, () => this.#late(request))
      // First, because it throws for what is no duration.
      const millis = timeout === undefined ? this.#config.requestTimeout : Duration.toMillis(timeout)
      const refusal = this.#refusal(request)
      if (refusal !== undefined) return fail(refusal)
      this.#deadlines.arm(request, millis)
      const failure = this.#post({ frame, request })
      if (failure !== undefined) this.#fail(request, notSent(failure))
      return Effect.sync(() => this.#giveUp(request))
    })
  }

  #refusal(request: Request<In>): NotSent | undefined {
    if (this.#ending !== undefined) return new NotSent({ why: "Closed", reason: this.#ending.reason })
    if (this.#requests.size >= this.#config.maxRequests) return new NotSent({ why: "TooManyRequests" })
    const why = this.#requests.add(request)
    return why === undefined ? undefined : new NotSent({ why })
  }

  // ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a frame, or keeps it; returns why it cannot. */
  #post(parcel: Parcel<In, Out>): OutboxFull | EncodeFailed | undefined {
    if (this.#connection !== undefined && !this.#full && this.#outgoing.size === 0) return this.#hand(parcel)
    if (this.#outgoing.refuses) return new OutboxFull({ most: this.#config.outbox.most })
    this.#drop(this.#outgoing.keep(parcel), "OutboxFull", new NotSent({ why: "Dropped" }))
    return undefined
  }

  #hand(parcel: Parcel<In, Out>): EncodeFailed | undefined {
    const connection = this.#connection!
    const start = connection.bytesSent + connection.unsent
    const failure = connection.send(parcel.frame)
    if (failure !== undefined) return failure as EncodeFailed // it is open, and has no other reason not to take it
    this.#outgoing.hand(parcel, start)
    if (parcel.request !== undefined) {
      parcel.request.state = "InFlight"
      this.#requests.sent(parcel.request)
    }
    this.#full = connection.unsent > this.#config.outboxHigh
    return undefined
  }

  /** Sends what is kept, as far as the connection takes it. */
  #pump(): void {
    while (this.#connection !== undefined && !this.#full) {
      const parcel = this.#outgoing.next()
      if (parcel === undefined) return
      const failure = this.#hand(parcel)
      if (failure !== undefined) this.#drop([parcel], "EncodeFailed", notSent(failure))
    }
  }

  #drop(
    parcels: ReadonlyArray<Parcel<In, Out>>,
    why: Extract<ClientEvent, { _tag: "Dropped" }>["why"],
    failure: NotSent,
  ): void {
    if (parcels.length === 0) return
    this.#emit({ _tag: "Dropped", count: parcels.length, why })
    for (const { request } of parcels) if (request !== undefined) this.#fail(request, failure)
  }

  // ── Settling ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #fail(request: Request<In>, failure: NotSent | Unknown): void {
    if (this.#giveUp(request)) request.fail(failure)
  }

  #late(request: Request<In>): void {
    this.#fail(
      request,
      request.state === "Kept" ? new NotSent({ why: "Timeout" }) : new Unknown({ why: "Timeout" }),
    )
  }

  /** Nobody waits for its answer any more. Whether somebody did. */
  #giveUp(request: Request<In>): boolean {
    if (request.state === "Settled") return false
    if (request.state === "Kept") this.#outgoing.forget(request)
    this.#requests.giveUp(request)
    this.#settled(request)
    return true
  }

  #settled(request: Request<In>): void {
    request.state = "Settled"
    this.#deadlines.disarm(request)
  }

  // ── The connection's side ────────────────────────────────────────────────────────────────────────────────────────

  get room(): number {
    return this.#unread.room
  }

  take(frame: In): void {
    const found = this.#requests.reply(frame)
    if (found === "push") return this.#unread.push(frame)
    if (found === "ignored") return void this.#ignored++
    this.#settled(found)
    found.succeed(frame)
  }

  written(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#outgoing.left(connection.bytesSent, connection.unsent === 0)
    if (!this.#full || connection.unsent > this.#config.outboxLow) return
    this.#full = false
    this.#pump()
    if (!this.#full) this.#wakeSenders()
  }

  /** There is a connection that takes frames from now on. */
  open(connection: ManagedConnection<In, Out>): void {
    this.#connection = connection
    this.#driver = new LinkDriver(connection, this)
    connection.start(this.#driver)
    this.#pump()
    this.#changed()
  }

  lost(reason: CloseReason): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    this.#driver = undefined
    this.#full = false
    const taken = reason._tag === "LocalClosed" ? undefined : this.#outgoing.takeBack(connection.bytesSent)
    if (taken === undefined) this.#flushing = connection
    else for (const { request } of taken.back) if (request !== undefined) request.state = "Kept"
    const lost = this.#requests.lost()
    for (const request of lost) this.#settled(request)
    for (const request of lost) request.fail(new Unknown({ why: "Disconnected", reason }))
    this.#drop(taken?.excess ?? [], "OutboxFull", new NotSent({ why: "Dropped" }))
    this.#wakeSenders()
  }

  /** Takes nothing more, and hands everything that is kept to the connection, whatever the marks say. */
  finish(error: ClientClosed): void {
    this.#ending ??= error
    while (this.#connection !== undefined && this.#outgoing.size > 0) {
      this.#full = false
      this.#pump()
    }
  }

  /** There will be no connection any more. Whether that is news. */
  end(error: ClientClosed): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#ending ??= error
    if (this.#flushing !== undefined) this.#outgoing.takeBack(this.#flushing.bytesSent)
    this.#drop(this.#outgoing.clear(), "Closed", new NotSent({ why: "Closed", reason: this.#ending.reason }))
    this.#unread.end(this.#ending)
    this.#wakeSenders()
    this.#changed()
    return true
  }

  // ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Waits until no more than `outboxLow` bytes are unsent, or the connection is gone, which waits for nobody. */
  readonly #room: Effect.Effect<void> = Effect.callback((resume) => waiting(this.#senders, () => resume(Exit.void)))

  readonly #change: Effect.Effect<void> = Effect.callback((resume) => waiting(this.#watchers, () => resume(Exit.void)))

  #wakeSenders(): void {
    for (const wake of this.#senders.splice(0)) wake()
  }

  #changed(): void {
    for (const wake of this.#watchers.splice(0)) wake()
  }
}

const notSent = (failure: OutboxFull | EncodeFailed): NotSent =>
  failure._tag === "OutboxFull"
    ? new NotSent({ why: "OutboxFull" })
    : new NotSent({ why: "EncodeFailed", reason: failure })

const waiting = (waiters: Array<() => void>, waiter: () => void): Effect.Effect<void> => {
  waiters.push(waiter)
  return Effect.sync(() => {
    const index = waiters.indexOf(waiter)
    if (index >= 0) waiters.splice(index, 1)
  })
}
