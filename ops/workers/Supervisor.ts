/**
 * Keeps a number of workers running: starts them, starts them again when they end, replaces them without a gap, and ends
 * them. Rules:
 *
 * 1. The first worker is ready before the others start: it chooses the port, and what is wrong with all of them is said
 *    once.
 * 2. Who ends unasked is started again, after a wait that doubles each time and is forgotten once a worker ran well.
 * 3. When starting fails again and again and nobody serves, or not all ever did, it is given up. While some serve, it is
 *    tried for ever: broken code on the disk does not end those who run the code before.
 * 4. Who is replaced drains only when all new ones are ready. If one of these is not, they go, and the old ones stay.
 *
 * Nothing here knows what a worker is: a process, or in tests none. Time is Effect's clock.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { Inquiry } from "./Inquiry.ts"

/** A worker that was started. */
export interface Worker {
  /** Undefined when it could not even be started; then it has ended. */
  readonly pid: number | undefined
  /** Waits until it serves; for ever, if it ends before. */
  readonly ready: Effect.Effect<Ready>
  readonly ended: Effect.Effect<End>
  /** What it says of itself. */
  readonly inquiry: Inquiry
  /** Asks it to drain and end. Again: nothing. */
  drain(): void
  /** Asks it to end at once, with this exit code. */
  abort(code: number): void
  /** Ends it, asked or not. */
  kill(): void
}

/** What a worker says once it serves. */
export interface Ready {
  /** What it listens on: `127.0.0.1:9000`. */
  readonly address: string
  readonly port: number
  /** Milliseconds that its drain may take. */
  readonly patience: number
}

/** How a worker ended. */
export interface End {
  /** Undefined when it was killed or could not be started. */
  readonly code: number | undefined
  /** In words: `exit code 1`, `SIGKILL`. */
  readonly how: string
}

/** Starts a worker: the one with this number, counted from 1, on this port once one is known. */
export type Launch = (number: number, port: number | undefined) => Effect.Effect<Worker>

/** Options of {@link make}. */
export interface Options {
  /** How many workers. */
  readonly count: number
  /** In which a worker has to be ready. Default 60 s. */
  readonly startTimeout?: Duration.Input
  /** The wait before the first start again; it doubles each time, and a random half of it is taken off. Default 250 ms. */
  readonly backoff?: Duration.Input
  /** The longest wait. Default 30 s. */
  readonly maxBackoff?: Duration.Input
  /** After which a worker ran well, so that the waits begin anew. Default 10 s. */
  readonly stable?: Duration.Input
  /** Starts in a row that may fail. Default 5. */
  readonly maxStarts?: number
}

/** They keep failing at start. The message says how. */
export class GaveUp extends Data.TaggedError("GaveUp")<{ readonly message: string }> {}

/** The first worker says that it was configured wrongly, by exit code 2; it has said what is wrong. */
export class Misconfigured extends Data.TaggedError("Misconfigured") {}

/** A worker that has not ended. */
export interface Member {
  readonly number: number
  readonly worker: Worker
  /** Undefined until it is ready. */
  readonly ready: Ready | undefined
  /** It was told to drain. */
  readonly draining: boolean
}

/** How a rolling restart went. */
export type Rolled =
  | { readonly _tag: "Done"; readonly workers: number; readonly replaced: number; readonly forced: number }
  | { readonly _tag: "Failed"; readonly how: string }
  | { readonly _tag: "Refused"; readonly why: string }

/** What happened so far. */
export interface Counts {
  /** Starts again of who had ended unasked or had not started. */
  readonly restarts: number
  /** Rolling restarts by how they went. */
  readonly rolls: Readonly<Record<Rolled["_tag"], number>>
}

