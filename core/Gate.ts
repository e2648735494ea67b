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
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Fiber } from "effect/Fiber"
import * as Address from "./Address.ts"
import { Admission } from "./Admission.ts"
import type { FrameError } from "./Codec.ts"
import * as ProxyHeader from "./codecs/ProxyHeader.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"
import type { Event, RefusalLimit } from "./Event.ts"
import * as Networks from "./Networks.ts"
import type { Admit } from "./Options.ts"
import { type Greeting, ProxiedTransport } from "./ProxiedTransport.ts"
import { Refusal } from "./Refusal.ts"
import type { Settings } from "./Settings.ts"
import type { Listener, ListenError, Transport } from "./Sockets.ts"
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
  readonly state: "Serving" | "Draining" | "Stopped"
  readonly emit: ((event: Event) => void) | undefined
  /** The limit at which the process as a whole lets nobody in now. */
  readonly overloaded: RefusalLimit | undefined
  /** Monotonic, in milliseconds. */
  monotonic(): number
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber<A, E>
  /** Makes it a connection, which has a place and is counted for its address. */
  open(entrance: E, transport: Transport, header: ProxyHeader.ProxyHeader | undefined): void
  /** A place was taken, and none was before. */
  occupied(): void
  /** All places are free and nobody waits. */
  emptied(): void
  /** An entrance could not be opened again. */
  resumeFailed(entrance: E, error: ListenError): void
}

/** How many may wait that a paused listener still gave. */
const stragglers = 64

const nothing = new Uint8Array(0)
const headers = ProxyHeader.make()

/** The gate of a server. */
export class Gate<E extends Entrance> {
  /** Places taken: connections, and those who are about to become one. */
  taken = 0
  /** Sockets that are being refused. */
  refusing = 0
  /** Who left without a byte where a PROXY header is required. */
  probes = 0
  readonly admission: Admission
  readonly #host: Host<E>
  readonly #line = new Set<Waiting<E>>()
  readonly #pending = new Set<() => void>()
  readonly #paused = new Set<E>()
  #conspicuous = false

  constructor(host: Host<E>) {
    this.#host = host
    this.admission = new Admission(host.settings.limits, host.monotonic())
  }

  /** Sockets that wait for a place. */
  get waiting(): number {
    return this.#line.size
  }

