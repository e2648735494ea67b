import { describe, expect, it } from "vitest"
import * as Merge from "../../load/Merge.ts"
import { isProblem } from "../../load/Problem.ts"
import * as Result from "../../load/Result.ts"
import { result } from "./outcomes.ts"

const merged = (...results: ReadonlyArray<Result.Result>): Result.Result => {
  const found = Merge.merge(results)
  if (isProblem(found)) throw new Error(found.problem)
  return found
}

describe("merging results", () => {
  const one = result({ seed: 1, errors: { "connect-refused": 10 } })
  const other = result({ seed: 2, stall: 4, rate: 1_000, errors: { "connect-refused": 5, reset: 1 } })

  it("adds counts, errors, rates and connections", () => {
    const sum = merged(one, other)
    expect(sum.counts).toMatchObject({
      sent: 30_000,
      replies: 30_000,
      scheduled: 30_000,
      connected: 100,
      connections: 100,
    })
    expect(sum.errors).toEqual({ total: 16, share: 0.13913, byKind: { "connect-refused": 15, reset: 1 } })
    expect(sum.rates.achieved).toBeCloseTo(one.rates.achieved + other.rates.achieved, 1)
    expect(sum.plan.connections).toBe(100)
    expect(sum.plan.stages).toEqual([{ from: 3_000, to: 3_000, duration: 10_000 }])
    expect(sum.generators.length).toBe(2)
    expect(sum.generator.processes).toBe(2)
    expect(sum.generator.cpuShare).toBe(Math.max(one.generator.cpuShare, other.generator.cpuShare))
  })

  it("reads percentiles from the sum of the histograms", () => {
    const { response } = merged(one, other).latency
    // A third of the requests stalled for a tenth of the time: the mean of both p99 would be about 0.45 s.
    expect(response?.count).toBe(30_000)
    expect(response?.p99).toBeGreaterThan(600_000)
    expect(response?.p95).toBeLessThan(20_000)
    expect(response?.max).toBe(Math.max(one.latency.response!.max, other.latency.response!.max))
    expect(response?.min).toBe(Math.min(one.latency.response!.min, other.latency.response!.min))
  })

  it("lays seconds on one another", () => {
    const { intervals } = merged(one, other)
    expect(intervals.length).toBe(10)
    for (const [index, { rate, sent, target, connections, response, at }] of intervals.entries()) {
      expect(at).toBe(Math.max(one.intervals[index]!.at, other.intervals[index]!.at))
      expect(sent).toBe(3_000)
      expect(connections).toBe(100)
      expect(Math.abs(rate - 3_000)).toBeLessThan(30)
      expect(Math.abs((target ?? 0) - 3_000)).toBeLessThan(30)
      expect(response?.count).toBe(3_000)
    }
    expect(intervals[4]?.response?.p90).toBeGreaterThan(500_000)
  })

  it("goes on where one of them ended early", () => {
    const short = result({ seed: 3, seconds: 4, cut: true }, { duration: 10_000, stages: one.plan.stages })
    const sum = merged(one, short)
    expect(sum.cut).toBe(true)
    expect(sum.intervals.map(({ sent }) => sent)).toEqual([...Array(4).fill(4_000), ...Array(6).fill(2_000)])
  })

  it("gives the same sum in any order, and in any grouping", () => {
    const third = result({ seed: 3 })
    const figures = ({ latency, counts, errors, intervals }: Result.Result) => ({ latency, counts, errors, intervals })
    expect(figures(merged(third, other, one))).toEqual(figures(merged(one, other, third)))
    expect(figures(merged(merged(one, other), third))).toEqual(figures(merged(one, other, third)))
  })

  it("is a result that can be written and read", () => {
    const sum = merged(one, other)
    expect(Result.decode(Result.encode(sum))).toEqual(sum)
  })

  it("is not valid where one is not, and says which", () => {
    const missed = { ...other, valid: false, invalid: ["4% was late"], generatorBound: true, warnings: ["slow disk"] }
    const sum = merged(one, missed)
    expect(sum).toMatchObject({ valid: false, generatorBound: true, invalid: ["Result 2: 4% was late"] })
    expect(sum.warnings).toEqual(["Result 2: slow disk"])
    expect(merged(missed, missed).invalid).toEqual(["4% was late"])
  })

  it("warns where the runs did not begin together", () => {
    const late = { ...other, generators: [{ ...other.generators[0]!, startedAt: "2026-11-23T10:01:00.000Z" }] }
    expect(merged(one, late).warnings).toEqual([
      "The runs began up to 60 s apart; rates are added as if they had begun together",
    ])
  })

  it("checks thresholds anew, against the sum", () => {
    const held = { ...one, thresholds: [{ text: "rate>2500", ok: false, actual: "2,000/s" }] }
    const sum = merged(held, { ...other, thresholds: [{ text: "p95<1us", ok: true, actual: "?" }] })
    expect(sum.thresholds.map(({ text, ok }) => [text, ok])).toEqual([["rate>2500", true], ["p95<1us", false]])
  })

  it.each([
    ["mode", { mode: "closed" as const }, 'mode is "closed", and "open" in the first'],
    ["in flight", { inFlight: 1 }, "inFlight is 1, and 16 in the first"],
    ["duration", { duration: 5_000 }, "duration is 5000, and 10000 in the first"],
    ["stages", { stages: [{ from: 1, to: 1, duration: 4_000 }] }, "its stages take 4000 ms, and 10000 ms in the first"],
  ])("refuses a run of another %s", (_, changes, expected) => {
    expect(Merge.merge([one, one, result({}, changes)])).toEqual({
      problem: `Cannot merge result 3 with the first: ${expected}`,
    })
  })

  it("refuses another framing, message or target", () => {
    for (const change of [{ framing: "varint" }, { message: "bye" }, { target: "tcp://127.0.0.1:1" }]) {
      expect(isProblem(Merge.merge([one, { ...other, plan: { ...other.plan, ...change } }]))).toBe(true)
    }
    expect(Merge.merge([])).toEqual({ problem: "Expected results to merge, got none" })
  })
})
