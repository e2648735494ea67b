import { describe, expect, it } from "vitest"
import { judge } from "../../bench/Gate.ts"
import type { Measures, Scenario } from "../../bench/Result.ts"

const busy: Measures = { messages: 1_000, seconds: 2, serverCpu: 1.99, generatorCpu: 1, elsewhere: 0.01, stolen: 0 }
const open: Measures = { ...busy, serverCpu: 1, target: 100, achieved: 100 }

const judged = (scenario: Scenario, measures: Measures, errors = 0, problems: ReadonlyArray<string> = []) =>
  judge({ scenario, measures, errors, problems })

describe("a trial", () => {
  it("counts when nothing is against it", () => {
    expect(judged("echo", busy)).toEqual({ void: [], notes: [] })
    expect(judged("latency", open)).toEqual({ void: [], notes: [] })
    expect(judged("idle", { rss: 8_000 })).toEqual({ void: [], notes: [] })
  })

  it.each(
    [
      ["with one wrong byte", "echo", busy, 1, "1 error"],
      ["when others took more than 5 % of the core", "echo", { ...busy, elsewhere: 0.11 }, 0, "others took 5.5 %"],
      ["when the hypervisor kept more than 2 %", "echo", { ...busy, stolen: 0.05 }, 0, "the hypervisor kept 2.5 %"],
      ["when nothing was answered", "churn", { ...busy, messages: 0 }, 0, "nothing was answered"],
      ["when a busy generator is part of a latency", "latency", { ...open, generatorCpu: 1.7 }, 0, "85.0 % busy"],
      ["when a schedule was not kept", "frozen", { ...open, achieved: 98.9 }, 0, "98.9 % of the schedule"],
      ["when it is not known whether a schedule was kept", "latency", busy, 0, "0.0 % of the schedule"],
    ] as const,
  )("is void %s", (_, scenario, measures, errors, reason) => {
    const { void: reasons } = judged(scenario, measures, errors)
    expect(reasons).toEqual([expect.stringContaining(reason)])
  })

  it("keeps every reason, with what went wrong first", () => {
    const { void: reasons } = judged("echo", { ...busy, elsewhere: 1, stolen: 1 }, 2, ["the server ended with 1"])
    expect(reasons).toHaveLength(4)
    expect(reasons[0]).toBe("the server ended with 1")
  })

  it("counts in spite of a busy generator where CPU time is what is asked", () => {
    expect(judged("echo", { ...busy, generatorCpu: 2 }).void).toEqual([])
  })

  it("is noted as bound by the generator when the server's core was less than 95 % busy", () => {
    expect(judged("echo", { ...busy, serverCpu: 1.8 }).notes).toEqual(["generator-bound"])
    expect(judge({ scenario: "workers", measures: busy, errors: 0, problems: [], servers: 2 }).notes).toEqual([
      "generator-bound",
    ])
    expect(judged("latency", open).notes).toEqual([])
  })

  it("counts with errors where simulators are compared by them", () => {
    expect(judged("generator", busy, 3).void).toEqual([])
  })
})
