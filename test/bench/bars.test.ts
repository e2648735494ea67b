/** What is to be reached, and what is said of it: reached, missed by how much, reported, or why it was not measured. */
import { describe, expect, it } from "vitest"
import { type Bar, bars, byTitle } from "../../bench/Bars.ts"
import { figures } from "../../bench/Figures.ts"
import type { Result, RuntimeName } from "../../bench/Result.ts"
import { altered, quiet, result, slowed } from "./results.ts"

const bar = (result: Result, title: string, runtime: RuntimeName): Bar =>
  bars(figures(result)).find((bar) => bar.title === title && bar.runtime === runtime)!

const whole = result()
const echo = "Service.respond against hand-written, one in flight"

describe("a bar", () => {
  it("is reached by the median of its trials, with the interval beside it", () => {
    const { outcome, wanted } = bar(quiet("hand-bun", "anyport-bun"), echo, "bun")
    expect(wanted).toBe(0.90)
    expect(outcome).toMatchObject({ _tag: "Reached" })
    expect(outcome._tag === "Reached" && outcome.found.median).toBeCloseTo(1 / 1.04, 6)
  })

  it("is missed by so much of what was wanted", () => {
    const slow = altered(
      quiet("hand-bun", "anyport-bun"),
      (trial) => trial.contender === "anyport-bun" ? slowed(trial, 1 / 0.9) : trial,
    )
    const { outcome } = bar(slow, echo, "bun")
    expect(outcome._tag === "Missed" && outcome.by).toBeCloseTo((0.9 - 0.9 / 1.04) / 0.9, 6)
  })

  it("that was not measured says why", () => {
    expect(bar(quiet("anyport-bun"), echo, "bun").outcome).toEqual({
      _tag: "NotMeasured",
      reason: "hand-bun did not take part",
    })
    const died = altered(
      quiet("hand-bun", "anyport-bun"),
      (trial) => trial.contender === "hand-bun" ? { ...trial, void: ["the server died"] } : trial,
    )
    expect(bar(died, echo, "bun").outcome).toEqual({
      _tag: "NotMeasured",
      reason: "Hand-written on Bun none of 7 trials counts: the server died",
    })
    expect(bar(quiet("anyport-bun"), "An idle connection", "bun").outcome).toEqual({
      _tag: "NotMeasured",
      reason: "not in this run",
    })
  })

  it.each([
    ["Service.respond against hand-written, 16 in flight", [0.90, 0.90, 0.85]],
    ["Service.plain against hand-written, 16 in flight", [0.90, 0.90, 0.85]],
    ["Service.plain against hand-written, one in flight", [0.90, 0.90, 0.90]],
    ["Service.session against hand-written, one in flight", [0.60, 0.60, 0.45]],
    ["Service.session against hand-written, 16 in flight", [0.60, 0.60, 0.45]],
    ["A handler that suspends against hand-written, one in flight", [0.60, 0.60, 0.60]],
    ["A handler that suspends against hand-written, 16 in flight", [0.35, 0.35, undefined]],
    ["A handler that suspends against Effect's socket server, 16 in flight", [1.5, 1.5, 1.5]],
    ["Against Go, 16 in flight", [8]],
    ["Against Go, one in flight", [undefined]],
    ["Kept at 1,000 connections, one in flight", [0.95, 0.95, 0.95]],
    ["All policies on against off, one in flight", [0.95, 0.95, 0.95]],
    ["An idle connection", [8_704, 8_704, 16_384]],
    ["The one file, to its ready line", [0.25, 0.25, 0.25]],
    ["The one file, beyond an empty program", [36_700_160, 36_700_160, 36_700_160]],
  ])("%s wants %j", (title, wanted) => {
    expect(byTitle(bars(figures(whole))).get(title)!.map(({ wanted }) => wanted)).toEqual(wanted)
  })

  it("on nothing is only said", () => {
    const title = "A handler that suspends against hand-written, 16 in flight"
    expect(bar(whole, title, "deno").outcome._tag).toBe("Reported")
  })
})

describe("what is kept at 1,000 connections", () => {
  const title = "Kept at 1,000 connections, 16 in flight"
  const story = (busy: number): Result =>
    altered(
      result({ takes: (id) => ["hand-bun", "anyport-bun"].includes(id), noise: 0, voids: 0 }),
      (trial) => {
        const messages = { "hand-bun": [100_000, 80_000], "anyport-bun": [90_000, 63_000] }[trial.contender]!
        const isMany = trial.cell.startsWith("echo-lines-64-1000x")
        // CPU time a message is the same in all, so that it would keep all of it.
        return {
          ...trial,
          measures: { ...trial.measures, messages: messages[isMany ? 1 : 0]!, seconds: 2, serverCpu: 2 * busy },
        }
      },
    )

  it("is of the throughput, of what the hand-written server keeps", () => {
    const { outcome } = bar(story(1), title, "bun")
    expect(outcome._tag === "Missed" && outcome.found.median).toBeCloseTo((63 / 90) / (80 / 100), 9)
  })

  it("is of the CPU time where the generator was the limit", () => {
    const { outcome } = bar(
      altered(story(0.5), (trial) => slowed(trial, trial.cell.startsWith("echo-lines-64-1000x") ? 1.2 : 1)),
      title,
      "bun",
    )
    // It is slowed for both alike, so what remains is the messages.
    expect(outcome._tag === "Missed" && outcome.found.median).toBeCloseTo((63 / 90) / (80 / 100), 9)
  })
})

it("Go is compared by throughput only where both are the servers'", () => {
  const title = "Against Go, 16 in flight, by throughput"
  expect(bar(whole, title, "bun").outcome._tag).toBe("Reached")
  const idle = altered(quiet("go", "anyport-bun"), (trial) => trial.contender === "go" ? slowed(trial, 0.5) : trial)
  expect(bar(idle, title, "bun").outcome).toEqual({ _tag: "NotMeasured", reason: "generator-bound" })
  expect(bar(idle, "Against Go, 16 in flight", "bun").outcome._tag).toBe("Reached")
})

it("an idle connection is judged where there are most", () => {
  const made = altered(whole, (trial) => trial.cell === "idle-1000" ? { ...trial, measures: { rss: 1e6 } } : trial)
  expect(bar(made, "An idle connection", "node").outcome._tag).toBe("Reached")
})
