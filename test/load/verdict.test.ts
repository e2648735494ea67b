/** What a result is worth, and whose fault it was. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { histogram, record, Recorder } from "../../load/Recorder.ts"
import type { Outcome } from "../../load/Run.ts"
import { constant } from "../../load/Schedule.ts"
import { verdict } from "../../load/Verdict.ts"
import { play } from "./stage.ts"

const outcome = (of: { readonly cpu?: number; readonly lag?: number; readonly lateness?: number } = {}): Outcome => {
  const total = new Recorder()
  const lag = histogram()
  // Two in a hundred.
  record(lag, 0, 98)
  record(lag, of.lag ?? 0, 2)
  record(total.lateness, 0, 98)
  record(total.lateness, of.lateness ?? 0, 2)
  const { cpu = 0 } = of
  return {
    total,
    lag,
    cpu,
    intervals: [],
    measured: 1_000,
    scheduled: 100,
    unsent: 0,
    connected: 1,
    cut: false,
    problem: undefined,
  }
}

describe("a result", () => {
  it("is sound when the generator had time to spare", () => {
    for (const mode of ["closed", "open", "idle", "churn", "flood"] as const) {
      expect(verdict(mode, outcome({ cpu: 800, lag: 30, lateness: 30 }))).toEqual({ _tag: "Sound" })
    }
  })

  it("is the generator's when it used up its core, or its loop was held up", () => {
    expect(verdict("closed", outcome({ cpu: 950 }))).toMatchObject({
      _tag: "GeneratorBound",
      reason: expect.stringContaining("95 % of a core"),
    })
    expect(verdict("flood", outcome({ lag: 200 }))).toMatchObject({
      _tag: "GeneratorBound",
      reason: expect.stringContaining("ms late"),
    })
    expect(verdict("open", outcome({ cpu: 950 }))).toMatchObject({ _tag: "GeneratorBound" })
  })

  it("is none when what the schedule wanted was noticed late", () => {
    expect(verdict("open", outcome({ lateness: 80 }))).toMatchObject({ _tag: "Invalid" })
    expect(verdict("closed", outcome({ lateness: 80 }))._tag).toBe("Sound")
  })

  it.effect("is sound when it was the server that stopped, or that kept far behind", () =>
    Effect.gen(function* () {
      const open = { mode: "open", stages: constant(400, 4_000), duration: 4_000 } as const
      const stopped = yield* play({
        plan: open,
        at: { 1_000: (server) => server.stop(), 3_000: (server) => server.goOn() },
      })
      expect(stopped.outcome.total.response.maxValue).toBeGreaterThan(1_900_000)
      expect(verdict("open", stopped.outcome)).toEqual({ _tag: "Sound" })
      const dead = yield* play({ plan: open, does: { line: () => {} } })
      expect(dead.outcome.unsent).toBe(1_599)
      expect(verdict("open", dead.outcome)).toEqual({ _tag: "Sound" })
    }))

  it.effect("is none when it was the generator that stopped", () =>
    Effect.gen(function* () {
      // Its clock jumps: nothing of it ran for half a second.
      let gap = 0
      const late = yield* play({
        plan: { mode: "open", stages: constant(400, 4_000), duration: 4_000, inFlight: Infinity },
        at: { 2_000: () => void (gap = 500) },
        late: () => gap,
      })
      expect(late.outcome.total.lateness.maxValue).toBeGreaterThan(450_000)
      expect(verdict("open", late.outcome)).toMatchObject({ _tag: "Invalid" })
    }))
})