  /** Somebody has connected. */
  accept(transport: Transport, entrance: E): void {
    const { state, overloaded, settings: { proxy, limits } } = this.#host
    // Reset before it was accepted, so that nobody knows who it was: health checks end like that.
    const { remoteAddress } = transport
    if (proxy !== undefined && entrance.proxied && remoteAddress === undefined && entrance.address._tag === "Tcp") {
      this.probes++
      this.#host.emit?.({ _tag: "Probed", remoteAddress })
      return transport.abort()
    }
    if (state !== "Serving") return this.#refuse(transport, "draining")
    if (proxy !== undefined && entrance.proxied && !Networks.includes(proxy.trusted, sourceOf(transport, entrance))) {
      return this.#refuse(transport, "proxy.trusted")
    }
    if (overloaded !== undefined) return this.#refuse(transport, overloaded)
    const full = this.#full(entrance)
    if (full === undefined && this.#line.size === 0) return this.#enter(transport, entrance)
    const { atLimit } = limits
    const most = typeof atLimit === "object" ? atLimit.queue : atLimit === "backlog" ? stragglers : 0
    if (this.#line.size >= most) return this.#refuse(transport, full ?? "maxConnections")
    this.#wait(transport, entrance, typeof atLimit === "object" ? atLimit.timeout : Infinity)
  }

  /** A connection has ended. */
  leave(entrance: E, client: Address.Address | undefined): void {
    this.admission.release(client)
    this.#free(entrance)
  }

  /** The settings were changed. */
  update(): void {
    this.admission.update(this.#host.settings.limits, this.#host.monotonic())
    this.#serve()
  }

  /** Nobody who waits for a place gets one any more. Those who have one go on. */
  close(): void {
    for (const waiting of [...this.#line]) waiting.refuse("draining")
  }

  /** Ends everybody who is not a connection yet. */
  abort(): void {
    this.close()
    for (const abort of [...this.#pending]) abort()
  }

  // ── A place ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #full(entrance: E): RefusalLimit | undefined {
    if (this.taken >= this.#host.settings.limits.maxConnections) return "maxConnections"
    return entrance.taken >= entrance.maxConnections ? "listener.maxConnections" : undefined
  }

  #enter(transport: Transport, entrance: E): void {
    const { proxy } = this.#host.settings
    if (this.taken++ === 0) this.#host.occupied()
    entrance.taken++
    if (this.#host.settings.limits.atLimit === "backlog" && this.#full(entrance) !== undefined) this.#pause(entrance)
    if (proxy === undefined || !entrance.proxied) this.#identified(transport, entrance, undefined)
    else this.#greet(transport, entrance, proxy.timeout)
  }

  #free(entrance: E): void {
    this.taken--
    entrance.taken--
    this.#serve()
    if (this.taken === 0 && this.#line.size === 0) this.#host.emptied()
  }

  /** Lets in who waits, as far as there are places, and opens again what was paused for want of them. */
  #serve(): void {
    for (const waiting of this.#line) {
      if (this.taken >= this.#host.settings.limits.maxConnections) return
      if (this.#full(waiting.entrance) === undefined) waiting.enter()
    }
    for (const entrance of this.#paused) {
      if (this.#full(entrance) !== undefined) continue
      this.#paused.delete(entrance)
      for (const listener of entrance.listeners) {
        this.#host.fork(Effect.catch(
          listener.resume,
          (error) => Effect.sync(() => this.#host.resumeFailed(entrance, error)),
        ))
      }
    }
  }

  #pause(entrance: E): void {
    if (this.#paused.has(entrance)) return
    this.#paused.add(entrance)
    for (const listener of entrance.listeners) listener.pause()
  }

  #wait(transport: Transport, entrance: E, timeout: number): void {
    const { deadlines } = this.#host
    const out = (): void => {
      this.#line.delete(waiting)
      deadlines.disarm(waiting)
    }
    const waiting: Waiting<E> = {
      slot: 0,
      entrance,
      enter: () => {
        out()
        this.#enter(transport, entrance)
      },
      refuse: (limit) => {
        out()
        this.#refuse(transport, limit)
      },
      expire: () => waiting.refuse(this.#full(entrance) ?? "maxConnections"),
    }
    this.#line.add(waiting)
    if (timeout < Infinity) deadlines.arm(waiting, timeout)
  }

  // ── Who it is ────────────────────────────────────────────────────────────────────────────────────────────────────

  #greet(transport: Transport, entrance: E, timeout: number): void {
    const { deadlines, turn } = this.#host
    const deadline: Deadline = { slot: 0, expire: () => end("proxy.timeout") }
    const done = (): void => {
      deadlines.disarm(deadline)
      this.#pending.delete(abort)
    }
    const end = (limit: RefusalLimit, error?: FrameError): void => {
      done()
      this.#turnAway(proxied, entrance, limit, error)
    }
    const abort = (): void => end("draining")
    const proxied = new ProxiedTransport(transport, headers.decoder(), turn, (greeting: Greeting) => {
      if (greeting._tag === "Invalid") return end("proxy.header", greeting.error)
      done()
      if (greeting._tag === "Read") return this.#identified(proxied, entrance, greeting.header)
      this.#probed(proxied, entrance)
    })
    this.#pending.add(abort)
    deadlines.arm(deadline, timeout)
    proxied.begin()
  }

  /** The proxy, or whatever it was, left before it had said for whom it came. */
  #probed(transport: ProxiedTransport, entrance: E): void {
    this.probes++
    this.#host.emit?.({ _tag: "Probed", remoteAddress: transport.remoteAddress })
    this.#free(entrance)
    this.#say(transport, nothing)
  }

  #identified(transport: Transport, entrance: E, header: ProxyHeader.ProxyHeader | undefined): void {
    const { remoteAddress } = transport
    const limit = this.admission.admit(remoteAddress, this.#host.monotonic())
    if (limit === "maxConnectionsPerAddress" || limit === undefined) this.#notice(remoteAddress, entrance)
    if (limit !== undefined) return this.#turnAway(transport, entrance, limit)
    const rule = this.#host.settings.admit
    if (rule === undefined) return this.#host.open(entrance, transport, header)
    const decided = (verdict: Exit.Exit<Admit>): void => {
      if (Exit.isSuccess(verdict) && verdict.value === "admit") return this.#host.open(entrance, transport, header)
      this.admission.release(remoteAddress)
      if (Exit.isFailure(verdict) && !Cause.hasInterruptsOnly(verdict.cause)) {
        const failure = { code: undefined, cause: verdict.cause }
        this.#host.emit?.({ _tag: "AcceptFailed", address: entrance.address, failure })
      }
      if (Exit.isSuccess(verdict) && verdict.value === "reset") return this.#reset(transport, entrance, "admit")
      this.#turnAway(transport, entrance, "admit")
    }
    const peer = {
      remoteAddress,
      localAddress: transport.localAddress,
      proxyHeader: header,
      listener: entrance.address,
    }
    const effect = Effect.suspend(() => rule(peer))
    this.#decide(effect, decided)
  }

  /** Runs the user's rule, within its time. */
  #decide(rule: Effect.Effect<Admit>, decided: (verdict: Exit.Exit<Admit>) => void): void {
    const { deadlines, settings } = this.#host
    const fiber = this.#host.fork(rule)
    const done = fiber.pollUnsafe()
    if (done !== undefined) return decided(done)
    const interrupt = (): void => fiber.interruptUnsafe()
    const deadline: Deadline = { slot: 0, expire: interrupt }
    if (settings.deadlines.admit < Infinity) deadlines.arm(deadline, settings.deadlines.admit)
    this.#pending.add(interrupt)
    fiber.addObserver((exit) => {
      deadlines.disarm(deadline)
      this.#pending.delete(interrupt)
      decided(exit)
    })
  }

  /** Says once that most clients have one address: likely a proxy's. */
  #notice(client: Address.Address | undefined, { proxied }: E): void {
    const { settings, emit } = this.#host
    if (this.#conspicuous || client === undefined || (settings.proxy !== undefined && proxied)) return
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
    const { atLimit, busy } = this.#host.settings.limits
    if (atLimit === "reset") return transport.abort()
    this.#say(transport, unwanted.has(limit) ? nothing : busy)
  }

  #say(transport: Transport, message: Uint8Array): void {
    if (this.refusing >= this.#host.settings.limits.maxRefusing) return transport.abort()
    this.refusing++
    const { deadlines } = this.#host
    void new Refusal(transport, message, deadlines, () => {
      this.refusing--
    })
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
