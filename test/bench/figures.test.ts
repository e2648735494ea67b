/** Which trials count, when there is a figure, and who is compared with whom. */
import { describe, expect, it } from "vitest"
import {
  cellOf,
  common,
  cpu,
  estimated,
  type Figure,
  figures,
  handOf,
  named,
  parts,
  ratio,
  throughput,
  toHand,
} from "../../bench/Figures.ts"
import type { Contender, Result, Trial } from "../../bench/Result.ts"
import { altered, quiet, result, slowed } from "./results.ts"

const one = "echo-lines-64-50x1"
const deep = "echo-lines-64-50x16"
const pair = quiet("hand-bun", "anyport-bun")

const figureOf = (result: Result, contender = "anyport-bun", cell = one): Figure => figures(result).of(cell, contender)!

const spoil = (trial: Trial, why: string): Trial => ({ ...trial, void: [why] })

const isOurs = ({ cell, contender }: Trial): boolean => cell === one && contender === "anyport-bun"

describe("a trial", () => {
  it("that is void does not count, whatever it measured", () => {
    const made = altered(
      pair,
      (trial) => isOurs(trial) && trial.round === 2 ? spoil(slowed(trial, 100), "1 error") : trial,
    )
    const figure = figureOf(made)
    expect([figure.trials.length, figure.valid.length]).toEqual([7, 6])
    expect(estimated(figure, cpu)!.high).toBeCloseTo(5.1 * 1.04, 3)
  })

  it("that was made again counts in its round", () => {
    const first = pair.trials.find((trial) => isOurs(trial) && trial.round === 2)!
    const spoilt = altered(pair, (trial) => trial === first ? spoil(trial, "1 error") : trial)
    const figure = figureOf({ ...spoilt, trials: [...spoilt.trials, first] })
    expect(figure.trials.length).toBe(8)
    expect(figure.valid.map(({ round }) => round).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7])
  })
})

describe("a figure", () => {
  it("is blank, with all reasons, when fewer than three trials count", () => {
    const made = altered(
      pair,
      (trial) => isOurs(trial) && trial.round > 2 ? spoil(trial, `reason ${trial.round % 2}`) : trial,
    )
    expect(figureOf(made).blank).toBe("only 2 of 7 trials count: reason 1; reason 0")
    expect(estimated(figureOf(made), cpu)).toBeUndefined()
    expect(figureOf(altered(pair, (trial) => isOurs(trial) ? spoil(trial, "died") : trial)).blank)
      .toBe("none of 7 trials counts: died")
    expect(figureOf(altered(pair, (trial) => isOurs(trial) ? undefined : trial)).blank).toBe("was not measured")
  })

  it.each([
    [0.02, undefined, undefined],
    [0.12, undefined, "varies by 6.0 % over 7 trials, above 5 %"],
    [0.3, "varies by 13.7 % over 7 trials, above 10 %", undefined],
  ])("with every second trial slower by %d is shown, marked or blank", (share, blank, warning) => {
    const figure = figureOf(
      altered(pair, (trial) => isOurs(trial) ? slowed(trial, 1 + share * (trial.round % 2)) : trial),
    )
    expect([figure.blank, figure.warning]).toEqual([blank, warning])
    expect(estimated(figure, cpu) === undefined).toBe(blank !== undefined)
  })

  it("is not blamed for a round in which the machine was slower for all, and is for its own", () => {
    const four = quiet("hand-bun", "anyport-bun", "hand-node", "anyport-node")
    const slowMachine = altered(four, (trial) => slowed(trial, trial.round === 3 ? 1.6 : 1))
    expect([figureOf(slowMachine).blank, figureOf(slowMachine).warning]).toEqual([undefined, undefined])
    // What was measured is shown as it is.
    expect(estimated(figureOf(slowMachine), cpu)!.values.length).toBe(7)
    expect(Math.max(...estimated(figureOf(slowMachine), cpu)!.values)).toBeCloseTo(5.1 * 1.04 * 1.6, 3)
    const slowServer = altered(four, (trial) => isOurs(trial) && trial.round === 3 ? slowed(trial, 1.6) : trial)
    expect(figureOf(slowServer).blank).toContain("varies by")
  })

  it("of one planned trial is there, and says so little as it is", () => {
    const made = result({ takes: (id) => id === "anyport-bun", trials: 1, voids: 0 })
    expect(estimated(figureOf(made), cpu)).toMatchObject({ values: { length: 1 } })
  })

  it("of a measure that was not made is none", () => {
    expect(estimated(figureOf(pair), named("rss"))).toBeUndefined()
  })
})

