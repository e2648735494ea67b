import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { counter, gauge, render } from "../../ops/admin/exposition.ts"
import * as Instance from "../../ops/workers/Instance.ts"
import type { Account } from "../../ops/workers/Ledger.ts"
import { type Crew, crew, type Fake, pass, serve, settle } from "./crew.ts"
import { parse } from "./exposition.ts"

const account = (of: Partial<Account> = {}): Account => ({ draining: false, problems: [], families: [], ...of })
const counted = (total: number, now = 1): Account =>
  account({
    families: [
      gauge("ready", "A worker's own.", 1),
      counter("things_total", "Things.", total),
      gauge("active", "Active.", now),
    ],
  })

/** Serves, and says that nothing is wrong. */
const well = (worker: Fake): void => {
  worker.account = account()
  worker.serve()
}

const readyz = ({ supervisor, ledger }: Crew) =>
  Effect.map(Instance.sources(supervisor, ledger).readiness, ({ ready, checks }) => ({
    ready,
    wrong: checks.flatMap(({ name, problem }) => problem === undefined ? [] : [`${name}: ${problem}`]),
  }))

const metrics = ({ supervisor, ledger }: Crew): Effect.Effect<ReadonlyMap<string, number>> =>
  Effect.map(Instance.sources(supervisor, ledger).families, (families) => parse(render(families)))

const states = (values: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries(
    ["ready", "unready", "starting", "draining", "stale"]
      .map((state) => [state, values.get(`anyport_workers{state="${state}"}`)!] as const)
      .filter(([, count]) => count > 0),
  )

describe("readiness", () => {
  it.effect("from the first worker on that is ready; who is not yet is named", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 3 })
      expect(yield* readyz(all)).toEqual({
        ready: false,
        wrong: ["worker 1 (pid 100): starting", "worker 2: is not running", "worker 3: is not running"],
      })
      expect(states(yield* metrics(all))).toEqual({ starting: 1 })
      expect(all.workers[0]!.asked, "who starts is not asked").toBe(0)
      well(all.workers[0]!)
      yield* settle
      expect(yield* readyz(all)).toEqual({
        ready: true,
        wrong: ["worker 2 (pid 101): starting", "worker 3 (pid 102): starting"],
      })
    }))

  it.effect("while one is ready, whatever the others say, and not when none is", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 2 }, well)
      const [one, two] = all.workers as [Fake, Fake]
      one.account = account({ problems: ["overload.lag: late", "limits.memory: full"] })
      expect(yield* readyz(all)).toEqual({
        ready: true,
        wrong: ["worker 1 (pid 100): overload.lag: late; limits.memory: full"],
      })
      expect(states(yield* metrics(all))).toEqual({ ready: 1, unready: 1 })
      two.account = account({ draining: true, problems: ["drain: announced"] })
      expect(yield* readyz(all)).toMatchObject({ ready: false })
      const values = yield* metrics(all)
      expect(states(values)).toEqual({ unready: 1, draining: 1 })
      expect(values.get("anyport_ready")).toBe(0)
    }))

  it.effect("a worker that hangs counts with what it said last, and not for ever", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 1 }, well)
      expect(yield* readyz(all)).toEqual({ ready: true, wrong: [] })
      all.workers[0]!.account = undefined
      const late = yield* Effect.forkChild(readyz(all))
      yield* pass("1 second")
      expect(yield* Fiber.join(late)).toEqual({ ready: true, wrong: [] })
      yield* pass("4 seconds")
      expect(yield* readyz(all)).toEqual({
        ready: false,
        wrong: ["worker 1 (pid 100): has not answered for 5 s"],
      })
      expect(states(yield* metrics(all))).toEqual({ stale: 1 })
      all.workers[0]!.inquiry.answer(account())
      all.workers[0]!.account = account()
      expect(yield* readyz(all)).toEqual({ ready: true, wrong: [] })
    }))

  it.effect("all through a rolling restart, and no more once they are told to end", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 2 }, (worker) => worker.pid < 102 ? well(worker) : undefined)
      const { supervisor, workers } = all
      const rolled = yield* Effect.forkChild(supervisor.roll)
      yield* settle
      expect(yield* readyz(all)).toEqual({ ready: true, wrong: ["worker 1 (pid 102): starting"] })
      well(workers[2]!)
      yield* settle
      well(workers[3]!)
      yield* settle
      expect(yield* readyz(all)).toEqual({
        ready: true,
        wrong: ["worker 1 (pid 100): draining", "worker 2 (pid 101): draining"],
      })
      expect(states(yield* metrics(all))).toEqual({ ready: 2, draining: 2 })
      for (const worker of workers.slice(0, 2)) worker.end(0)
      yield* Fiber.join(rolled)
      expect(yield* readyz(all)).toEqual({ ready: true, wrong: [] })
      yield* Effect.forkChild(supervisor.drain)
      yield* settle
      expect(yield* readyz(all)).toEqual({
        ready: false,
        wrong: ["drain: ending, 2 workers are left", "worker 1 (pid 102): draining", "worker 2 (pid 103): draining"],
      })
      expect((yield* metrics(all)).get("anyport_draining")).toBe(1)
    }))

  it.effect("no more once they are told to end at once, although none of them drains", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 1 }, well)
      yield* Effect.forkChild(all.supervisor.abort(143))
      yield* settle
      expect(yield* readyz(all)).toEqual({ ready: false, wrong: ["drain: ending, 1 workers are left"] })
    }))

  it.effect("a worker that ends while it is asked holds nobody up", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 1 }, serve)
      const asked = yield* Effect.forkChild(readyz(all))
      yield* settle
      all.workers[0]!.end(1)
      yield* settle
      expect(yield* Fiber.join(asked)).toEqual({ ready: false, wrong: ["worker 1: is not running"] })
    }))
})

