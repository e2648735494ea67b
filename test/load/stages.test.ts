/** Stages as they are written on the command line. */
import { describe, expect, it } from "vitest"
import { constant, linear, spike, steps } from "../../load/Schedule.ts"
import * as Stages from "../../load/Stages.ts"

describe("stages", () => {
  it.each([
    ["constant:1000:30s", constant(1_000, 30_000)],
    ["linear:100-10k:1m", linear(100, 10_000, 60_000)],
    ["linear:0-5:500ms", linear(0, 5, 500)],
    ["steps:100-1000/10:60s", steps(100, 1_000, 10, 60_000)],
    ["spike:100-5000:30s", spike(100, 5_000, 30_000)],
    ["constant:2.5k:1s, constant:0:1s", [...constant(2_500, 1_000), ...constant(0, 1_000)]],
  ])("%s", (text, stages) => expect(Stages.parse(text)).toEqual(stages))

  it.each([
    ["", "constant:RATE:DURATION"],
    ["sine:1-2:3s", "got sine:1-2:3s"],
    ["constant:1000", "constant:RATE:DURATION"],
    ["constant:fast:30s", "such as 1000 or 2.5k, got fast"],
    ["constant:10:30", "such as 30s behind constant:10:, got 30"],
    ["constant:10:off", "up to 24h"],
    ["constant:20M:1s", "of 0 to 10000000 a second"],
    ["constant:0:10s", "at least one request"],
    ["linear:100:10s", "two rates, such as 100-10000, behind linear:, got 100"],
    ["linear:1-2/3:10s", "two rates"],
    ["steps:1-2:10s", "FROM-TO/COUNT"],
    ["steps:1-2/0:10s", "1 to 1000 steps, got 0"],
    ["constant:1:23h,constant:1:2h", "24h together"],
    ["constant:1:1s,constant:x:1s", "got x, at character 15 of constant:1:1s,constant:x:1s"],
  ])("refuses %j", (text, says) => expect(Stages.parse(text)).toEqual({ problem: expect.stringContaining(says) }))
})

it.each([["1000", 1_000], ["0.5", 0.5], ["2.5k", 2_500], ["1M", 1_000_000]])("the rate %s", (text, rate) => {
  expect(Stages.parseRate(text)).toBe(rate)
})

it.each(["", "0", "-1", "fast", "1e3", "11M"])("refuses the rate %j", (text) => {
  expect(Stages.parseRate(text)).toEqual({ problem: expect.stringContaining(`got ${text === "" ? "nothing" : text}`) })
})
