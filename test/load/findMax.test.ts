import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as FindMax from "../../load/FindMax.ts"
import { isProblem } from "../../load/Problem.ts"
import { histogram, record, Recorder } from "../../load/Recorder.ts"
import * as Result from "../../load/Result.ts"
import { constant } from "../../load/Schedule.ts"
import * as Threshold from "../../load/Threshold.ts"
import { randomFrom, seeds } from "../core/random.ts"
import { believed, facts, plan } from "./outcomes.ts"

const thresholds = (text: string): ReadonlyArray<Threshold.Threshold> => {
  const found = Threshold.parse(text)
  if (isProblem(found)) throw new Error(found.problem)
  return found
}

/** What a run at a rate would have measured: the time of a reply in milliseconds, at which share of the run. */
type Model = (
  rate: number,
  duration: number,
) => { readonly latency: (share: number) => number; readonly late?: boolean }

/** A server that serves so many a second: above it its queue grows for as long as the run is. */
const queue = (capacity: number): Model => (rate, duration) => ({
  latency: (share) => 0.5 + Math.max(0, (rate / capacity - 1) * duration * share),
})

const resultOf = (rate: number, duration: number, model: Model, cut = false): Result.Result => {
  const { latency, late = false } = model(rate, duration)
  const total = new Recorder()
  for (let index = 0; index < 200; index++) record(total.response, latency((index + 1) / 200))
  const count = Math.round((rate * duration) / 1_000)
  total.sent = total.replies = count
  total.connections = 50
  const outcome = {
    total,
    intervals: [],
    measured: duration,
    cpu: 0,
    lag: histogram(),
    scheduled: count,
    unsent: 0,
    connected: 50,
    cut,
    problem: undefined,
  }
  const invalid = late ? ["the schedule was missed"] : []
  return Result.make(plan({ duration, stages: constant(rate, duration) }), outcome, facts, { ...believed, invalid })
}

/** Searches with a model. */
const search = Effect.fnUntraced(function* (model: Model, options: Partial<FindMax.Options> = {}, cutAt = Infinity) {
  let runs = 0
  const fiber = yield* Effect.forkChild(
    FindMax.findMax({ thresholds: thresholds("p99<10ms,errors<0.1%"), ...options }, (rate, duration) => {
      runs++
      return Effect.as(Effect.sleep(duration), resultOf(rate, duration, model, runs === cutAt))
    }),
  )
  yield* TestClock.adjust("2 hours")
  return yield* Fiber.join(fiber)
})

const outcomes = ({ trials }: FindMax.Found): ReadonlyArray<string> => trials.map(({ outcome }) => outcome)

