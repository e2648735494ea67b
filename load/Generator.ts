/**
 * The sessions of a run, and what is due: who sends next, and what is measured when.
 *
 * It has no fibers, connects nobody and ends nothing by itself; {@link ./Run.ts} does. A turn of the loop takes all replies
 * that have come, and then sends what is due together, in one write a connection: a reply that lies in the system while
 * others are asked would be measured with the time that this takes.
 *
 * Requests of a schedule have one queue, which takes no memory: they are due in order at moments that can be calculated,
 * so those that wait are a number. Whoever has room sends the next, and so a connection that ends takes none of them along.
 */
import { ByteWriter } from "../core/ByteWriter.ts"
import type { Transport } from "../core/Sockets.ts"
import { Measurement } from "./Measurement.ts"
import type { Interval } from "./Outcome.ts"
import type { Plan } from "./Plan.ts"
import { Poll } from "./Poll.ts"
import { record, type Recorder } from "./Recorder.ts"
import { Ring } from "./Ring.ts"
import { Schedule } from "./Schedule.ts"
import { type Run as Host, Session } from "./Session.ts"

/** Requests of all connections at once, at most: who has none of its own bound would need memory without one. */
const mostInFlight = 2 ** 20
const leastInFlight = 128

/** Everything of a run but its fibers. */
export class Generator implements Host {
  readonly plan: Plan
  readonly codec: Host["codec"]
  readonly inFlight: number
  readonly writer = new ByteWriter()
  readonly now: () => number
  readonly measurement: Measurement
  readonly recorder: Recorder
  /** When it began to send, warm-up included. */
  began = 0
  sending = false
  problem: string | undefined
  readonly #poll: Poll
  readonly #later: (task: () => void) => void
  readonly #sessions: Array<Session> = []
  readonly #schedule: Schedule
  readonly #touched: Array<Session> = []
  readonly #turn: Array<{ readonly session: Session; readonly count: number }> = []
  readonly #thinking = new Ring<{ readonly at: number; readonly session: Session; readonly count: number }>()
  readonly #closing = new Ring<{ readonly at: number; readonly session: Session }>()
  #noticed = 0 // requests of the schedule that are due
  #dispatched = 0 // of them, sent
  #unmeasured = 0 // of them, that were due before measuring
  #dueAt = Infinity // the next one
  #next = 0
  #beats = 0
  #settled = false
  #arrivedAt: number | undefined // what comes in this turn
  #ending = false // what is to be done at the end of the turn is scheduled
  #sendsAtEnd = false

