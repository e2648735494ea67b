/**
 * A run: connects, warms up, measures, stops sending, waits for the replies that are left, and closes.
 *
 * Sessions time themselves, and the generator knows what is due; here is what happens when. One fiber ticks and one a
 * connection makes it and waits for its end; none of them is on the path of a reply. Time is Effect's, so that a test has it
 * in its hands.
 *
 * What *intended* means, from which response time counts:
 *
 * - `open`: the moment of the schedule, whatever held the request up.
 * - `churn`: when connecting began.
 * - `closed`: when the reply came that freed its place, or when the time to think was over then. Such a request depends on
 *   the one before it, so nobody meant it earlier: a server that is slow is asked less, as a user who waits asks less. What
 *   a schedule would have felt meanwhile cannot be calculated afterwards (expected times are guesses, and correcting the
 *   histogram counts what never was); whoever asks that wants an open run. See HdrHistogram issue 148 and wrk issue 485.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Scheduler from "effect/Scheduler"
import * as Semaphore from "effect/Semaphore"
import type { ConnectProblem, Sockets } from "../core/Sockets.ts"
import * as Connector from "./Connector.ts"
import { Generator } from "./Generator.ts"
import type { Interval, Outcome } from "./Outcome.ts"
import type { Plan } from "./Plan.ts"
import type { Failure } from "./Recorder.ts"
import type { Session } from "./Session.ts"

export type { Interval, Outcome }

/** What a run asks of its surroundings. */
export interface Options {
  /** CPU time of this process so far, in milliseconds. */
  readonly cpu: () => number
  /** A monotonic clock in milliseconds, for latencies. Default Effect's, which costs more. */
  readonly now?: () => number
  /** Is told of every second that was measured. */
  readonly onInterval?: (interval: Interval) => void
  /** Is told how many connections there are (of a churn, none yet), before anything is sent. Sending waits for it. */
  readonly ready?: (connected: number) => Effect.Effect<void>
  /** Ends the run early, with what was measured. */
  readonly stop?: Effect.Effect<void>
}

const tickMillis = 1
const idleTickMillis = 50
const second = 1_000
const reconnectMillis = 100