describe("the highest rate that holds", () => {
  for (const capacity of [7, 150, 1_000, 12_345, 600_000]) {
    it.effect(`is that of a queue that serves ${capacity} a second`, () =>
      Effect.gen(function* () {
        const found = yield* search(queue(capacity))
        expect(found.limit).toBe("server")
        // A confirmation is six times as long as a trial, so that its queue may grow further.
        expect(found.rate).toBeGreaterThan(capacity * 0.89)
        expect(found.rate).toBeLessThanOrEqual(capacity * 1.003)
        expect(found.trials.length).toBeLessThan(50)
        expect(found.trials.at(-1)).toMatchObject({
          confirmation: true,
          outcome: "held",
          rate: found.rate,
          duration: 30_000,
        })
        expect(found.result?.plan.duration).toBe(30_000)
        expect(found.result?.latency.response?.p99).toBeLessThan(10_000)
      }))
  }

  it.effect("is found as exactly as asked for", () =>
    Effect.gen(function* () {
      const found = yield* search(queue(1_000), { precision: 0.005, confirmation: 5_000 })
      expect(found.rate).toBeGreaterThan(992)
      expect(found.rate).toBeLessThanOrEqual(1_003)
    }))

  it.effect("is none where no rate holds, also not the lowest", () =>
    Effect.gen(function* () {
      const found = yield* search(() => ({ latency: () => 50 }))
      expect(found.rate).toBeUndefined()
      expect(found.limit).toBe("server")
      expect(found.trials.every(({ outcome }) => outcome === "failed")).toBe(true)
      expect(found.trials.at(-1)?.rate).toBeLessThan(2)
      expect(found.result).toBeDefined()
    }))

  it.effect("is the ceiling where every rate holds", () =>
    Effect.gen(function* () {
      const found = yield* search(() => ({ latency: () => 1 }), { ceiling: 5_000 })
      expect(found).toMatchObject({ rate: 5_000, limit: "ceiling" })
      expect(found.trials.map(({ rate }) => rate)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    }))

  it.effect("is the generator's, and said to be, where the generator is late before the server is", () =>
    Effect.gen(function* () {
      const found = yield* search((rate) => ({ latency: () => 1, late: rate > 20_000 }))
      expect(found.limit).toBe("generator")
      expect(found.rate).toBeGreaterThan(18_500)
      expect(found.rate).toBeLessThanOrEqual(20_000)
      expect(outcomes(found)).toContain("generator")
      expect(outcomes(found)).not.toContain("failed")
    }))

  it.effect("is not claimed of a server whose figures are of a late generator, good as they may be", () =>
    Effect.gen(function* () {
      const found = yield* search(() => ({ latency: () => 0.1, late: true }))
      expect(found).toMatchObject({ limit: "generator" })
      expect(found.rate).toBeUndefined()
    }))

  it.effect("is lower where the confirmation does not hold what trials did", () =>
    Effect.gen(function* () {
      // Holds 1,000 for a while, and 700 for long: a cache that fills, a disk that is written to later.
      const found = yield* search((rate, duration) => queue(duration > 10_000 ? 700 : 1_000)(rate, duration))
      const confirmations = found.trials.filter(({ confirmation }) => confirmation)
      expect(confirmations.length).toBeGreaterThan(1)
      expect(confirmations.slice(0, -1).every(({ outcome }) => outcome === "failed")).toBe(true)
      expect(found).toMatchObject({ limit: "server" })
      expect(found.rate).toBeGreaterThan(500)
      expect(found.rate).toBeLessThanOrEqual(702)
    }))

  for (const seed of seeds) {
    it.effect(`is near that of a noisy server, and never above what was confirmed (seed ${seed})`, () =>
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const found = yield* search((rate, duration) => ({
          latency: random(10) === 0 ? () => 30 : queue(1_000)(rate, duration).latency,
        }))
        const last = found.trials.at(-1)
        if (found.rate !== undefined) {
          expect(last).toMatchObject({ confirmation: true, outcome: "held", rate: found.rate })
          expect(found.rate).toBeLessThanOrEqual(1_003)
        }
        expect(found.trials.length).toBeLessThanOrEqual(51)
      }))
  }

  it.effect("forgives one hiccup", () =>
    Effect.gen(function* () {
      let run = 0
      const found = yield* search((rate, duration) => {
        run++
        return run === 3 ? { latency: () => 500 } : queue(1_000)(rate, duration)
      })
      expect(found.rate).toBeGreaterThan(890)
    }))

  it.effect("is confirmed also where the runs are used up, and said to be known no better", () =>
    Effect.gen(function* () {
      const found = yield* search(queue(1_000_000), { runs: 6 })
      expect(found).toMatchObject({ limit: "runs", rate: 3_200 })
      expect(found.trials.length).toBe(7)
    }))

  it.effect("is not looked for any longer where a run was ended early", () =>
    Effect.gen(function* () {
      const found = yield* search(queue(1_000), {}, 3)
      expect(found.limit).toBe("cut")
      expect(found.rate).toBeUndefined()
      expect(outcomes(found)).toEqual(["held", "held", "cut"])
      expect(found.result?.cut).toBe(true)
    }))

  it.effect("pauses between runs, and tells of each", () =>
    Effect.gen(function* () {
      const told: Array<FindMax.Trial> = []
      const began: Array<number> = []
      const fiber = yield* Effect.forkChild(FindMax.findMax({
        thresholds: thresholds("p99<10ms"),
        ceiling: 400,
        pause: 3_000,
        trial: 1_000,
        confirmation: 2_000,
        onTrial: (trial) => told.push(trial),
      }, (rate, duration) =>
        Effect.gen(function* () {
          began.push(yield* Clock.currentTimeMillis)
          yield* Effect.sleep(duration)
          return resultOf(rate, duration, queue(10_000))
        })))
      yield* TestClock.adjust("1 minute")
      const found = yield* Fiber.join(fiber)
      expect(began).toEqual([0, 4_000, 8_000, 12_000])
      expect(told).toEqual(found.trials)
      expect(told.map(({ rate, confirmation }) => [rate, confirmation])).toEqual([
        [100, false],
        [200, false],
        [400, false],
        [400, true],
      ])
    }))
})
