import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Rate from "../../core/Rate.ts"

/** How many of `times` are let through. */
const passed = (rate: Rate.Rate, times: ReadonlyArray<number>): number => {
  let state = 0
  let count = 0
  for (const now of times) {
    const next = Rate.take(rate, state, now)
    if (next === undefined) continue
    state = next
    count++
  }
  return count
}

describe("a rate", () => {
  it("lets a burst through at once, and then so many a second", () => {
    const rate = { perSecond: 10, burst: 5 }
    const times = (from: number, count: number) => Array.from({ length: count }, () => from)
    expect(passed(rate, times(1_000, 20))).toBe(5)
    expect(passed(rate, [...times(1_000, 20), ...times(1_099, 20)])).toBe(5)
    expect(passed(rate, [...times(1_000, 20), ...times(1_100, 20)])).toBe(6)
    expect(passed(rate, [...times(1_000, 20), ...times(1_500, 20)])).toBe(10)
    expect(passed(rate, [...times(1_000, 20), ...times(99_000, 20)])).toBe(10) // no more than a burst is saved
  })

  it("never lets more through than burst + perSecond × time, and all of what stays below", () => {
    fc.assert(fc.property(
      fc.record({ perSecond: fc.integer({ min: 1, max: 5_000 }), burst: fc.integer({ min: 1, max: 100 }) }),
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 }),
      (rate, gaps) => {
        let now = 0
        const times = gaps.map((gap) => now += gap)
        const span = (times.at(-1) ?? 0) - (times[0] ?? 0)
        const count = passed(rate, times)
        expect(count).toBeLessThanOrEqual(rate.burst + rate.perSecond * span / 1_000 + 1e-6)
        expect(count).toBeGreaterThanOrEqual(Math.min(times.length, rate.burst))
        const slow = times.map((_, index) => index * Math.ceil(1_000 / rate.perSecond))
        expect(passed(rate, slow)).toBe(slow.length)
      },
    ))
  })

  it.each([[0, 1], [-1, 1], [Infinity, 1], [1, 0], [1, Infinity], [NaN, 1]])(
    "of %d a second with a burst of %d is none",
    (perSecond, burst) => expect(Rate.isRate({ perSecond, burst })).toBe(false),
  )
})

describe("the rates of many keys", () => {
  it("are each other's no matter", () => {
    const rates = new Rate.Rates({ perSecond: 1, burst: 2 }, 0)
    expect(["a", "a", "a", "b", "b", "b"].map((key) => rates.take(key, 0))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
    ])
    expect([rates.take("a", 1_000), rates.take("a", 1_000)]).toEqual([true, false])
  })

  it("decide as one bucket for each key would, however time goes on", () => {
    fc.assert(fc.property(
      fc.record({ perSecond: fc.integer({ min: 1, max: 20 }), burst: fc.integer({ min: 1, max: 5 }) }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3_000 })), { maxLength: 200 }),
      (rate, takes) => {
        const rates = new Rate.Rates(rate, 0)
        const states = new Map<number, number>()
        let now = 0
        for (const [key, gap] of takes) {
          now += gap
          const next = Rate.take(rate, states.get(key) ?? 0, now)
          if (next !== undefined) states.set(key, next)
          expect(rates.take(String(key), now)).toBe(next !== undefined)
        }
      },
    ))
  })

  it("keep no key for longer than twice the time to be full", () => {
    const rates = new Rate.Rates({ perSecond: 1, burst: 10 }, 0)
    for (let key = 0; key < 100_000; key++) rates.take(String(key), key) // 100 s, of which each needs 1 to be full
    expect(rates.size).toBeLessThanOrEqual(20_000)
    rates.take("last", 1_000_000)
    expect(rates.size).toBe(1)
  })
})
