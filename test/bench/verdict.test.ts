/** What is said of the runtimes: only what the intervals allow. */
import { describe, expect, it } from "vitest"
import { figures } from "../../bench/Figures.ts"
import { capacities, choices, devices, headline } from "../../bench/Verdict.ts"
import { altered, quiet, result, slowed } from "./results.ts"

const all = quiet("anyport-node", "anyport-bun", "anyport-deno", "hand-node", "hand-bun", "hand-deno")

describe("a choice", () => {
  it("names the runtime whose interval lies apart from all others'", () => {
    const [choice] = choices(figures(all))
    expect(choice).toMatchObject({ subject: "Least CPU time, one request in flight", best: "bun" })
    expect(choice!.answer).toMatch(/^Bun 5\.30 µs \(.*\), Deno 6\.55 µs \(.*\), Node 6\.66 µs \(.*\)$/)
  })

  it("names nobody where intervals overlap", () => {
    const near = altered(
      all,
      (trial) =>
        trial.contender === "anyport-deno" ? slowed(trial, (5.1 / 6.3) * (1 + (trial.round - 4) / 200)) : trial,
    )
    const [choice] = choices(figures(near))
    expect(choice!.best).toBeUndefined()
    expect(choice!.answer).toMatch(/^no difference shown between (Bun and Deno|Deno and Bun): /)
  })

  it("is not made by two trials, nor of one runtime", () => {
    const [few] = choices(figures(result({ takes: (id) => id.startsWith("anyport-"), trials: 2, voids: 0 })))
    expect(few!.answer).toMatch(/^too few trials to tell: /)
    expect(choices(figures(quiet("anyport-bun")))).toEqual([])
  })

  it("is made of memory, start and waiting too, where they were measured", () => {
    expect(choices(figures(result())).map(({ subject }) => subject)).toEqual([
      "Least CPU time, one request in flight",
      "Least CPU time, 16 requests in flight",
      "Least memory for idle connections",
      "Fastest start, as one file",
      "Lowest p99 at 75 % of its own highest rate",
    ])
  })
})

it("cores and memory of devices are what one message and one connection cost, so many times", () => {
  const found = capacities(figures(result({ noise: 0, voids: 0 })))
  expect(found.map(({ runtime }) => runtime)).toEqual(["node", "bun", "deno"])
  expect(found[1]!.cores).toBeCloseTo((devices.count / devices.everySeconds) * 5.1 * 1.04 / 1e6, 6)
  expect(found[1]!.memory! / devices.idle).toBeGreaterThan(6_000)
  expect(capacities(figures(quiet("anyport-node")))[0]).toMatchObject({ memory: undefined })
})

it("the headline says what Anyport costs and how many bars hold", () => {
  const said = headline(figures(all))
  expect(said[0]).toMatch(
    /^One request in flight: .* needs, of Anyport's CPU time, 0\.96 \(.*\) on Node, .* and .* on Deno\.$/,
  )
  expect(said.at(-1)).toMatch(/^\d+ of \d+ bars are reached; \d+ were not measured\.$/)
})