/** Workers that are kept running. */
export interface Supervisor {
  /** How many there are to be. */
  readonly count: number
  /** All that have not ended: those that start, serve and drain. */
  readonly members: ReadonlyArray<Member>
  /** They were told to end. */
  readonly ending: boolean
  readonly counts: Counts
  /** Waits until all of them have been ready once. */
  readonly started: Effect.Effect<void>
  /** Keeps them running until it is interrupted or cannot. */
  readonly run: Effect.Effect<never, GaveUp | Misconfigured>
  /** Replaces all of them by new ones. */
  readonly roll: Effect.Effect<Rolled>
  /** Drains all of them. Says whether all who served ended with 0. */
  readonly drain: Effect.Effect<boolean>
  /** Ends all of them at once, with this exit code. */
  abort(code: number): Effect.Effect<void>
}

/** Who does not end when told to abort is killed so many milliseconds later. */
const abortPatience = 1_000
/** Who is told to drain before being ready has so many milliseconds. */
const startingPatience = 10_000

interface Running {
  readonly worker: Worker
  readonly ready: Ready
  readonly since: number
}

/** A place for one worker after the other. */
interface Slot {
  readonly number: number
  readonly up: Deferred.Deferred<void>
  running: Running | undefined
  /** Ends and failed starts in a row, since one ran well. */
  ends: number
  /** Failed starts in a row, since one was ready. */
  failed: number
  keeper: Fiber.Fiber<unknown> | undefined
}

interface StartFailed {
  readonly number: number
  readonly how: string
  readonly code: number | undefined
}

