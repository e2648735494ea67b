import { describe, expect, it } from "vitest"
import * as Problem from "../../load/Problem.ts"
import * as Threshold from "../../load/Threshold.ts"
import { result } from "./outcomes.ts"

const parsed = (text: string): ReadonlyArray<Threshold.Threshold> => {
  const found = Threshold.parse(text)
  if (Problem.isProblem(found)) throw new Error(found.problem)
  return found
}

describe("a threshold", () => {
  const run = result({ stall: 4, errors: { "reply-wrong": 20 } })
  const { response, service, connect } = run.latency

  it.each([
    ["p99<50ms", false],
    ["p99<1s", true],
    ["service.p99<50ms", true],
    [`service.p99<${service!.p99}us`, false],
    [`service.p99<=${service!.p99}us`, true],
    [`service.p99 > ${service!.p99 - 1} us`, true],
    [`max>=${response!.max}µs`, true],
    [`connect.p95>${connect!.p95}us`, false],
    ["firstByte.p50<1h", undefined],
    ["mean<500us", false],
    ["min<1.5ms", true],
    ["lateness.p99.9<1ms", true],
    ["p12.5<1s", true],
    ["errors<0.1%", false],
    ["errors<=0.1%", true],
    ["errors<20", false],
    ["errors<21", true],
    ["rate>1.9k", true],
    ["rate>2000", false],
    ["connected>=50", true],
    ["reconnects<1", true],
  ])("%s holds: %s", (text, holds) => {
    const found = Threshold.parse(text)
    expect(Problem.isProblem(found) ? undefined : Threshold.check(found[0]!, run).ok).toBe(holds)
  })

  it("says what was measured, as it would be written in one", () => {
    const [first, second, third] = Threshold.checkAll(parsed("errors<0.1%, rate>2000 ,service.max<1s"), run)
    expect(first).toEqual({ text: "errors<0.1%", ok: false, actual: "0.1%" })
    expect(second).toEqual({ text: "rate>2000", ok: false, actual: "1,999/s" })
    expect(third).toMatchObject({ text: "service.max<1s", ok: true })
    expect(third?.actual).toMatch(/^\d+(\.\d+)? ms$/)
  })

  it("does not hold on what was not measured", () => {
    expect(Threshold.check(parsed("firstByte.p99<1s")[0]!, run)).toMatchObject({
      ok: false,
      actual: "nothing was measured",
    })
    const untried = {
      ...run,
      counts: { ...run.counts, sent: 0, connections: 0 },
      errors: { total: 0, share: 0, byKind: {} },
    }
    expect(Threshold.check(parsed("errors<1%")[0]!, untried).ok).toBe(false)
  })
})

describe("a text that is no threshold", () => {
  it.each([
    ["p99<50", "a time in us, ms or s, as in p99<50ms, got p99<50"],
    ["p99<50m", "a time in us, ms or s"],
    ["p99", "a threshold such as p99<50ms"],
    ["p99=5ms", "a threshold such as p99<50ms"],
    ["", "got nothing"],
    ["p101<5ms", "a percentile above 0 and up to 100"],
    ["p0<5ms", "a percentile above 0 and up to 100"],
    ["p99<-5ms", "a threshold such as"],
    ["latency<5ms", "response, service, connect, firstByte, lateness"],
    ["wait.p99<5ms", "response, service, connect, firstByte, lateness"],
    ["rate>5ms", "a number, as in rate>10k"],
    ["errors<5ms", "a number of errors or their share"],
    ["p99<5ms,,rate>3", "got nothing at character 9 of p99<5ms,,rate>3"],
    ["p99<5ms, rate<x", "got rate<x at character 10 of p99<5ms, rate<x"],
  ])("%s: %s", (text, expected) => {
    const found = Threshold.parse(text)
    expect(Problem.isProblem(found) ? found.problem : "it was taken").toContain(expected)
  })
})
