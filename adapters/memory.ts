/**
 * The port in memory: a network of its own in each layer, with seeded faults, for tests without sockets.
 *
 * How it differs from its siblings:
 *
 * - It belongs to no runtime and has no timers: everything is delivered by tasks of the Context's Scheduler, never by
 *   microtask nor in the writer's stack. Only the fault `delay` takes time, by the Context's Clock.
 * - Each chunk is overwritten once `bytes` has returned, so that whoever keeps one is caught.
 * - What the kernel would buffer is a pipe of `bufferSize` bytes a direction; `write` copies into it, so `sending` is
 *   always 0.
 * - A paused or unattached transport sees neither FIN nor RST.
 * - Names are not resolved, but for `localhost`. A path is stale for nobody: it is gone with its listener.
 *
 * The same seed, Scheduler and program give the same run. Nothing here is a real network: no latency, no windows, no
 * loss but the faults that were asked for.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import type { Scope } from "effect/Scope"
import * as Address from "../core/Address.ts"
import {
  type Capabilities,
  ConnectError,
  type ConnectOptions,
  type Listener,
  ListenError,
  type ListenOptions,
  type ListenProblem,
  Sockets,
  type Transport,
} from "../core/Sockets.ts"
import { type Faults, FaultSource } from "./Faults.ts"
import { type Medium, MemoryTransport } from "./MemoryTransport.ts"

const capabilities: Capabilities = {
  runtime: "memory",
  reset: true,
  reusePort: false,
  stopAccepting: "backlog",
  adoptDescriptor: false,
  abstractUnix: true,
  bindSource: true,
}

/** The options of a network. */
export interface Options {
  /** Of the generator that decides about faults. Default 1. A test that chooses one at random prints it. */
  readonly seed?: number
  /** Default none. */
  readonly faults?: Faults
  /** Bytes that each direction of a connection holds unread. Default 64 KiB. */
  readonly bufferSize?: number
}

// ── Network ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Listeners by address, and what their connections share. */
export class Network implements Medium {
  readonly bufferSize: number
  /** Its `seed` is what a failing test prints. */
  readonly faults: FaultSource
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  readonly #runFork: (effect: Effect.Effect<void>) => unknown
  readonly #listeners = new Map<string, MemoryListener>()
  #nextPort = firstEphemeral

  constructor(options: Options, context: Context.Context<never>) {
    this.bufferSize = options.bufferSize ?? 64 * 1024
    this.faults = new FaultSource(options.seed ?? 1, options.faults ?? {})
    this.#dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    this.#runFork = Effect.runForkWith(context)
  }

  schedule(task: () => void): void {
    this.#dispatcher.scheduleTask(task, 0)
  }

  scheduleDelivery(task: () => void): void {
    const delay = this.faults.delay()
    if (delay === 0) this.schedule(task)
    else this.#runFork(Effect.map(Effect.sleep(delay), task))
  }

