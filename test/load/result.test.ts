import * as Hdr from "hdr-histogram-js"
import { describe, expect, it } from "vitest"
import * as Distribution from "../../load/Distribution.ts"
import { isProblem } from "../../load/Problem.ts"
import { histogram, record } from "../../load/Recorder.ts"
import * as Result from "../../load/Result.ts"
import { constant } from "../../load/Schedule.ts"
import { believed, facts, outcome, plan, result } from "./outcomes.ts"

const decoded = (text: string): Result.Result => {
  const found = Result.decode(text)
  if (isProblem(found)) throw new Error(found.problem)
  return found
}

const problemOf = (json: unknown): string => {
  const found = Result.decode(typeof json === "string" ? json : JSON.stringify(json))
  return isProblem(found) ? found.problem : "it was taken"
}

describe("a result", () => {
  it("is the same after it was written and read, and the same text again", () => {
    const one = result({ stall: 4, errors: { "connect-refused": 3, "reply-wrong": 7 } })
    const text = Result.encode(one)
    expect(decoded(text)).toEqual(one)
    expect(Result.encode(decoded(text))).toBe(text)
  })

  it("writes its keys in one order, however it was put together", () => {
    const one = result({ seconds: 2 })
    const turned = Object.fromEntries(Object.entries(one).reverse()) as Result.Result // the same entries
    expect(Result.encode(turned)).toBe(Result.encode(one))
  })

  it("counts what was sent, and what came back in a second", () => {
    const { rates, counts, intervals, measured } = result({ rate: 500, seconds: 4 })
    expect(counts).toMatchObject({ sent: 2_000, replies: 2_000, scheduled: 2_000, connections: 50, connected: 50 })
    expect(measured).toBe(4_004)
    expect(rates.achieved).toBeCloseTo(499.5, 1)
    // A run is a little longer than its schedule, which is not slower for it.
    expect(rates.target).toBe(500)
    expect(intervals.map(({ sent }) => sent)).toEqual([500, 500, 500, 500])
    // Seconds are not exactly seconds.
    for (const { rate, target } of intervals) {
      expect(Math.abs(rate - 500)).toBeLessThan(5)
      expect(Math.abs((target ?? 0) - 500)).toBeLessThan(5)
    }
  })

  it("wants of a run that ended early what was due until then", () => {
    const { rates } = result({ rate: 500, seconds: 4, cut: true }, { stages: constant(500, 60_000), duration: 60_000 })
    expect(rates.target).toBe(500)
  })

  it("tells the wait for a server that stood still from its service", () => {
    const { latency } = result({ stall: 4 })
    expect(latency.response?.p99).toBeGreaterThan(800_000)
    expect(latency.service?.p99).toBeLessThan(20_000)
  })

  it("adds a short rest to the second before, whose rate it would falsify", () => {
    const { intervals } = result({ seconds: 3 })
    expect(intervals.length).toBe(3)
    expect(intervals.at(-1)).toMatchObject({ at: 3_004, sent: 2_000, inFlight: 0 })
    expect(intervals.at(-1)?.rate).toBeLessThan(2_010)
  })

  it("has no latency where none was measured, instead of zeros", () => {
    const empty = Result.make(
      plan({ mode: "idle" }),
      { ...outcome({ seconds: 2, rate: 0 }), scheduled: undefined },
      facts,
      believed,
    )
    expect(empty.latency.response).toBeUndefined()
    expect(empty.rates.target).toBeUndefined()
    expect(empty.intervals[0]).not.toHaveProperty("response")
    expect(decoded(Result.encode(empty))).toEqual(empty)
  })

  it("is one also where nothing could be connected", () => {
    const nothing = outcome({ seconds: 0 })
    nothing.total.connections = 0
    nothing.total.fail("connect-refused", 50)
    const none = Result.make(
      plan(),
      { ...nothing, measured: 0, intervals: [], connected: 0, cut: true },
      facts,
      believed,
    )
    expect(none.errors).toEqual({ total: 50, share: 1, byKind: { "connect-refused": 50 } })
    expect(none.rates.achieved).toBe(0)
    expect(none.cut).toBe(true)
    expect(decoded(Result.encode(none))).toEqual(none)
  })

  it("does not hide connections that failed among many requests", () => {
    const { errors } = result({ errors: { "connect-refused": 50 } })
    expect(errors.share).toBeCloseTo(0.5)
    expect(result({ errors: { "reply-wrong": 20 } }).errors.share).toBeCloseTo(0.001)
  })

  it("says in order what a verdict says", () => {
    const verdict = { generatorBound: true, invalid: ["4 % of the schedule was sent late"], warnings: ["w"] }
    const one = Result.make(plan(), outcome(), facts, verdict)
    expect(one).toMatchObject({ valid: false, generatorBound: true, invalid: verdict.invalid, warnings: ["w"] })
  })
})

