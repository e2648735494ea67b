/**
 * A run: connects, warms up, measures, stops sending, waits for the replies that are left, and closes.
 *
 * Sessions time themselves; here is what happens when. One fiber ticks; nothing else of it is on the path of a reply. Time
 * is Effect's, so that a test has it in its hands.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import { ByteWriter } from "../core/ByteWriter.ts"
import type { ConnectProblem, Sockets, TransportEnd } from "../core/Sockets.ts"
import * as Connector from "./Connector.ts"
import type { Plan } from "./Plan.ts"
import { type Failure, record, Recorder } from "./Recorder.ts"
import { Schedule } from "./Schedule.ts"
import { Ring, type Run as Host, Session } from "./Session.ts"

/** What was measured in one second, or the rest of one. */
export interface Interval {
  /** Milliseconds since measuring began, at its end. */
  readonly at: number
  readonly recorder: Recorder
  /** Connections that are there. */
  readonly connections: number
  readonly inFlight: number
  /** How late the tick was, in milliseconds, at most. */
  readonly lag: number
  /** CPU time of this process, in milliseconds. */
  readonly cpu: number
}

/** What a run has measured. */
export interface Outcome {
  readonly total: Recorder
  readonly intervals: ReadonlyArray<Interval>
  /** Milliseconds of measuring. */
  readonly measured: number
  /** What the schedule wanted while measuring, of an open run. */
  readonly scheduled: number | undefined
  /** Requests of the schedule that were never sent. */
  readonly unsent: number
  /** Connections that were there when the warm-up began. */
  readonly connected: number
  /** It was ended before its time: by whoever ran it, or because no connection could be made. */
  readonly cut: boolean
}

/** What a run asks of its surroundings. */
export interface Options {
  /** CPU time of this process so far, in milliseconds. */
  readonly cpu: () => number
  /** Is told of every second that was measured. */
  readonly onInterval?: (interval: Interval) => void
  /** Ends the run early, with what was measured. */
  readonly stop?: Effect.Effect<void>
}

const tickMillis = 1
const idleTickMillis = 50
const second = 1_000
const reconnectMillis = 100
/** Bytes that a flood keeps unsent on a connection. */
const floodBytes = 256 * 1024
const floodBatch = 64

/** Runs a plan. Does not fail: what went wrong is in the outcome. */
export const run = (plan: Plan, options: Options): Effect.Effect<Outcome, never, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const open = yield* Connector.make(plan)
    const scope = yield* Effect.scope
    const clock = yield* Clock.Clock
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const generator = new Generator(plan, now)
    const connect = (number: number): Effect.Effect<void> => {
      const began = now()
      return open(number).pipe(
        Scope.provide(scope),
        Effect.timeoutOrElse({ duration: plan.connectTimeout, orElse: () => Effect.fail("timeout" as const) }),
        Effect.match({
          onSuccess: (transport) => generator.connected(number, transport, began),
          onFailure: (error) => {
            generator.recorder.fail(
              error === "timeout" ? "connect-timeout" : failures[error.problem] ?? "connect-failed",
            )
            generator.missing(number)
          },
        }),
      )
    }
    generator.again = (number) => void fork(Effect.delay(connect(number), plan.mode === "churn" ? 0 : reconnectMillis))

    const stopped = yield* Latch.make()
    if (options.stop !== undefined) yield* Effect.forkScoped(Effect.andThen(options.stop, stopped.open))
    const isStopped = (): boolean => stopped.isOpen()
    const nap = (millis: number): Effect.Effect<unknown> => Effect.timeoutOption(stopped.await, millis)

    yield* Effect.raceFirst(
      Effect.forEach(Array.from({ length: plan.connections }, (_, number) => number), connect, {
        concurrency: plan.connecting,
        discard: true,
      }),
      stopped.await,
    )
    const connected = generator.live
    const outcome = (measured: number, scheduled: number | undefined, cut: boolean): Outcome => ({
      total: generator.total,
      intervals: generator.intervals,
      measured,
      scheduled,
      unsent: generator.backlog,
      connected,
      cut,
    })
    if (connected === 0 && plan.mode !== "churn") {
      generator.total.add(generator.recorder)
      return outcome(0, undefined, true)
    }

    const step = plan.mode === "open" || plan.think > 0 || plan.beat !== undefined ? tickMillis : idleTickMillis
    const tick = Effect.fnUntraced(function* (until: number, from: number) {
      let nextSecond = from + second
      for (let time = now(); time < until && !isStopped(); time = now()) {
        yield* nap(Math.min(step, until - time))
        generator.tick(step)
        if (now() >= nextSecond) {
          nextSecond += second
          options.onInterval?.(generator.cut(now() - from, options.cpu))
        }
      }
    })

    generator.start()
    const warm = now()
    yield* tick(warm + plan.warmup, Infinity)
    const from = now()
    generator.measure(options.cpu)
    yield* tick(from + plan.duration, from)
    const measured = now() - from
    generator.stop()
    // Replies that come now were asked for while it was measured.
    const graceEnds = now() + plan.grace
    while (generator.owed > 0 && now() < graceEnds && !isStopped()) yield* nap(idleTickMillis)
    generator.settle()
    options.onInterval?.(generator.cut(measured, options.cpu))
    const closingEnds = now() + second
    while (generator.live > 0 && now() < closingEnds) yield* Effect.sleep(idleTickMillis)
    generator.abort()
    return outcome(measured, generator.scheduled, isStopped())
  }))