/** Acquires a supervisor that has not started anything yet. When the scope closes, whoever is left is killed. */
export const make = Effect.fnUntraced(function* (
  launch: Launch,
  options: Options,
): Effect.fn.Return<Supervisor, never, Scope.Scope> {
  const startTimeout = Duration.fromInputUnsafe(options.startTimeout ?? "60 seconds")
  const backoff = Duration.toMillis(options.backoff ?? "250 millis")
  const maxBackoff = Duration.toMillis(options.maxBackoff ?? "30 seconds")
  const stable = Duration.toMillis(options.stable ?? "10 seconds")
  const { count, maxStarts = 5 } = options

  /** All that have not ended. */
  const alive = new Map<Worker, Member>()
  yield* Effect.addFinalizer(() => Effect.sync(() => alive.forEach((_, worker) => worker.kill())))
  const clock = yield* Clock.Clock
  const now = (): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const scope = yield* Effect.scope
  /** Closed when nobody is to be started any more. */
  const tending = yield* Scope.fork(scope)
  const failure = Deferred.makeUnsafe<never, GaveUp | Misconfigured>()
  const slots = Array.from({ length: count }, (_, index): Slot => ({
    number: index + 1,
    up: Deferred.makeUnsafe(),
    running: undefined,
    ends: 0,
    failed: 0,
    keeper: undefined,
  }))
  let state: "Starting" | "Running" | "Rolling" | "Ending" = "Starting"
  let port: number | undefined
  let restarts = 0
  const rolls = { Done: 0, Failed: 0, Refused: 0 }

  // ── One worker ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts one and waits until it is ready; then `started` has it, whatever happens. Who is not in time is killed. */
  const start = (number: number, started: (running: Running) => void): Effect.Effect<void, StartFailed> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const worker = yield* launch(number, port)
        alive.set(worker, { number, worker, ready: undefined, draining: false })
        yield* Effect.forkIn(Effect.map(worker.ended, () => alive.delete(worker)), scope)
        const outcome = yield* Effect.raceFirst(
          Effect.map(worker.ready, (ready) => ({ ready })),
          Effect.map(worker.ended, (end) => ({ end })),
        ).pipe(
          Effect.timeoutOrElse({
            duration: startTimeout,
            orElse: () => Effect.succeed({ end: { code: undefined, how: `not ready in ${spell(startTimeout)}` } }),
          }),
          restore,
          // Whoever ends the instance drains those who are starting as well.
          Effect.onInterrupt(() => Effect.sync(() => state === "Ending" || worker.kill())),
        )
        if ("end" in outcome) {
          worker.kill()
          return yield* Effect.fail<StartFailed>({ number, how: outcome.end.how, code: outcome.end.code })
        }
        const { ready } = outcome
        // It may have ended since.
        if (alive.has(worker)) alive.set(worker, { number, worker, ready, draining: false })
        port ??= ready.port
        started({ worker, ready, since: now() })
        const { address } = ready
        yield* Effect.annotateLogs(Effect.logInfo("worker ready"), { worker: number, pid: worker.pid, address })
      })
    )

  /** Drains one; who does not end in time is killed. */
  const retire = (worker: Worker): Effect.Effect<End> =>
    Effect.suspend(() => {
      worker.drain()
      const member = alive.get(worker)
      if (member !== undefined) alive.set(worker, { ...member, draining: true })
      return Effect.timeoutOrElse(worker.ended, {
        duration: member?.ready?.patience ?? startingPatience,
        orElse: () =>
          Effect.suspend(() => {
            worker.kill()
            return worker.ended
          }),
      })
    })

  // ── One place ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Rule 2. */
  const keep = (slot: Slot): Effect.Effect<never> =>
    Effect.gen(function* () {
      for (;;) {
        const { worker, since } = slot.running ?? (yield* revive(slot))
        Deferred.doneUnsafe(slot.up, Exit.void)
        const { how } = yield* worker.ended
        slot.running = undefined
        const ran = now() - since
        if (ran >= stable) slot.ends = 0
        yield* again(slot, "worker ended", { pid: worker.pid, how, ran })
      }
    })

  const revive = Effect.fnUntraced(function* (slot: Slot): Effect.fn.Return<Running> {
    for (;;) {
      const started = yield* Effect.result(start(slot.number, (running) => {
        slot.running = running
        slot.failed = 0
      }))
      if (Result.isSuccess(started)) return slot.running! // it was started
      const { how, code } = started.failure
      slot.failed++
      if (code === 2 && port === undefined) {
        Deferred.doneUnsafe(failure, Exit.fail(new Misconfigured()))
        return yield* Effect.never
      }
      if (slot.failed >= maxStarts && !someServe()) {
        Deferred.doneUnsafe(failure, Exit.fail(new GaveUp({ message: gaveUp(slot, how) })))
        return yield* Effect.never
      }
      yield* again(slot, "worker failed to start", { how })
    }
  })

  /** Rule 3: whoever never ran in full has nobody to spare. */
  const someServe = (): boolean => state !== "Starting" && slots.some(({ running }) => running !== undefined)

  const again = Effect.fnUntraced(function* (slot: Slot, message: string, fields: Record<string, unknown>) {
    const longest = Math.min(maxBackoff, backoff * 2 ** slot.ends++)
    const wait = Math.round(longest * (1 - (yield* Random.next) / 2))
    yield* Effect.annotateLogs(Effect.logError(message), { worker: slot.number, ...fields, again: wait })
    yield* Effect.sleep(wait)
    restarts++
  })

  const tend = (slot: Slot): Effect.Effect<void> =>
    Effect.map(Effect.forkIn(keep(slot), tending), (keeper) => {
      slot.keeper = keeper
    })

  // ── All of them ────────────────────────────────────────────────────────────────────────────────────────────────────

  const [first, ...others] = slots
  /** Rule 1. */
  const startAll = Effect.gen(function* () {
    yield* tend(first!) // there is at least one
    yield* Deferred.await(first!.up)
    yield* Effect.forEach(others, tend, { discard: true })
    yield* Effect.forEach(others, ({ up }) => Deferred.await(up), { discard: true })
    if (state === "Starting") state = "Running"
    yield* Effect.annotateLogs(Effect.logInfo("workers ready"), { workers: count })
  })

  /** Rule 4. */
  const replace: Effect.Effect<Rolled> = Effect.gen(function* () {
    const fresh = new Map<number, Running>()
    const begin = ({ number }: Slot) => start(number, (running) => fresh.set(number, running))
    const started = yield* Effect.result(
      Effect.andThen(begin(first!), Effect.forEach(others, begin, { discard: true, concurrency: "unbounded" })),
    )
    if (Result.isFailure(started)) {
      const { number, how } = started.failure
      yield* Effect.annotateLogs(Effect.logError("rolling restart failed, the old workers stay"), {
        worker: number,
        how,
      })
      // They may have let clients in already.
      yield* Effect.forEach(fresh.values(), ({ worker }) => retire(worker), concurrently)
      return { _tag: "Failed", how: `worker ${number} did not start (${how}), the old ones stay` }
    }
    for (const { keeper } of slots) if (keeper !== undefined) yield* Fiber.interrupt(keeper)
    const replacing = new Set([...fresh.values()].map(({ worker }) => worker))
    const old = [...alive.keys()].filter((worker) => !replacing.has(worker))
    for (const slot of slots) {
      slot.running = fresh.get(slot.number)
      slot.ends = slot.failed = 0
      yield* tend(slot)
    }
    const ends = yield* Effect.forEach(old, retire, { concurrency: "unbounded" })
    const forced = ends.filter(({ code }) => code !== 0).length
    const numbers = { workers: count, replaced: old.length, forced }
    yield* Effect.annotateLogs(Effect.logInfo("rolling restart done"), numbers)
    return { _tag: "Done", ...numbers }
  })

  const roll = Effect.suspend((): Effect.Effect<Rolled> => {
    if (state !== "Running") {
      const why = busy[state]
      return Effect.as(Effect.logWarning(`no rolling restart: ${why}`), { _tag: "Refused", why })
    }
    state = "Rolling"
    const done = Effect.sync(() => {
      if (state === "Rolling") state = "Running"
    })
    return Effect.forkIn(Effect.ensuring(replace, done), tending).pipe(
      Effect.flatMap(Fiber.await),
      Effect.map((exit) => Exit.isSuccess(exit) ? exit.value : { _tag: "Failed", how: busy.Ending }),
    )
  }).pipe(Effect.tap(({ _tag }) => Effect.sync(() => rolls[_tag]++)))

  return {
    count,
    get members() {
      return [...alive.values()]
    },
    get ending() {
      return state === "Ending"
    },
    get counts() {
      return { restarts, rolls: { ...rolls } }
    },
    started: Effect.forEach(slots, ({ up }) => Deferred.await(up), { discard: true }),
    run: Effect.andThen(Effect.forkIn(startAll, tending), Deferred.await(failure)),
    roll,
    drain: Effect.gen(function* () {
      state = "Ending"
      yield* Scope.close(tending, Exit.void)
      yield* Effect.annotateLogs(Effect.logInfo("workers draining"), { workers: alive.size })
      const ends = yield* Effect.forEach(
        [...alive.values()],
        ({ worker, ready }) => Effect.map(retire(worker), ({ code }) => code === 0 || ready === undefined),
        { concurrency: "unbounded" },
      )
      return ends.every(Boolean)
    }),
    abort: (code) =>
      Effect.gen(function* () {
        state = "Ending"
        yield* Scope.close(tending, Exit.void)
        const left = [...alive.keys()]
        for (const worker of left) worker.abort(code)
        yield* Effect.timeoutOption(Effect.forEach(left, ({ ended }) => ended, concurrently), abortPatience)
        for (const worker of alive.keys()) worker.kill()
      }),
  }
})

const concurrently = { concurrency: "unbounded", discard: true } as const

const busy = {
  Starting: "not all workers have started yet",
  Rolling: "one is under way",
  Ending: "the workers are ending",
}

const gaveUp = ({ number, failed }: Slot, how: string): string =>
  `Worker ${number} keeps failing at start: ${failed} times in a row it ended before it was ready, at last by ${how}; ` +
  "what it wrote before says why"

const spell = (duration: Duration.Duration): string => `${Duration.toSeconds(duration)} s`