describe("a distribution", () => {
  it("holds the histogram, from which every percentile is read again", () => {
    const measured = histogram()
    for (let micros = 1; micros <= 100_000; micros++) record(measured, micros / 1_000)
    const distribution = Distribution.of(measured)!
    expect(distribution).toMatchObject({ count: 100_000, min: 1, max: 100_000 })
    expect(Distribution.percentile(distribution, 37.5) / 37_500).toBeCloseTo(1, 2)
    expect(distribution["p99.99"]).toBe(Distribution.percentile(distribution, 99.99))
    expect(distribution["p99.99"]).toBeLessThanOrEqual(distribution.max)
  })

  it("is added by histogram: percentiles of the sum are not those of the parts, nor their mean", () => {
    const [fast, slow] = [histogram(), histogram()]
    for (let index = 0; index < 990; index++) record(fast, 1)
    for (let index = 0; index < 10; index++) record(slow, 1_000)
    const sum = Distribution.sum([Distribution.of(fast)!, Distribution.of(slow)!])!
    expect(sum).toMatchObject({ count: 1_000, p50: 1_000, p99: 1_000, min: 1_000, max: 1_000_000 })
    expect(sum["p99.9"]).toBe(1_000_000)
  })

  it.each([2, 3] as const)("of %i digits reads the same as a sum as it does alone", (digits) => {
    const measured = Hdr.build({ highestTrackableValue: 2, numberOfSignificantValueDigits: digits })
    measured.autoResize = true
    for (let micros = 1; micros < 3_000_000; micros += 977) measured.recordValue(micros)
    const one = Distribution.of(measured)!
    const { histogram: _, ...sum } = Distribution.sum([one, one, one])!
    const { histogram: __, ...alone } = one
    expect(sum).toEqual({ ...alone, count: alone.count * 3 })
  })

  it("of two digits is added to one of three, as far as two digits say", () => {
    const fine = histogram()
    for (let micros = 1; micros < 100_000; micros++) record(fine, micros / 1_000)
    const coarse = Hdr.build({ highestTrackableValue: 100_000, numberOfSignificantValueDigits: 2 })
    coarse.add(fine)
    const sum = Distribution.sum([Distribution.of(fine)!, Distribution.of(coarse)!])!
    expect(sum.count).toBe(2 * 99_999)
    for (const [percentile, micros] of [[50, 50_000], [99, 99_000]] as const) {
      expect(Math.abs(Distribution.percentile(sum, percentile) / micros - 1)).toBeLessThan(0.02)
    }
  })
})

describe("a file that is no result", () => {
  const good = JSON.parse(Result.encode(result({ seconds: 2 })))

  it.each([
    ["no JSON", "p99 12ms", "got what is no JSON"],
    ["other JSON", { hello: 1 }, 'got JSON without "format"'],
    ["a list", [], 'got JSON without "format"'],
    ["null", null, 'got JSON without "format"'],
    ["one of a later version", { ...good, version: 2 }, "version 1, got version 2"],
    ["a key of a wrong type", { ...good, measured: "long" }, '["measured"]'],
    ["a key that is missing", { ...good, counts: { ...good.counts, sent: undefined } }, '["counts"]["sent"]'],
    ["a count below nothing", { ...good, counts: { ...good.counts, sent: -1 } }, '["counts"]["sent"]'],
    [
      "a histogram that is none",
      { ...good, latency: { ...good.latency, service: { ...good.latency.service, histogram: "AAAA" } } },
      "latency.service.histogram",
    ],
    [
      "a histogram of another count",
      { ...good, latency: { response: { ...good.latency.response, count: 5 } } },
      "of 5 values, got 4000, at latency.response",
    ],
  ])("names what is wrong: %s", (_, json, expected) => {
    const problem = problemOf(json)
    expect(problem).toContain(expected)
    expect(problem).not.toContain("\n")
  })
})