  /** `later` runs a task in the next turn of the loop. */
  constructor(plan: Plan, now: () => number, cpu: () => number, later: (task: () => void) => void) {
    this.plan = plan
    this.now = now
    this.#later = later
    this.#poll = new Poll(now, later, () => this.sending ? this.#dueAt : Infinity, (now) => this.#dispatch(now))
    this.measurement = new Measurement(now, () => cpu() - this.#poll.idled)
    this.recorder = this.measurement.recorder
    this.codec = plan.framing()
    this.inFlight = Math.min(
      plan.inFlight,
      Math.max(leastInFlight, Math.floor(mostInFlight / Math.max(1, plan.connections))),
    )
    // The warm-up goes at the rate at which measuring begins.
    const rate = plan.stages[0]?.from ?? 0
    this.#schedule = new Schedule([{ from: rate, to: rate, duration: plan.warmup }, ...plan.stages], plan.phase)
  }

  get measuredFrom(): number {
    return this.measurement.from
  }

  /** Connections that are there. */
  get live(): number {
    return this.#sessions.length
  }

  /** Replies that are waited for, and requests that wait for room. */
  get owed(): number {
    let owed = this.live === 0 ? 0 : this.#noticed - this.#dispatched
    for (const { inFlight, unanswered } of this.#sessions) owed += inFlight + unanswered
    return owed
  }

  /** Requests that were due while measuring, of an open run. */
  get scheduled(): number | undefined {
    return this.plan.mode === "open" ? this.#noticed - this.#unmeasured : undefined
  }

  /** Of those, the ones that were not sent. */
  get unsent(): number {
    return Math.min(this.#noticed - this.#dispatched, this.#noticed - this.#unmeasured)
  }

  /** A connection is there, and was begun at a moment. `ready` is told whether requests may be sent. */
  join(number: number, transport: Transport, began: number, ready: (welcome: boolean) => void): Session {
    record(this.recorder.connect, this.now() - began)
    this.recorder.connections++
    const session = new Session(number, transport, this)
    session.begin((welcome) => {
      if (welcome && this.#settled) session.abort()
      else if (welcome) {
        this.#sessions.push(session)
        if (this.sending) this.#fill(session, began)
      }
      ready(welcome)
    })
    return session
  }

  // ── What happens when ────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to send. How connecting went so far is a result, whatever comes. */
  start(): void {
    this.measurement.start()
    this.began = this.now()
    this.#dueAt = this.began + this.#schedule.timeOf(1)
    if (this.plan.warmup === 0) this.measurement.begin(this.began)
    this.sending = true
    for (const session of [...this.#sessions]) this.#fill(session, this.began)
  }

  /** The warm-up is over. What was meant to be sent before is not measured, whenever its reply comes. Returns when it was. */
  measure(): number {
    const now = this.now()
    if (this.plan.mode === "open") this.#notice(now)
    this.#unmeasured = this.#noticed
    // Also what was meant at this very moment, which may be sent.
    this.measurement.begin(now + 1e-6)
    return now
  }

  /** What was measured since the last time becomes an interval. */
  cut(at: number): Interval {
    let inFlight = 0
    for (const session of this.#sessions) inFlight += session.inFlight
    return this.measurement.cut(at, { connections: this.live, inFlight })
  }

  /** Ends sending, but of what is due already: that goes on as far as there is room, until it is settled. */
  stop(): void {
    // The last one is due at the very end, which is later than the last tick; nobody may answer any more who would send it.
    if (this.sending && this.plan.mode === "open") this.#dispatch(this.now())
    this.sending = false
  }

  /** What has no reply by now has none. */
  settle(): void {
    const now = this.now()
    for (const session of [...this.#sessions]) {
      const missing = session.giveUp(now)
      this.recorder.fail("reply-timeout", missing)
      this.recorder.fail("heartbeat-timeout", session.unanswered)
      if (missing > 0) session.abort()
      else session.finish()
    }
    this.#settled = true
    // What was never sent has waited as well. Of millions, those of one millisecond need not be told apart.
    for (let left = this.unsent; left > 0;) {
      const first = this.#noticed - left + 1
      const time = this.#schedule.timeOf(first)
      const count = Math.max(1, Math.min(left, this.#schedule.due(time + 1) - first + 1))
      record(this.recorder.response, now - this.began - time, count)
      left -= count
    }
  }

  abort(): void {
    for (const session of [...this.#sessions]) session.abort()
  }

  /** Sends what is due, of whoever wakes this up every `step` milliseconds. */
  tick(step: number): void {
    const now = this.measurement.tick(step)
    if (!this.sending) return
    if (this.plan.mode === "open") this.#dispatch(now)
    if (this.plan.polls === true) this.#poll.begin(now)
    for (let next = this.#thinking.first; next !== undefined && next.at <= now; next = this.#thinking.first) {
      this.#thinking.shift()
      this.#ask(next.session, next.count, next.at)
    }
    this.#beat(now)
    for (let next = this.#closing.first; next !== undefined; next = this.#closing.first) {
      if (!next.session.over && next.at > now) break
      this.#closing.shift()
      if (next.session.over) continue
      this.recorder.fail("close-timeout")
      next.session.abort()
    }
  }

  // ── What sessions say ────────────────────────────────────────────────────────────────────────────────────────────

  arrived(): number {
    // First, for what follows takes time that is none of the server's.
    const at = this.#arrivedAt ??= this.now()
    this.#poll.work()
    if (!this.#ending) {
      this.#ending = true
      this.#later(this.#endTurn)
    }
    return at
  }

  wrote(): void {
    this.#arrivedAt = undefined
  }

  done(session: Session, count: number, now: number): void {
    if (this.plan.mode === "open") {
      // In this turn it would go round and round: what is sent is done.
      if (this.plan.expect._tag === "None") this.#nextTurn(session, 0)
      // Also what has become due since the last tick: the sooner the better.
      else if (this.#dueAt <= now || this.#noticed > this.#dispatched) this.#sendsAtEnd = true
      return
    }
    if (this.plan.mode === "churn") {
      session.finish()
      if (this.sending) this.#closing.push({ at: now + this.plan.connectTimeout, session })
      return
    }
    if (!this.sending || !session.open) return
    if (this.plan.think > 0) this.#thinking.push({ at: now + this.plan.think, session, count })
    // Nobody has answered, and so this would never end.
    else if (this.plan.expect._tag === "None") this.#nextTurn(session, count)
    else this.#ask(session, count, now)
  }

  drained(session: Session): void {
    if (this.plan.mode === "open" && this.#noticed > this.#dispatched) this.#dispatch(this.now())
    if (this.plan.mode === "flood" && this.sending) this.#nextTurn(session, 0)
  }

  ended(session: Session): void {
    const at = this.#sessions.indexOf(session)
    if (at < 0) return
    const last = this.#sessions.pop()!
    if (last !== session) this.#sessions[at] = last
    this.recorder.fail("reply-lost", session.giveUp(this.now()))
  }

  broken(problem: string): void {
    this.problem ??= problem
    this.sending = false
  }

  // ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** All that has come in this turn is taken. */
  readonly #endTurn = (): void => {
    this.#ending = false
    this.#arrivedAt = undefined
    if (!this.#sendsAtEnd) return
    this.#sendsAtEnd = false
    this.#dispatch(this.now())
  }

  /** The first requests of a connection. */
  #fill(session: Session, began: number): void {
    switch (this.plan.mode) {
      case "closed":
        return this.#ask(session, this.inFlight, this.now())
      case "churn":
        return this.#ask(session, 1, began)
      case "flood":
        return this.#nextTurn(session, 0)
      case "open":
      case "idle":
    }
  }

  #ask(session: Session, count: number, intended: number): void {
    if (!session.open) return
    for (let index = 0; index < count; index++) session.request(intended)
    session.flush()
  }

  /** Goes on with a session when others have had their turn. */
  #nextTurn(session: Session, count: number): void {
    if (this.#turn.push({ session, count }) > 1) return
    this.#later(() => {
      for (const { session, count } of this.#turn.splice(0)) {
        if (this.plan.mode === "open") {
          this.#dispatch(this.now())
        } else if (!this.sending || !session.open) {
          continue
        } else if (this.plan.mode === "closed") {
          this.#ask(session, count, this.now())
        } else {
          session.flood()
          if (session.room > 0) this.#nextTurn(session, 0)
        }
      }
    })
  }

  /** Which requests have become due, and how late this is. */
  #notice(now: number): void {
    const due = this.#schedule.due(now - this.began)
    while (this.#noticed < due) {
      this.#noticed++
      if (this.#dueAt >= this.measuredFrom) record(this.recorder.lateness, Math.max(0, now - this.#dueAt))
      this.#dueAt = this.began + this.#schedule.timeOf(this.#noticed + 1)
    }
  }

  #dispatch(now: number): void {
    if (this.#settled || this.problem !== undefined) return
    if (this.sending) this.#notice(now)
    const sessions = this.#sessions
    for (let full = 0; this.#dispatched < this.#noticed && full < sessions.length; this.#next++) {
      const session = sessions[this.#next % sessions.length]!
      if (session.room <= 0) {
        full++
        continue
      }
      full = 0
      this.#dispatched++
      if (session.request(this.began + this.#schedule.timeOf(this.#dispatched))) this.#touched.push(session)
    }
    for (const session of this.#touched) session.flush()
    this.#touched.length = 0
  }

  /** One connection after the other, so that each does it once in the time and never all of them at once. */
  #beat(now: number): void {
    const { beat, connections } = this.plan
    if (beat === undefined) return
    const due = Math.floor(((now - this.began) / beat.every) * connections)
    // After a long stop nobody beats twice.
    this.#beats = Math.max(this.#beats, due - connections)
    if (this.#beats === due) return
    const some = new Set<number>()
    while (this.#beats < due) some.add(this.#beats++ % connections)
    for (const session of this.#sessions) if (some.has(session.number)) session.beat()
  }
}