const failures: Partial<Record<ConnectProblem, Failure>> = {
  Refused: "connect-refused",
  TimedOut: "connect-timeout",
  AddressUnavailable: "ports-exhausted",
  NameNotFound: "name-not-found",
  TooManyDescriptors: "descriptors-exhausted",
}

/** The sessions of a run, and what is due. */
class Generator implements Host {
  readonly plan: Plan
  readonly writer = new ByteWriter()
  readonly now: () => number
  readonly total = new Recorder()
  readonly intervals: Array<Interval> = []
  recorder = new Recorder()
  sending = false
  /** Connects once more; set by whoever can. */
  again: (number: number) => void = () => {}
  readonly #sessions = new Map<number, Session>()
  readonly #schedule: Schedule
  readonly #thinking = new Ring<{ readonly at: number; readonly session: Session; readonly count: number }>()
  #began = 0
  #dispatched = 0
  #measuredFrom = 0
  #next = 0
  #beatAt = Infinity
  #tickedAt = 0
  #lag = 0
  #cpu = 0

  constructor(plan: Plan, now: () => number) {
    this.plan = plan
    this.now = now
    // The warm-up goes at the rate at which measuring begins.
    const rate = plan.stages[0]?.from ?? 0
    this.#schedule = new Schedule([{ from: rate, to: rate, duration: plan.warmup }, ...plan.stages])
  }

  get live(): number {
    return this.#sessions.size
  }

