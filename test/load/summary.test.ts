import { describe, expect, it } from "vitest"
import type { Failure } from "../../load/Recorder.ts"
import { remedies, remedy } from "../../load/Remedy.ts"
import type { Result, Search } from "../../load/Result.ts"
import { summary } from "../../load/Summary.ts"
import * as Units from "../../load/Units.ts"
import { result } from "./outcomes.ts"

describe("the summary of a result", () => {
  it("has the target beside what was achieved, and both latencies under one another", () => {
    const lines = summary(result({ stall: 4 })).split("\n")
    expect(lines).toContainEqual(expect.stringMatching(/^target +2,000\/s$/))
    expect(lines).toContainEqual(expect.stringMatching(/^achieved +1,999\/s +20,000 replies, 1.4 MB, 140 kB\/s$/))
    const [head, response, service] = lines.slice(lines.findIndex((line) => line.startsWith("latency")))
    const end = (column: string): number => head!.indexOf(`${column} `) + column.length
    const p99 = (line: string): string => line.slice(0, end("p99")).split("  ").at(-1)!.trim()
    expect(p99(response!)).toMatch(/^[89]\d\d ms$/)
    expect(p99(service!)).toMatch(/^\d\.\d+ ms$/)
    for (const line of [response, service]) expect(line?.length).toBe(head!.length)
  })

  it("fits a terminal", () => {
    const wide = result({ errors: { "ports-exhausted": 1_234_567, "descriptors-exhausted": 1, "reply-wrong": 3 } })
    for (const line of summary(wide).split("\n")) expect(line.length, line).toBeLessThanOrEqual(120)
  })

  it.each(Object.keys(remedies) as Array<Failure>)("says of %s what it means and what to do", (kind) => {
    const text = summary(result({ seconds: 2, errors: { [kind]: 12 } }))
    expect(text).toContain(`12  ${kind}: ${remedy(kind).meaning}\n`)
    expect(text).toContain(`→ ${remedy(kind).remedy}\n`)
  })

  it("names source addresses where ports ran out", () => {
    expect(summary(result({ errors: { "ports-exhausted": 9 } }))).toContain("--source-address 127.0.0.2-127.0.0.9")
  })

  it("lists errors by how many there are of each", () => {
    const text = summary(result({ errors: { reset: 3, "reply-wrong": 200, "connect-refused": 7 } }))
    expect([...text.matchAll(/^ +\d+ {2}([\w-]+):/gm)].map(([, kind]) => kind)).toEqual([
      "reply-wrong",
      "connect-refused",
      "reset",
    ])
    expect(summary(result())).toContain("\nNo errors\n")
  })

  it("warns of a generator that was the limit, before any figure", () => {
    const text = summary({ ...result(), generatorBound: true, warnings: ["something else"] })
    expect(text.indexOf("WARNING: the generator was the limit")).toBeGreaterThan(0)
    expect(text.indexOf("WARNING: the generator was the limit")).toBeLessThan(text.indexOf("achieved"))
    expect(text).toContain("WARNING: something else\n")
  })

  it("says INVALID and why, before any figure", () => {
    const text = summary({ ...result(), valid: false, invalid: ["8% of the schedule was late"] })
    expect(text).toMatch(/INVALID: .*\n {2}8% of the schedule was late\n[^]*achieved/)
    expect(summary(result())).not.toContain("INVALID")
  })

  it("names each machine and runtime that the load came from, once", () => {
    const one = result()
    const [node] = one.generators
    const bun = { ...node!, runtime: "bun", versions: { bun: "1.4.5" } }
    const lines = summary({ ...one, generators: [node!, bun, node!] }).split("\n")
    expect(lines.filter((line) => line.includes(" CPUs"))).toEqual([
      summary(one).split("\n").find((line) => line.includes(" CPUs")),
      expect.stringContaining(" bun 1.4.5, "),
    ])
  })

  it("says that a run ended early, and when", () => {
    expect(summary(result({ seconds: 3, cut: true }, { duration: 300_000 }))).toContain("ended early: 3 s of 5 min")
  })

  it("says which thresholds hold, and what a search found", () => {
    const search: Search = {
      thresholds: "p99<10ms",
      rate: 3_200,
      limit: "generator",
      trials: [{
        rate: 3_200,
        duration: 30_000,
        confirmation: true,
        outcome: "held",
        achieved: 3_199,
        thresholds: [{ text: "p99<10ms", ok: true, actual: "4 ms" }],
      }],
    }
    const text = summary({ ...result(), thresholds: [{ text: "p99<50ms", ok: false, actual: "61 ms" }], search })
    expect(text).toContain("✗  p99<50ms  61 ms\n")
    expect(text).toContain("Highest rate at which p99<10ms holds: 3,200/s, confirmed; above it the generator was late")
    const { rate: _, ...none } = search
    expect(summary({ ...result(), search: { ...none, limit: "server" } })).toContain("No rate was found and confirmed")
  })

  it("lets text from outside do nothing to a terminal", () => {
    const one = result()
    const hostile: Result = {
      ...one,
      plan: { ...one.plan, target: "tcp://a\u001b[2J\u0007\n\u202eb" },
      warnings: ["\u009b1m\r"],
    }
    // deno-lint-ignore no-control-regex
    expect(summary(hostile)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(summary(hostile).split("\n").length).toBe(summary({ ...one, warnings: ["w"] }).split("\n").length)
  })
})

describe("a number", () => {
  it.each([
    [Units.latency(1), "1 µs"],
    [Units.latency(999.6), "1 ms"],
    [Units.latency(12_345), "12.3 ms"],
    [Units.latency(999_400), "999 ms"],
    [Units.latency(999_900), "1 s"],
    [Units.latency(1_053_000), "1.05 s"],
    [Units.time(30_000), "30 s"],
    [Units.time(125_000), "2 min 5 s"],
    [Units.time(3_600_000), "1 h"],
    [Units.count(1_234_567), "1,234,567"],
    [Units.count(999.97), "1,000"],
    [Units.count(1_234.6), "1,235"],
    [Units.count(12.34), "12.3"],
    [Units.bytes(0), "0 B"],
    [Units.bytes(1_234_567), "1.23 MB"],
    [Units.share(0), "0%"],
    [Units.share(0.000_001), "<0.001%"],
    [Units.share(0.001_23), "0.12%"],
    [Units.share(0.5), "50%"],
    [Units.share(1), "100%"],
  ])("is written %s", (text, expected) => expect(text).toBe(expected))
})
