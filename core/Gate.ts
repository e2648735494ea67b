/**
 * The way in: from accept to a connection, or to a refusal that says at which limit.
 *
 * ```text
 * accept ─► is there a place? ─► PROXY header ─► Admission ─► admit ─► open
 *              │ no: refuse, reset, queue, backlog
 * ```
 *
 * 1. A place is taken before a byte is read and given back when the connection has ended, or was refused after all. So
 *    neither `limits.maxConnections` nor a listener's own is ever exceeded.
 * 2. Sockets that wait for a place, or are being refused, have none. Both have bounds of their own.
 * 3. What follows the place is asked of the client, whom a proxy may have named.
 * 4. Whoever waits in the line does so because every place that it could take is taken. So the line is first come, first
 *    served among those who want the same place, and a full listener keeps nobody from the others.
 * 5. Everybody ends up in one of four: Opened, Refused, Probed, or AcceptFailed where a program of the user failed.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Address from "./Address.ts"
import { Admission } from "./Admission.ts"
import { type FrameError, invalidFrame } from "./Codec.ts"
import * as ProxyHeader from "./codecs/ProxyHeader.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"
import type { Event, RefusalLimit } from "./Event.ts"
import * as Networks from "./Networks.ts"
import type { Admit, AdmitRule, Peer } from "./Options.ts"
import { type Greeting, ProxiedTransport } from "./ProxiedTransport.ts"
import { Refusal } from "./Refusal.ts"
import type { Settings } from "./Settings.ts"
import type { AcceptFailure, Listener, ListenError, Transport } from "./Sockets.ts"
import type { Turn } from "./Turn.ts"

/** A listener, as the gate sees it. */
export interface Entrance {
  readonly address: Address.Address
  readonly maxConnections: number
  /** A PROXY header is required, where proxies are trusted at all. */
  readonly proxied: boolean
  /** What was bound; more than one for `localhost`. */
  readonly listeners: Array<Listener>
  /** Places taken by those who came through it. */
  taken: number
}

/** What the gate needs of its server. */
export interface Host<E extends Entrance> {
  readonly settings: Settings
  readonly deadlines: Deadlines
  readonly turn: Turn
  /** The listeners are open, as far as the server is concerned. */
  readonly accepting: boolean
  readonly emit: ((event: Event) => void) | undefined
  /** The limit at which the process as a whole lets nobody in now. */
  readonly overloaded: RefusalLimit | undefined
  /** Monotonic, in milliseconds. */
  monotonic(): number
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E>
  /** Makes it a connection, which has a place and is counted for its address. */
  open(entrance: E, transport: Transport, header: ProxyHeader.ProxyHeader | undefined): void
  /** A place was taken, and none was before. */
  occupied(): void
  /** All places are free. */
  emptied(): void
  /** An entrance could not be opened again. */
  resumeFailed(entrance: E, error: ListenError): void
}

/** How many may wait that a paused listener still gave. */
const stragglers = 64
/** After which an entrance that could not be opened again is tried anew. */
const retryMillis = 1_000

const nothing = new Uint8Array(0)
const headers = ProxyHeader.make()

/** The gate of a server. */
export class Gate<E extends Entrance> {
  /** Places taken: connections, and those who are about to become one. */
  taken = 0
  /** Who has connected so far. */
  arrived = 0
  /** Who left without a byte where a PROXY header is required. */
  probes = 0
  readonly admission: Admission
  readonly #host: Host<E>
  readonly #line = new Set<Waiting<E>>()
  /** How to end those who have a place and are no connection yet. */
  readonly #pending = new Set<() => void>()
  readonly #refusals = new Set<Refusal>()
  readonly #paused = new Set<E>()
  readonly #opening = new Map<Listener, Fiber.Fiber<void>>()
  #serving = false
  #unserved = false
  #suspended = false
  #conspicuous = false

  constructor(host: Host<E>) {
    this.#host = host
    this.admission = new Admission(host.settings.limits, host.monotonic())
  }

  /** Sockets that wait for a place. */
  get waiting(): number {
    return this.#line.size
  }

  /** Sockets that are being refused. */
  get refusing(): number {
    return this.#refusals.size
  }