/** Runs a plan. Does not fail: what went wrong is in the outcome. */
export const run = (plan: Plan, options: Options): Effect.Effect<Outcome, never, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const open = yield* Connector.make(plan)
    const clock = yield* Clock.Clock
    const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
    const now = options.now ?? ((): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
    const generator = new Generator(plan, now, options.cpu, (task) => dispatcher.scheduleTask(task, 0))

    // ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────

    const started = yield* Latch.make()
    const tried = yield* Latch.make() // all connections, once
    let untried = plan.connections
    // Of a churn, waiting would be part of what is measured.
    const permits = Semaphore.makeUnsafe(plan.mode === "churn" ? Math.max(1, plan.connections) : plan.connecting)

    const greet = (number: number, transport: Parameters<Generator["join"]>[1], began: number) =>
      Effect.callback<Session | undefined>((resume) => {
        const session = generator.join(
          number,
          transport,
          began,
          (welcome) => resume(Effect.sync(() => welcome ? session : undefined)),
        )
      })

    /** Connects once; undefined when that has failed. */
    const connect = Effect.fnUntraced(function* (number: number) {
      const began = now()
      const transport = yield* Effect.timeoutOrElse(open(number), {
        duration: plan.connectTimeout,
        orElse: () => Effect.fail({ problem: "TimedOut" } as const),
      }).pipe(Effect.catch(({ problem }) => {
        generator.recorder.fail(connectFailures[problem] ?? "connect-failed")
        return Effect.undefined
      }))
      if (transport === undefined) return undefined
      return yield* Effect.timeoutOrElse(greet(number, transport, began), {
        duration: plan.connectTimeout,
        orElse: () => {
          generator.recorder.fail("hello-timeout")
          return Effect.undefined
        },
      })
    })

    /** Connects, and waits for the end. Returns whether it was connected. */
    const hold = Effect.fnUntraced(function* (number: number, again: boolean) {
      const session = yield* permits.withPermits(1)(connect(number))
      if (untried > 0 && --untried === 0) tried.openUnsafe()
      if (session === undefined) return false
      if (again) generator.recorder.reconnects++
      yield* Effect.callback<void>((resume) => session.onEnd(() => resume(Effect.void)))
      return true
    })

    const keep = Effect.fnUntraced(function* (number: number) {
      const churns = plan.mode === "churn"
      for (let again = false;; again = true) {
        const held = yield* Effect.scoped(hold(number, again && !churns))
        yield* started.await
        if (!generator.sending || !(churns || plan.reconnect)) return
        if (!churns || !held) yield* Effect.sleep(reconnectMillis)
        if (!generator.sending) return
      }
    })

    // ── Phases ───────────────────────────────────────────────────────────────────────────────────────────────────

    const stopped = yield* Latch.make()
    if (options.stop !== undefined) yield* Effect.forkScoped(Effect.andThen(options.stop, stopped.open))
    const isOver = (): boolean => stopped.isOpen() || generator.problem !== undefined

    const pace = second / (plan.connectRate ?? Infinity)
    const connectAll = Effect.forEach(
      Array.from({ length: plan.connections }, (_, number) => number),
      (number) => Effect.forkScoped(pace === 0 ? keep(number) : Effect.delay(keep(number), number * pace)),
      { discard: true },
    )
    if (plan.mode !== "churn") {
      yield* connectAll
      yield* Effect.raceFirst(tried.await, stopped.await)
    }
    const connected = generator.live
    const outcome = (measured: number, cpu: number): Outcome => ({
      total: generator.measurement.total,
      intervals: generator.measurement.intervals,
      measured,
      cpu,
      lag: generator.measurement.lag,
      scheduled: generator.scheduled,
      unsent: generator.unsent,
      connected: plan.mode === "churn" ? generator.measurement.total.connections : connected,
      cut: isOver() || measured === 0,
      problem: generator.problem,
    })
    const isThere = connected > 0 || plan.mode === "churn"
    if (isThere && options.ready !== undefined) yield* Effect.raceFirst(options.ready(connected), stopped.await)
    if (isOver() || !isThere) {
      generator.measurement.total.add(generator.recorder)
      return outcome(0, 0)
    }

    const step = plan.mode === "open" || plan.think > 0 ? tickMillis : idleTickMillis
    const tick = Effect.fnUntraced(function* (until: number, from: number) {
      let nextSecond = from + second
      for (let time = now(); time < until && !isOver(); time = now()) {
        const nap = Math.min(step, until - time)
        yield* Effect.sleep(nap)
        generator.tick(nap)
        const then = now()
        // What is left at the end becomes one with the replies that come then.
        if (then < nextSecond || then >= until) continue
        nextSecond += second * Math.ceil((then - nextSecond + 1) / second)
        const interval = generator.cut(then - from)
        options.onInterval?.(interval)
      }
    })

    generator.start()
    started.openUnsafe()
    if (plan.mode === "churn") yield* connectAll
    if (plan.warmup > 0) yield* tick(generator.began + plan.warmup, Infinity)
    const from = plan.warmup > 0 ? generator.measure() : generator.began
    yield* tick(from + plan.duration, from)
    const measured = now() - from
    const { cpu } = generator.measurement
    generator.stop()
    // Replies that come now were asked for while it was measured.
    const graceEnds = now() + (isOver() ? Math.min(plan.grace, second) : plan.grace)
    for (let left = graceEnds - now(); generator.owed > 0 && left > 0; left = graceEnds - now()) {
      yield* Effect.sleep(Math.min(idleTickMillis, left))
    }
    generator.settle()
    const interval = generator.cut(measured)
    options.onInterval?.(interval)
    const closingEnds = now() + second
    while (generator.live > 0 && now() < closingEnds) yield* Effect.sleep(idleTickMillis)
    generator.abort()
    return outcome(measured, cpu)
  }))

/** What it is called that a connection could not be made; `connect-failed` where it has no name of its own. */
export const connectFailures: Partial<Record<ConnectProblem, Failure>> = {
  Refused: "connect-refused",
  TimedOut: "connect-timeout",
  Unreachable: "connect-unreachable",
  PermissionDenied: "connect-denied",
  HandshakeFailed: "handshake-failed",
  InvalidSource: "source-unavailable",
  AddressUnavailable: "ports-exhausted",
  NameNotFound: "name-not-found",
  TooManyDescriptors: "descriptors-exhausted",
}