  bind(options: ListenOptions, accept: (transport: Transport) => void): Effect.Effect<MemoryListener, ListenError> {
    return Effect.suspend(() => {
      const { address: wanted } = options
      const fail = (problem: ListenProblem) => Effect.fail(new ListenError({ problem, address: wanted }))
      if (!isValid(wanted)) return fail("InvalidAddress")
      if (options.reusePort || options.descriptor !== undefined) return fail("Unsupported")
      const address = wanted._tag === "Tcp" && wanted.port === 0 ? Address.tcp(wanted.host, this.#freePort()) : wanted
      for (const other of this.#listeners.values()) if (overlap(other.address, address)) return fail("AddressInUse")
      const listener = new MemoryListener(this, address, accept)
      this.#listeners.set(Address.format(address), listener)
      return Effect.succeed(listener)
    })
  }

  unbind(listener: MemoryListener): void {
    this.#listeners.delete(Address.format(listener.address))
  }

  connect(options: ConnectOptions): Effect.Effect<MemoryTransport, ConnectError> {
    return Effect.suspend(() => {
      const { address, source: from } = options
      if (!isValid(address)) return Effect.fail(new ConnectError({ problem: "InvalidAddress", address }))
      if (from !== undefined && !isSource(from, address)) {
        return Effect.fail(new ConnectError({ problem: "InvalidSource", address, source: from }))
      }
      for (const target of Address.loopbacks(address)) {
        const listener = this.#find(target)
        if (listener === undefined) continue
        if (listener.full) return Effect.fail(new ConnectError({ problem: "TimedOut", address }))
        const source = target._tag === "Tcp" ? Address.tcp(from ?? loopback(target.host), this.#freePort()) : undefined
        const here = new MemoryTransport(this, source, target)
        const there = new MemoryTransport(this, target, source)
        here.join(there)
        this.schedule(() => listener.take(there))
        return Effect.succeed(here)
      }
      return Effect.fail(new ConnectError({ problem: "Refused", address }))
    })
  }

  #find(address: Address.Address): MemoryListener | undefined {
    const exact = this.#listeners.get(Address.format(address))
    if (exact !== undefined || address._tag === "Unix") return exact
    const any = isIpv4(address.host) ? this.#listeners.get(`0.0.0.0:${address.port}`) : undefined
    return any ?? this.#listeners.get(`[::]:${address.port}`)
  }

  #freePort(): number {
    if (this.#nextPort > 65_535) this.#nextPort = firstEphemeral
    return this.#nextPort++
  }
}

const firstEphemeral = 49_152

const isIpv4 = (host: string): boolean => !host.includes(":")

const loopback = (host: string): string => isIpv4(host) ? "127.0.0.1" : "::1"

const isValid = (address: Address.Address): boolean =>
  address._tag === "Unix"
    ? address.path !== ""
    : address.host !== "" && Number.isInteger(address.port) && address.port >= 0 && address.port <= 65_535

const isSource = (source: string, address: Address.Address): boolean =>
  address._tag === "Tcp" && Address.isLocal(Address.tcp(source, 0)) &&
  (address.host === "localhost" || isIpv4(address.host) === isIpv4(source))

const overlap = (a: Address.Address, b: Address.Address): boolean => {
  if (a._tag === "Unix" || b._tag === "Unix") return Address.format(a) === Address.format(b)
  if (a.port !== b.port) return false
  if (a.host === b.host || a.host === "::" || b.host === "::") return true
  return isIpv4(a.host) && isIpv4(b.host) && (a.host === "0.0.0.0" || b.host === "0.0.0.0")
}

// ── Listener ───────────────────────────────────────────────────────────────────────────────────────────────────────

class MemoryListener implements Listener {
  readonly address: Address.Address
  readonly resume: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  readonly #accept: (transport: Transport) => void
  readonly #backlog: Array<MemoryTransport> = []
  #state: "Accepting" | "Paused" | "Closed" = "Accepting"

  constructor(network: Network, address: Address.Address, accept: (transport: Transport) => void) {
    this.address = address
    this.#accept = accept
    this.resume = Effect.sync(() => {
      if (this.#state !== "Paused") return
      this.#state = "Accepting"
      for (const transport of this.#backlog.splice(0)) this.take(transport)
    })
    this.close = Effect.sync(() => {
      if (this.#state === "Closed") return
      this.#state = "Closed"
      network.unbind(this)
      for (const transport of this.#backlog.splice(0)) transport.abort()
    })
  }

  get full(): boolean {
    return this.#backlog.length >= 511
  }

  pause(): void {
    if (this.#state === "Accepting") this.#state = "Paused"
  }

  take(transport: MemoryTransport): void {
    if (this.#state === "Accepting") this.#accept(transport)
    else if (this.#state === "Paused") this.#backlog.push(transport)
    else transport.abort()
  }
}

// ── Layer ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The sockets of a network. */
export const sockets = (network: Network): Sockets["Service"] => ({
  capabilities,
  listen: (options, accept): Effect.Effect<Listener, ListenError, Scope> =>
    Effect.acquireRelease(network.bind(options, accept), (listener) => listener.close),
  connect: (options): Effect.Effect<Transport, ConnectError, Scope> =>
    Effect.acquireRelease(network.connect(options), (transport) => Effect.sync(() => transport.abort())),
})

/** A network of its own, for as long as the layer lives. */
export const layer = (options: Options = {}): Layer.Layer<Sockets> =>
  Layer.effect(Sockets, Effect.map(Effect.context<never>(), (context) => sockets(new Network(options, context))))