  /** Somebody has connected. */
  accept(transport: Transport, entrance: E): void {
    this.arrived++
    // Reset before it was accepted, so that nobody knows who it was: health checks end like that.
    const { remoteAddress } = transport
    const proxied = this.#proxy(entrance) !== undefined
    if (proxied && remoteAddress === undefined && entrance.address._tag === "Tcp") {
      this.#probed(remoteAddress)
      return transport.abort()
    }
    const barred = this.#barred(transport, entrance)
    if (barred !== undefined) return this.#refuse(transport, barred)
    const full = this.#full(entrance)
    if (full === undefined) return this.#enter(transport, entrance)
    // Whoever would be refused with a place as well takes none of the line.
    const client = proxied ? undefined : remoteAddress
    const unwelcome = proxied ? undefined : this.admission.bars(client)
    if (unwelcome !== undefined) return this.#refuse(transport, unwelcome)
    const { atLimit } = this.#host.settings.limits
    const most = typeof atLimit === "object" ? atLimit.queue : atLimit === "backlog" ? stragglers : 0
    if (this.#line.size >= most) return this.#refuse(transport, full)
    this.#wait(transport, entrance, client)
  }

  /** A connection has ended. */
  leave(entrance: E, client: Address.Address | undefined): void {
    this.admission.release(client)
    this.#free(entrance)
  }

  /** The settings were changed. */
  update(): void {
    const { settings: { limits }, deadlines } = this.#host
    this.admission.update(limits, this.#host.monotonic())
    this.#serve()
    for (const waiting of [...this.#line]) {
      if (typeof limits.atLimit === "object") deadlines.armBy(waiting, limits.atLimit.timeout)
      else if (limits.atLimit !== "backlog") waiting.expire()
    }
  }

  /** Nobody who waits for a place gets one any more. Those who have one go on. */
  close(): void {
    for (const waiting of [...this.#line]) waiting.refuse("draining")
    if (!this.#host.accepting) { for (const opening of [...this.#opening.values()]) opening.interruptUnsafe() }
  }

  /** Ends everybody who is not a connection yet, and those who are being refused, by a reset. */
  abort(): void {
    this.close()
    for (const abort of [...this.#pending]) abort()
    for (const refusal of [...this.#refusals]) refusal.expire()
  }

  // ── A place ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What a proxy's connection by this entrance is asked for; undefined where its clients come by themselves. */
  #proxy(entrance: E): Settings["proxy"] {
    return entrance.proxied ? this.#host.settings.proxy : undefined
  }

  /** Why somebody gets no place, were there one. */
  #barred(transport: Transport, entrance: E): RefusalLimit | undefined {
    const { accepting, overloaded } = this.#host
    if (!accepting) return "draining"
    const proxy = this.#proxy(entrance)
    if (proxy !== undefined && !Networks.includes(proxy.trusted, sourceOf(transport, entrance))) return "proxy.trusted"
    return overloaded
  }

  #full(entrance: E): RefusalLimit | undefined {
    if (this.taken >= this.#host.settings.limits.maxConnections) return "maxConnections"
    return entrance.taken >= entrance.maxConnections ? "listener.maxConnections" : undefined
  }

  #enter(transport: Transport, entrance: E): void {
    const proxy = this.#proxy(entrance)
    if (this.taken++ === 0) this.#host.occupied()
    entrance.taken++
    if (this.#host.settings.limits.atLimit === "backlog" && this.#full(entrance) !== undefined) this.#pause(entrance)
    if (proxy === undefined) this.#identified(transport, entrance, undefined)
    else this.#greet(transport, entrance, proxy.timeout)
  }

  #free(entrance: E): void {
    this.taken--
    entrance.taken--
    this.#serve()
    if (this.taken === 0) this.#host.emptied()
  }

  /** Lets in who waits, as far as there are places, and opens again what was paused for want of them. */
  #serve(): void {
    this.#unserved = true
    // Whoever is refused with his place gives it back in here: not a call deeper for each of a long line.
    if (this.#serving) return
    this.#serving = true
    try {
      while (this.#unserved) {
        this.#unserved = false
        this.#serveOnce()
      }
    } finally {
      this.#serving = false
    }
  }

  #serveOnce(): void {
    for (const waiting of this.#line) {
      const full = this.#full(waiting.entrance)
      if (full === "maxConnections") break
      if (full === undefined) waiting.enter()
    }
    for (const entrance of [...this.#paused]) {
      const backlog = this.#host.settings.limits.atLimit === "backlog"
      if (!backlog || this.#full(entrance) === undefined) this.#resume(entrance)
    }
  }

  #pause(entrance: E): void {
    this.#paused.add(entrance)
    for (const listener of entrance.listeners) listener.pause()
  }

  #resume(entrance: E): void {
    this.#paused.delete(entrance)
    for (const listener of entrance.listeners) {
      this.#open(entrance, listener)
      // Those who were in the backlog of the first of two may have taken all places.
      if (this.#paused.has(entrance)) return
    }
  }

  /** Nobody enters any more by these entrances, until {@link resume}. */
  suspend(entrances: ReadonlyArray<E>): void {
    this.#suspended = true
    for (const { listeners } of entrances) for (const listener of listeners) listener.pause()
  }

  /** Opens these entrances again, but for those that wait for a place. Done once they are open, or are not to be. */
  resume(entrances: ReadonlyArray<E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#suspended = false
      const all = entrances.flatMap((entrance) => entrance.listeners.map((listener) => this.#open(entrance, listener)))
      return Effect.asVoid(Fiber.awaitAll(all))
    })
  }

  /** Opens a listener, once at a time whoever asks for it: a second bind would meet the first. */
  #open(entrance: E, listener: Listener): Fiber.Fiber<void> {
    const running = this.#opening.get(listener)
    if (running !== undefined) return running
    const opening = this.#host.fork(this.#tryToOpen(entrance, listener))
    this.#opening.set(listener, opening)
    opening.addObserver(() => this.#opening.delete(listener))
    return opening
  }

  /** Where pausing had to unbind, somebody else may have taken the address meanwhile: it is tried until it is free. */
  #tryToOpen(entrance: E, listener: Listener): Effect.Effect<void> {
    const unwanted = (): boolean => this.#suspended || !this.#host.accepting || this.#paused.has(entrance)
    return Effect.suspend(() => {
      if (unwanted()) return Exit.void
      return Effect.matchEffect(Effect.uninterruptible(listener.resume), {
        onSuccess: () => {
          // In the middle of binding it could not be paused.
          if (this.#suspended) listener.pause()
          return Exit.void
        },
        onFailure: (error) => {
          this.#host.resumeFailed(entrance, error)
          return Effect.delay(this.#tryToOpen(entrance, listener), retryMillis)
        },
      })
    })
  }

  #wait(transport: Transport, entrance: E, client: Address.Address | undefined): void {
    const { deadlines, settings: { limits: { atLimit } } } = this.#host
    // Whether it was in the line still: an observer of somebody's refusal may have changed everything.
    const out = (): boolean => {
      if (!this.#line.delete(waiting)) return false
      this.admission.release(client)
      deadlines.disarm(waiting)
      return true
    }
    const waiting: Waiting<E> = {
      slot: 0,
      entrance,
      enter: () => {
        const barred = this.#barred(transport, entrance)
        if (barred !== undefined) return waiting.refuse(barred)
        if (out()) this.#enter(transport, entrance)
      },
      refuse: (limit) => {
        if (out()) this.#refuse(transport, limit)
      },
      expire: () => waiting.refuse(this.#full(entrance) ?? "maxConnections"),
    }
    this.#line.add(waiting)
    this.admission.hold(client)
    if (typeof atLimit === "object") deadlines.arm(waiting, atLimit.timeout)
    // Another listener took the last place, or the settings were changed: the next ones stay in the backlog.
    else this.#pause(entrance)
  }

  // ── Who it is ────────────────────────────────────────────────────────────────────────────────────────────────────

  #greet(transport: Transport, entrance: E, timeout: number): void {
    const { deadlines, turn } = this.#host
    const done = (): boolean => {
      deadlines.disarm(deadline)
      return this.#pending.delete(abort)
    }
    const deadline: Deadline = {
      slot: 0,
      expire: () => {
        if (done()) this.#turnAway(proxied, entrance, "proxy.timeout")
      },
    }
    const abort = (): void => {
      if (done()) this.#reset(proxied, entrance, "draining")
    }
    const proxied = new ProxiedTransport(transport, headers.decoder(), turn, (greeting: Greeting) => {
      done()
      if (greeting._tag === "Read") return this.#identified(proxied, entrance, greeting.header)
      if (greeting._tag === "Invalid") return this.#turnAway(proxied, entrance, "proxy.header", greeting.error)
      if (greeting.length > 0) return this.#turnAway(proxied, entrance, "proxy.header", cutShort(greeting.length))
      // The proxy, or whatever it was, left before it had said for whom it came.
      this.#probed(proxied.remoteAddress)
      this.#say(proxied, nothing)
      this.#free(entrance)
    })
    this.#pending.add(abort)
    deadlines.arm(deadline, timeout)
    proxied.begin()
  }

  #probed(remoteAddress: Address.Address | undefined): void {
    this.probes++
    this.#host.emit?.({ _tag: "Probed", remoteAddress })
  }

  #identified(transport: Transport, entrance: E, header: ProxyHeader.ProxyHeader | undefined): void {
    const { remoteAddress, localAddress } = transport
    const limit = this.admission.admit(remoteAddress, this.#host.monotonic())
    if (limit === "maxConnectionsPerAddress" || limit === undefined) this.#notice(remoteAddress, entrance)
    if (limit !== undefined) return this.#turnAway(transport, entrance, limit)
    const rule = this.#host.settings.admit
    if (rule === undefined) return this.#host.open(entrance, transport, header)
    const peer: Peer = { remoteAddress, localAddress, proxyHeader: header, listener: entrance.address }
    this.#ask(rule, peer, (verdict) => {
      if (verdict === "admit") return this.#host.open(entrance, transport, header)
      this.admission.release(remoteAddress)
      if (verdict === "aborted") return this.#reset(transport, entrance, "draining")
      if (verdict === "reset") return this.#reset(transport, entrance, "admit")
      if (typeof verdict !== "object") {
        return this.#turnAway(transport, entrance, verdict === "late" ? "deadlines.admit" : "admit")
      }
      this.#host.emit?.({ _tag: "AcceptFailed", address: entrance.address, failure: verdict })
      this.#dismiss(transport, "admit")
      this.#free(entrance)
    })
  }

  /** Asks the user's rule, which has its time for that; `decided` is called once. */
  #ask(rule: AdmitRule, peer: Peer, decided: (verdict: Admit | AcceptFailure | "late" | "aborted") => void): void {
    const { deadlines, settings } = this.#host
    const fiber = this.#host.fork(Effect.suspend(() => rule(peer)))
    const done = fiber.pollUnsafe()
    if (done !== undefined) return decided(verdictOf(done))
    // Whoever cannot wait for the rule does not wait for it to be interrupted either.
    const settle = (verdict: Admit | AcceptFailure | "late" | "aborted"): void => {
      if (!this.#pending.delete(abort)) return
      deadlines.disarm(deadline)
      fiber.interruptUnsafe()
      decided(verdict)
    }
    const abort = (): void => settle("aborted")
    const deadline: Deadline = { slot: 0, expire: () => settle("late") }
    this.#pending.add(abort)
    deadlines.arm(deadline, settings.deadlines.admit)
    fiber.addObserver((exit) => settle(verdictOf(exit)))
  }

  /** Says once that most clients have one address: likely a proxy's. */
  #notice(client: Address.Address | undefined, entrance: E): void {
    const { settings, emit } = this.#host
    if (this.#conspicuous || client === undefined || this.#proxy(entrance) !== undefined) return
    if (settings.preset === "local" || !this.admission.dominates(client)) return
    this.#conspicuous = true
    const from = client._tag === "Tcp" ? client.host : Address.format(client)
    emit?.({
      _tag: "Advised",
      setting: "proxy.trusted",
      message:
        `Most connections come from ${from}: this looks like a proxy. Let it send PROXY headers and name it in ` +
        "proxy.trusted, or its clients share the limits of one address",
    })
  }

  // ── Refusing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Refuses somebody who has a place. */
  #turnAway(transport: Transport, entrance: E, limit: RefusalLimit, error?: FrameError): void {
    this.#refuse(transport, limit, error)
    this.#free(entrance)
  }

  #reset(transport: Transport, entrance: E, limit: RefusalLimit): void {
    this.#host.emit?.({ _tag: "Refused", remoteAddress: transport.remoteAddress, limit })
    transport.abort()
    this.#free(entrance)
  }

  #refuse(transport: Transport, limit: RefusalLimit, error?: FrameError): void {
    const { remoteAddress } = transport
    this.#host.emit?.({ _tag: "Refused", remoteAddress, limit, ...(error === undefined ? {} : { error }) })
    this.#dismiss(transport, limit)
  }

  #dismiss(transport: Transport, limit: RefusalLimit): void {
    const { atLimit, busy } = this.#host.settings.limits
    if (atLimit === "reset") return transport.abort()
    this.#say(transport, unwanted.has(limit) ? nothing : busy)
  }

  #say(transport: Transport, message: Uint8Array): void {
    const { deadlines, settings: { limits } } = this.#host
    if (this.refusing >= limits.maxRefusing) return transport.abort()
    const refusal = new Refusal(transport, message, deadlines, () => this.#refusals.delete(refusal))
    this.#refusals.add(refusal)
  }
}

/** Whoever is refused for what it is, is told nothing. */
const unwanted: ReadonlySet<RefusalLimit> = new Set(["allow", "deny", "proxy.trusted", "proxy.header", "proxy.timeout"])

interface Waiting<E> extends Deadline {
  readonly entrance: E
  readonly enter: () => void
  readonly refuse: (limit: RefusalLimit) => void
}

// Who comes by a Unix socket has no name of its own.
const sourceOf = (transport: Transport, { address }: Entrance): Address.Address | undefined =>
  transport.remoteAddress ?? (address._tag === "Unix" ? address : undefined)

const cutShort = (length: number): FrameError =>
  invalidFrame(`Cannot decode PROXY header: the stream ends after ${length} bytes of it`)

// A rule that was interrupted from within refuses.
const verdictOf = (exit: Exit.Exit<Admit>): Admit | AcceptFailure => {
  if (Exit.isSuccess(exit)) return exit.value
  return Cause.hasInterruptsOnly(exit.cause) ? "refuse" : { code: undefined, cause: exit.cause }
}