describe("metrics", () => {
  it.effect("add up, and stay when a worker is killed or replaced", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 2 }, (worker) => {
        worker.account = counted(10, 1)
        worker.serve()
      })
      const { supervisor, workers } = all
      const seen = Effect.map(metrics(all), (values) => ({
        total: values.get("anyport_things_total"),
        active: values.get("anyport_active"),
        ready: values.get("anyport_ready"),
      }))
      expect(yield* seen).toEqual({ total: 20, active: 2, ready: 1 })
      workers[0]!.end(undefined)
      yield* settle
      expect(yield* seen, "what it counted stays, what it had does not").toEqual({ total: 20, active: 1, ready: 1 })
      yield* pass("1 second")
      expect(yield* seen, "a new one has counted 10 of its own").toEqual({ total: 30, active: 2, ready: 1 })
      const rolled = yield* Effect.forkChild(supervisor.roll)
      yield* settle
      const draining = workers.filter(({ told }) => told.includes("drain"))
      expect(draining.length).toBe(2)
      for (const worker of draining) {
        worker.inquiry.answer(counted(15, 0)) // the last one, unasked
        worker.end(0)
      }
      yield* Fiber.join(rolled)
      expect(yield* seen).toEqual({ total: 60, active: 2, ready: 1 })
      const values = yield* metrics(all)
      expect(values.get("anyport_worker_restarts_total")).toBe(1)
      expect(values.get('anyport_rolling_restarts_total{result="done"}')).toBe(1)
    }))

  it.effect("a worker that hangs makes the first scrape wait and no more, and keeps its counts", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 2 }, (worker) => {
        worker.account = counted(10)
        worker.serve()
      })
      yield* metrics(all)
      all.workers[0]!.account = undefined
      all.workers[1]!.account = counted(11)
      const first = yield* Effect.forkChild(metrics(all))
      yield* pass("1 second")
      expect((yield* Fiber.join(first)).get("anyport_things_total")).toBe(21)
      yield* pass("10 seconds")
      const values = yield* metrics(all) // or the test would not end
      expect(values.get("anyport_things_total")).toBe(21)
      expect(states(values)).toEqual({ ready: 1, stale: 1 })
    }))
})

describe("roll", () => {
  const roll = ({ supervisor, ledger }: Crew) => Instance.sources(supervisor, ledger).roll!

  it.effect("says how it went, and it is counted", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 2 }, (worker) => worker.pid < 104 ? serve(worker) : worker.end(1))
      const done = yield* Effect.forkChild(roll(all))
      yield* settle
      expect(yield* roll(all)).toEqual({ status: 409, text: "refused: one is under way" })
      all.workers[0]!.end(0)
      all.workers[1]!.end(1)
      expect(yield* Fiber.join(done)).toEqual({
        status: 200,
        text: "done: 2 workers replaced by 2, 1 of them forced",
      })
      expect(yield* roll(all)).toEqual({
        status: 500,
        text: "failed: worker 1 did not start (exit code 1), the old ones stay",
      })
      for (const worker of all.workers) worker.account = account()
      const values = yield* metrics(all)
      for (const result of ["done", "refused", "failed"]) {
        expect(values.get(`anyport_rolling_restarts_total{result="${result}"}`), result).toBe(1)
      }
    }))

  it.effect("that is cut short by the end of all has failed", () =>
    Effect.gen(function* () {
      const all = yield* crew({ count: 1 }, (worker) => worker.pid === 100 && worker.serve())
      const rolled = yield* Effect.forkChild(roll(all))
      yield* settle
      yield* Effect.forkChild(all.supervisor.drain)
      yield* settle
      expect(yield* Fiber.join(rolled)).toEqual({ status: 500, text: "failed: the workers are ending" })
    }))
})