describe("throughput", () => {
  const busyness = (share: number): Result =>
    altered(pair, (trial) => ({
      ...trial,
      measures: { ...trial.measures, messages: 100_000, seconds: 2, serverCpu: 2 * share },
    }))

  it("is shown where the server's core was busy, and nowhere else", () => {
    expect(throughput(figureOf(busyness(0.96)))).toMatchObject({ median: 50_000 })
    expect(throughput(figureOf(busyness(0.94)))).toBe("generator-bound")
  })

  it("is judged by the median trial", () => {
    const made = altered(busyness(0.96), (trial) => trial.round < 3 ? slowed(trial, 0.97) : trial)
    expect(throughput(figureOf(made))).toMatchObject({ median: 50_000 })
  })
})

describe("a ratio", () => {
  it("is of the rounds in which both count, so that it does not see what both met", () => {
    const noisy = altered(pair, (trial) => slowed(trial, 1 + trial.round / 50))
    const found = toHand(figures(noisy), figureOf(noisy))!
    expect(found.values.length).toBe(7)
    expect(found.median).toBeCloseTo(1 / 1.04, 6)
    expect(found.high - found.low).toBeLessThan(1e-6)
    const fewer = altered(
      noisy,
      (trial) => trial.contender === "hand-bun" && trial.round === 4 ? spoil(trial, "x") : trial,
    )
    expect(toHand(figures(fewer), figureOf(fewer))!.values.length).toBe(6)
  })

  it("is none where one of them is blank or absent", () => {
    const all = figures(pair)
    expect(ratio(all.of(one, "hand-bun"), undefined, cpu)).toBeUndefined()
    const blank = figures(altered(pair, (trial) => isOurs(trial) ? undefined : trial))
    expect(ratio(blank.of(one, "hand-bun"), blank.of(one, "anyport-bun"), cpu)).toBeUndefined()
  })
})

describe("the hand-written server", () => {
  const contender = (id: string, family: Contender["family"] = "anyport"): Contender => ({
    ...{ id, title: id, family, command: id },
    runtime: id.includes("deno") ? "deno" : "bun",
  })

  it.each([
    ["anyport-session-bun", "anyport-session", "bun"],
    ["anyport-bun@1.3", "anyport", "bun@1.3"],
    ["hand-length-deno", "hand-length", "deno"],
  ])("of %s is found by what it is and on what", (id, what, where) => {
    expect(parts(contender(id))).toEqual([what, where])
  })

  it("is of the same framing and version, and nobody's who has none", () => {
    const all = figures(result())
    const id = (contender: string, cell = one): string | undefined => {
      const found = all.of(cell, contender)!
      return handOf(all, found.cell, found.contender)?.contender.id
    }
    expect(id("anyport-session-deno")).toBe("hand-deno")
    expect(id("net-bun")).toBe("hand-bun")
    expect(id("anyport-length-node", "echo-length-64-50x1")).toBe("hand-length-node")
    expect(id("hand-node")).toBeUndefined()
    expect(id("go")).toBeUndefined()
    const other = quiet("anyport-bun", "hand-bun")
    const figure = { ...figureOf(other), contender: contender("anyport-bun@1.3") }
    expect(handOf(figures(other), figure.cell, figure.contender)).toBeUndefined()
  })
})

it("a cell is found by what it asks and who takes part", () => {
  const all = figures(pair)
  expect(cellOf(all, common(16))?.id).toBe(deep)
  expect(cellOf(all, common(16), ["anyport-bun", "hand-bun"])?.id).toBe(deep)
  expect(cellOf(all, common(16), ["anyport-node"])).toBeUndefined()
  expect(cellOf(all, { scenario: "idle" })).toBeUndefined()
})
