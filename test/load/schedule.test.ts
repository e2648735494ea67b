/** Schedules: what is due by a moment, and when the n-th is, agree with each other and with adding up the rate. */
import { describe, expect, it } from "vitest"
import { constant, linear, Schedule, spike, type Stage, steps } from "../../load/Schedule.ts"
import { randomFrom, seeds } from "../core/random.ts"

/** Arrivals by a moment, by adding up the rate in small steps. */
const added = (schedule: Schedule, until: number): number => {
  const count = 200_000
  const step = until / count
  let sum = 0
  for (let index = 0; index < count; index++) sum += schedule.rate((index + 0.5) * step) * step
  return sum / 1_000
}

const some = (seed: number): ReadonlyArray<Stage> => {
  const below = randomFrom(seed)
  return Array.from({ length: 1 + below(5) }, () => ({
    from: below(4) === 0 ? 0 : below(20_000),
    to: below(4) === 0 ? 0 : below(20_000),
    duration: 1 + below(10_000),
  }))
}

const shapes: Readonly<Record<string, ReadonlyArray<Stage>>> = {
  "the same": constant(1_234, 5_000),
  "up from nothing": linear(0, 1_000, 10_000),
  "down to nothing": linear(1_000, 0, 10_000),
  "hardly changing": linear(1_000, 1_000.000001, 10_000),
  "in steps": steps(100, 1_000, 7, 10_000),
  "with a spike": spike(50, 5_000, 9_000),
  "with a pause": [...constant(100, 1_000), ...constant(0, 1_000), ...constant(100, 1_000)],
  "less than one": constant(0.1, 5_000),
}

describe("a schedule", () => {
  const cases = [
    ...Object.entries(shapes),
    ...seeds.map((seed) => [`of seed ${seed}`, some(seed)] as const),
  ]
  for (const [name, stages] of cases) {
    const schedule = new Schedule(stages)

    it(`${name}: totals what adding up the rate gives`, () => {
      for (const part of [0.1, 0.5, 0.77, 1]) {
        const time = part * schedule.duration
        // Steps in the rate fall between two of the sum.
        const error = 2 + added(schedule, time) / 1_000
        expect(Math.abs(schedule.due(time) - added(schedule, time))).toBeLessThan(error)
      }
      expect(schedule.due(schedule.duration)).toBe(schedule.total)
      expect(schedule.due(2 * schedule.duration)).toBe(schedule.total)
      expect(schedule.due(-1)).toBe(0)
    })

    it(`${name}: is due when it is due, not before, and in order`, () => {
      const every = Math.max(1, Math.floor(schedule.total / 5_000))
      let before = 0
      for (let n = 1; n <= schedule.total; n += every) {
        const time = schedule.timeOf(n)
        expect(time).toBeGreaterThanOrEqual(before)
        before = time
        expect(schedule.due(time)).toBeGreaterThanOrEqual(n)
        if (time > 0.01) expect(schedule.due(time - 0.01)).toBeLessThanOrEqual(n)
      }
      expect(schedule.timeOf(schedule.total + 1)).toBe(Infinity)
    })

    it(`${name}: may be asked in any order`, () => {
      if (schedule.total < 10) return
      const forwards = new Schedule(stages)
      const below = randomFrom(1)
      const asked = Array.from({ length: 200 }, () => 1 + below(schedule.total))
      const expected = new Map([...asked].sort((a, b) => a - b).map((n) => [n, forwards.timeOf(n)]))
      for (const n of asked) expect(schedule.timeOf(n)).toBeCloseTo(expected.get(n)!, 6)
    })
  }

  it("the rate of each step is even, the first and the last as given", () => {
    expect(steps(10, 40, 4, 4_000)).toEqual([10, 20, 30, 40].map((rate) => ({ from: rate, to: rate, duration: 1_000 })))
    expect(steps(10, 40, 1, 4_000)).toEqual([{ from: 40, to: 40, duration: 4_000 }])
  })

  it("nothing is never due", () => {
    for (const stages of [[], constant(0, 1_000)]) {
      const schedule = new Schedule(stages)
      expect([schedule.total, schedule.due(500), schedule.timeOf(1), schedule.rate(2_000)]).toEqual([0, 0, Infinity, 0])
    }
  })
})