  /** Replies that are waited for, and requests that wait to be sent. */
  get owed(): number {
    let owed = 0
    for (const { inFlight, waiting } of this.#sessions.values()) owed += inFlight + waiting.length
    return owed
  }

  /** Requests of the schedule that nobody has sent. */
  get backlog(): number {
    if (this.plan.mode !== "open") return 0
    let waiting = 0
    for (const session of this.#sessions.values()) waiting += session.waiting.length
    return waiting + Math.max(0, this.#schedule.total - this.#dispatched)
  }

  get scheduled(): number | undefined {
    return this.plan.mode === "open" ? this.#schedule.total - this.#measuredFrom : undefined
  }

  connected(number: number, transport: ConstructorParameters<typeof Session>[1], began: number): void {
    record(this.recorder.connect, this.now() - began)
    this.recorder.connections++
    const session = new Session(number, transport, this)
    this.#sessions.set(number, session)
    session.begin(() => {
      if (this.sending) this.#fill(session, began)
    })
  }

  /** It could not connect. */
  missing(number: number): void {
    if (this.sending && (this.plan.reconnect || this.plan.mode === "churn")) this.again(number)
  }

  /** Begins to send. */
  start(): void {
    this.sending = true
    this.#began = this.now()
    this.#tickedAt = this.#began
    const { beat } = this.plan
    if (beat !== undefined) this.#beatAt = this.#began + beat.every
    for (const session of this.#sessions.values()) this.#fill(session, this.#began)
  }

  /** The warm-up is over: what was measured so far is forgotten. */
  measure(cpu: () => number): void {
    const { connect, connections, failures } = this.recorder
    this.recorder = new Recorder()
    // Connections are made before; how that went is a result.
    this.total.connect.add(connect)
    this.total.connections += connections
    for (const [failure, count] of failures) this.total.fail(failure, count)
    this.#measuredFrom = this.#dispatched
    this.#cpu = cpu()
    this.#lag = 0
  }

  /** What was measured since the last time becomes an interval. */
  cut(at: number, cpu: () => number): Interval {
    const { recorder } = this
    this.recorder = new Recorder()
    this.total.add(recorder)
    let inFlight = 0
    for (const session of this.#sessions.values()) inFlight += session.inFlight
    const used = cpu()
    const interval = { at, recorder, connections: this.live, inFlight, lag: this.#lag, cpu: used - this.#cpu }
    this.#cpu = used
    this.#lag = 0
    this.intervals.push(interval)
    return interval
  }

  stop(): void {
    this.sending = false
  }

  /** What has no reply by now has none. */
  settle(): void {
    let missing = 0
    for (const session of [...this.#sessions.values()]) {
      missing += session.inFlight
      if (session.inFlight > 0) session.abort()
      else session.finish()
    }
    if (missing > 0) this.recorder.fail("reply-timeout", missing)
  }

  abort(): void {
    for (const session of [...this.#sessions.values()]) session.abort()
  }

  /** Sends what is due. */
  tick(step: number): void {
    const now = this.now()
    this.#lag = Math.max(this.#lag, now - this.#tickedAt - step)
    this.#tickedAt = now
    if (!this.sending) return
    if (this.plan.mode === "open") this.#dispatch(now)
    for (let next = this.#thinking.first; next !== undefined && next.at <= now; next = this.#thinking.first) {
      this.#thinking.shift()
      if (!next.session.over) next.session.send(now, next.count)
    }
    if (now >= this.#beatAt) {
      this.#beatAt += this.plan.beat!.every
      for (const session of this.#sessions.values()) session.beat()
    }
  }

  // ── What sessions say ────────────────────────────────────────────────────────────────────────────────────────────

  replied(session: Session, count: number): void {
    const { plan } = this
    if (plan.mode === "churn") return session.finish()
    while (session.waiting.length > 0 && session.inFlight < plan.inFlight) {
      this.#sendDue(session, session.waiting.shift()!)
    }
    if (!this.sending || plan.mode !== "closed") return
    const now = this.now()
    if (plan.think === 0) session.send(now, count)
    else this.#thinking.push({ at: now + plan.think, session, count })
  }

  drained(session: Session): void {
    if (this.plan.mode === "flood" && this.sending) this.#flood(session)
  }

  ended(session: Session, _end: TransportEnd["_tag"]): void {
    const { number, inFlight, waiting } = session
    this.#sessions.delete(number)
    // What was not sent is due still, on another connection.
    for (let due = waiting.shift(); due !== undefined; due = waiting.shift()) this.#orphans.push(due)
    if (inFlight > 0 && this.plan.mode !== "churn") this.recorder.fail("reply-timeout", inFlight)
    if (!this.sending) return
    if (this.plan.mode === "churn") return this.again(number)
    if (!this.plan.reconnect) return
    this.recorder.reconnects++
    this.again(number)
  }

  // ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #orphans = new Ring<number>()

  /** The first requests of a connection. */
  #fill(session: Session, began: number): void {
    switch (this.plan.mode) {
      case "closed":
        return session.send(this.now(), this.plan.inFlight)
      case "churn":
        return session.send(began)
      case "flood":
        return this.#flood(session)
      case "open":
      case "idle":
    }
  }

  #flood(session: Session): void {
    while (session.unsent < floodBytes && !session.over) session.send(this.now(), floodBatch)
  }

  #dispatch(now: number): void {
    const sessions = [...this.#sessions.values()]
    if (sessions.length === 0) return
    for (let due = this.#orphans.shift(); due !== undefined; due = this.#orphans.shift()) this.#give(sessions, due)
    const due = this.#schedule.due(now - this.#began)
    while (this.#dispatched < due) {
      this.#dispatched++
      this.#give(sessions, this.#began + this.#schedule.timeOf(this.#dispatched))
    }
  }

  #give(sessions: ReadonlyArray<Session>, intended: number): void {
    const session = sessions[this.#next++ % sessions.length]!
    if (session.inFlight < this.plan.inFlight && session.waiting.length === 0) this.#sendDue(session, intended)
    else session.waiting.push(intended)
  }

  #sendDue(session: Session, intended: number): void {
    record(this.recorder.lateness, this.now() - intended)
    session.send(intended)
  }
}
