/**
 * The connections of a server, and what they share: settings, the wheel, the budget, the rates, the load. Here it is
 * decided who has to end when the process cannot keep up.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scheduler from "effect/Scheduler"
import * as Address from "./Address.ts"
import { Budget } from "./Budget.ts"
import * as CloseReason from "./CloseReason.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import { type Connection, engineOf } from "./Connection.ts"
import { type Deadline, Deadlines } from "./Deadlines.ts"
import { drain, type Draining } from "./Drain.ts"
import type { DrainPhase, DrainReport } from "./DrainReport.ts"
import { DrainSteps } from "./DrainSteps.ts"
import type { Event, Observer } from "./Event.ts"
import { type Entrance, Gate, type Host } from "./Gate.ts"
import { InFlight } from "./InFlight.ts"
import { Meter, Meters } from "./Meter.ts"
import type { Tunables } from "./Options.ts"
import { type Load, Overload } from "./Overload.ts"
import type { Start } from "./Service.ts"
import { merge, resolve, type Settings, SettingsError } from "./Settings.ts"
import type { Capabilities, ListenError, Transport } from "./Sockets.ts"
import type { Supervisor } from "./Supervisor.ts"
import { Threshold } from "./Threshold.ts"
import { Throttle } from "./Throttle.ts"
import { Turn } from "./Turn.ts"

/** How often the load and a tight budget are looked at, in milliseconds. */
const sampleMillis = 250

/** An entrance, with what answers behind it. */
export interface Door extends Entrance {
  readonly start: Start
}

/** What of a server's limits is in use. A reading: it does not change. */
export interface Usage {
  readonly connections: number
  /** Clients that wait for a place (`limits.atLimit`). */
  readonly waiting: number
  /** Clients that are being refused. */
  readonly refusing: number
  /** Who left without a byte where a PROXY header is required, so far. */
  readonly probes: number
  /** Bytes that the connections hold; with what the runtime has in its hands only where `limits.memory` bounds them. */
  readonly memory: number
  /** Requests begun and not answered, by weight; how many connections wait for room, and how long all waited so far. */
  readonly inFlight: number
  readonly inFlightWaiting: number
  readonly inFlightWaited: number
  /** How late the event loop was at the last look, in milliseconds. */
  readonly lag: number
  readonly load: Load
  /** The setting by which the process as a whole lets nobody in now. */
  readonly overloaded: "overload.lag" | "memory" | undefined
}

/** The registry of a server. */
export class Registry implements Supervisor, Host<Door> {
  readonly turn: Turn
  readonly deadlines: Deadlines
  readonly budget = new Budget()
  readonly inFlight = new InFlight()
  readonly connections = new Map<number, Connection>()
  readonly emit: ((event: Event) => void) | undefined
  readonly gate: Gate<Door>
  settings: Settings
  /** What clients enter by, in the order of the endpoints. */
  readonly doors: Array<Door> = []
  readonly steps = new DrainSteps()
  state: "Serving" | "Suspended" | "Draining" | "Stopped" = "Serving"
  drainPhase: DrainPhase | undefined
  accepting = true
  readonly #clock: Clock.Clock
  readonly #fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly #capabilities: Capabilities
  readonly #local: boolean
  #said: Tunables
  readonly #doors = new Map<number, Door>()
  readonly #meters = new Meters()
  readonly #overload = new Overload()
  #alarms: ReadonlyArray<Settings["alarms"][number] & { readonly threshold: Threshold }> = []
  readonly #advised = new Set<string>()
  readonly #sampler: Deadline = { slot: 0, expire: () => this.#sample() }
  readonly #draining = Latch.makeUnsafe()
  readonly #aborted = Latch.makeUnsafe()
  readonly #empty = Latch.makeUnsafe(true)
  readonly #ended = { served: 0, drained: 0, forced: 0, unsent: 0 }
  /** Who was ended before all was answered and sent. */
  readonly #forced = new Set<number>()
  #suspensions = 0
  #resuming: Fiber.Fiber<void> | undefined
  #lastId = 0

  constructor(
    context: Context.Context<never>,
    capabilities: Capabilities,
    said: Tunables,
    local: boolean,
    observers: ReadonlyArray<Observer>,
  ) {
    this.#clock = Context.get(context, Clock.Clock)
    this.#fork = Effect.runForkWith(context)
    this.#capabilities = capabilities
    this.#local = local
    this.#said = said
    this.settings = this.#resolve(said)
    this.turn = new Turn(Context.get(context, Scheduler.Scheduler))
    this.deadlines = new Deadlines(context)
    this.emit = observers.length === 0 ? undefined : (event) => {
      for (const observe of observers) this.#tell(observe, event)
    }
    this.gate = new Gate(this)
    this.inFlight.onChange = (used, bound) => this.#alarm("maxInFlight", used, bound)
    this.budget.onChange = (total, bound) => this.#alarm("memory", total, bound)
    this.budget.onTight = () => this.turn.next(() => this.#relieve())
    this.#apply()
  }

  // ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Changes what is said and leaves the rest. Throws a SettingsError and changes nothing when it cannot be. */
  update(now: Tunables): void {
    const said = merge(this.#said, now)
    this.settings = this.#resolve(said)
    this.#said = said
    this.#apply()
    this.gate.update()
    // Whatever is due sooner now has to be armed for.
    for (const connection of [...this.connections.values()]) engineOf(connection).look()
    this.#alarm("maxConnections", this.connections.size, this.settings.limits.maxConnections)
    this.#alarm("memory", this.budget.total, this.settings.limits.memory)
    this.#alarm("maxInFlight", this.inFlight.used, this.settings.limits.maxInFlight)
    this.emit?.({ _tag: "Updated" })
  }

  #resolve(said: Tunables): Settings {
    const settings = resolve(said, this.#local)
    const { stopAccepting, runtime } = this.#capabilities
    if (settings.limits.atLimit === "backlog" && stopAccepting !== "backlog") {
      const accepted = `"refuse", "reset" or { queue, timeout }: ${runtime} cannot leave clients in the backlog`
      throw new SettingsError("limits.atLimit", "backlog", accepted)
    }
    return settings
  }

  #apply(): void {
    const { limits, heartbeat, overload } = this.settings
    // What was said of an alarm is still said when something else is changed.
    const before = this.#alarms
    this.#alarms = this.settings.alarms.map((alarm) => ({
      ...alarm,
      threshold: before.find(({ of, at }) => of === alarm.of && at === alarm.at)?.threshold ?? new Threshold(),
    }))
    this.budget.bound = limits.memory
    this.inFlight.update(limits.maxInFlight, this.deadlines.look())
    if (overload.lag < Infinity) this.deadlines.armBy(this.#sampler, sampleMillis)
    const { interval } = heartbeat
    if (interval < 20_000 || (interval > 60_000 && interval < Infinity)) {
      this.#advise(
        "heartbeat.interval",
        `A heartbeat every ${interval / 1_000} s: below 20 s it costs radios and batteries, above 60 s ` +
          "routers on the way may have forgotten the connection",
      )
    }
  }

  #advise(setting: string, message: string): void {
    if (this.#advised.has(setting)) return
    this.#advised.add(setting)
    this.emit?.({ _tag: "Advised", setting, message })
  }

  // ── What connections and the gate ask ────────────────────────────────────────────────────────────────────────────

  get draining(): Effect.Effect<void> {
    return this.#draining.await
  }

  get overloaded(): Usage["overloaded"] {
    if (this.#overload.load !== "calm") return "overload.lag"
    return this.budget.tight ? "memory" : undefined
  }

  now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  monotonic(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return this.#fork(effect)
  }

  throttle(client: Address.Address | undefined): Throttle | undefined {
    if (this.settings.limits.rates === undefined) return undefined
    const key = client === undefined ? undefined : Address.networkKey(client)
    if (key === undefined) return new Throttle(new Meter(), () => {})
    const { deadlines } = this
    deadlines.look()
    return new Throttle(this.#meters.acquire(key, deadlines.elapsed), () => {
      deadlines.look()
      this.#meters.release(key, deadlines.elapsed)
    })
  }

  open(door: Door, transport: Transport, proxyHeader: ProxyHeader | undefined): void {
    const id = ++this.#lastId
    this.#doors.set(id, door)
    this.budget.holders++
    try {
      this.connections.set(id, door.start({ id, transport, proxyHeader }, this))
    } catch (cause) {
      // A codec threw instead of making a decoder or an encoder.
      this.emit?.({ _tag: "AcceptFailed", address: door.address, failure: { code: undefined, cause } })
      transport.abort()
      this.#leave(id, transport.remoteAddress)
    }
    this.#alarm("maxConnections", this.connections.size, this.settings.limits.maxConnections)
  }

  forget(id: number, reason: CloseReason.CloseReason, unsent: number): void {
    const client = this.connections.get(id)?.remoteAddress
    this.connections.delete(id)
    if (this.state === "Draining") this.#count(id, reason, unsent)
    else this.#forced.delete(id)
    this.#alarm("maxConnections", this.connections.size, this.settings.limits.maxConnections)
    this.#leave(id, client)
  }

  #count(id: number, reason: CloseReason.CloseReason | undefined, unsent: number): void {
    const how = this.#forced.delete(id) ? "forced" : reason?._tag === "Drained" ? "drained" : "served"
    this.#ended[how]++
    this.#ended.unsent += unsent
  }

  #leave(id: number, client: Address.Address | undefined): void {
    const door = this.#doors.get(id)!
    this.#doors.delete(id)
    this.budget.holders--
    this.gate.leave(door, client)
  }

  occupied(): void {
    this.#empty.closeUnsafe()
  }

  emptied(): void {
    this.#empty.openUnsafe()
  }

  resumeFailed({ address }: Door, cause: ListenError): void {
    this.emit?.({ _tag: "AcceptFailed", address, failure: { code: cause.problem, cause } })
  }

  acceptFailed(address: Address.Address): (failure: { code: string | undefined; cause: unknown }) => void {
    return (failure) => this.emit?.({ _tag: "AcceptFailed", address, failure })
  }

  // What an observer throws belongs to its author, not in the middle of a connection: it is thrown again outside.
  #tell(observe: Observer, event: Event): void {
    try {
      observe(event)
    } catch (error) {
      this.turn.throwLater(error)
    }
  }

  // ── Too much ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get usage(): Usage {
    const { gate, inFlight } = this
    return {
      connections: this.connections.size,
      waiting: gate.waiting,
      refusing: gate.refusing,
      probes: gate.probes,
      memory: this.budget.total,
      inFlight: inFlight.used,
      inFlightWaiting: inFlight.waiting,
      inFlightWaited: inFlight.waited,
      lag: this.deadlines.lag,
      load: this.#overload.load,
      overloaded: this.overloaded,
    }
  }

  #sample(): void {
    const { lag: bound } = this.settings.overload
    if (bound < Infinity) this.deadlines.arm(this.#sampler, sampleMillis)
    const { load } = this.#overload
    const now = this.#overload.sample(this.deadlines.lag, bound)
    if (now !== load) this.emit?.({ _tag: "LoadChanged", load: now, lag: this.deadlines.lag })
    if (now !== "shedding") return
    // A process that is late still finishes what it has begun.
    const open = this.#expendable().filter((connection) => engineOf(connection).reason === undefined)
    for (const connection of open.slice(0, Math.ceil(this.connections.size / 100))) {
      connection.closeUnsafe(CloseReason.overloaded("lag"))
    }
  }

  #relieve(): void {
    const { budget } = this
    // What the system has taken meanwhile, nobody was told of.
    for (const connection of this.connections.values()) engineOf(connection).account()
    const excess = budget.look()
    if (excess > 0) this.#free(budget.total - excess)
    if (budget.tight) this.deadlines.arm(this.#reliever, sampleMillis)
  }

  readonly #reliever: Deadline = { slot: 0, expire: () => this.turn.next(() => this.#relieve()) }

  /** Ends connections that hold something until no more than so many bytes are held, also those that are ending. */
  #free(enough: number): void {
    for (const connection of this.#expendable()) {
      if (this.budget.total <= enough) return
      // What lies in memory has to go at once.
      if (connection.held > 0) connection.abortUnsafe(CloseReason.overloaded("memory"))
    }
  }

  /** The connections, the least important ones first, and of these the fattest. */
  #expendable(): ReadonlyArray<Connection> {
    const held = new Map([...this.connections.values()].map((connection) => [connection, connection.held]))
    return [...held.keys()].sort((a, b) => a.importance - b.importance || held.get(b)! - held.get(a)!)
  }

  #alarm(of: "maxConnections" | "memory" | "maxInFlight", value: number, limit: number): void {
    for (const { of: what, at, cooldown, threshold } of this.#alarms) {
      if (what !== of || !threshold.crossed(value, limit * at, () => this.monotonic(), cooldown)) continue
      this.emit?.({ _tag: "LimitCrossed", limit: of, value, threshold: limit * at })
    }
  }

  // ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Drains; `closing` closes the listeners. */
  drain(closing: Effect.Effect<void>): Effect.Effect<DrainReport> {
    return Effect.suspend(() => {
      const began = this.monotonic()
      const { drain: how, deadlines } = this.settings
      this.state = "Draining"
      const draining: Draining = {
        connections: this.connections,
        arrived: () => this.gate.arrived,
        places: () => this.gate.taken,
        empty: this.#empty.await,
        enter: (phase) => {
          this.drainPhase = phase
          this.emit?.({ _tag: "Draining", phase, connections: this.connections.size })
          return this.steps.run(phase)
        },
        stopAccepting: Effect.map(closing, () => {
          this.accepting = false
          this.gate.close()
        }),
        tell: () => this.#draining.openUnsafe(),
        abort: () => this.abort(),
        aborted: this.#aborted.await,
        isAborted: () => this.#aborted.isOpen(),
      }
      return Effect.map(drain(draining, how, deadlines.close), () => {
        // Whose finalizers hang.
        for (const [id, connection] of this.connections) {
          this.#count(id, engineOf(connection).reason, connection.unsent)
        }
        this.state = "Stopped"
        const report = { ...this.#ended, duration: this.monotonic() - began, steps: this.steps.report }
        this.emit?.({ _tag: "Drained", report })
        return report
      })
    })
  }

  /** Accepts nobody until it is resumed. */
  suspend(): void {
    if (this.state !== "Serving") return
    this.state = "Suspended"
    this.#suspensions++
    this.gate.suspend(this.doors)
    this.emit?.({ _tag: "Suspended" })
  }

  /** Accepts again; done once all listeners do, or are not to any more. */
  readonly resume: Effect.Effect<void> = Effect.suspend(() => {
    if (this.state === "Suspended") {
      this.state = "Serving"
      const suspensions = this.#suspensions
      // In a fiber of its own: whoever stops waiting does not stop the server from accepting.
      this.#resuming = this.fork(Effect.map(this.gate.resume(this.doors), () => {
        if (this.state === "Serving" && suspensions === this.#suspensions) this.emit?.({ _tag: "Resumed" })
      }))
    }
    return this.#resuming === undefined ? Exit.void : Effect.asVoid(Fiber.await(this.#resuming))
  })

  /** Whoever is left when all waiting is over. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    this.abort()
    return this.gate.taken === 0 ? Exit.void : Effect.timeoutOption(this.#empty.await, this.settings.deadlines.close)
  })

  abort(): void {
    this.#aborted.openUnsafe()
    this.gate.abort()
    for (const [id, connection] of this.connections) {
      if (!engineOf(connection).finished) this.#forced.add(id)
      connection.abortUnsafe(CloseReason.drainTimeout)
    }
  }
}
