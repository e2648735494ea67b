/** Generators that share a load by phase: together exactly the arrivals of the whole, each of them once. */
import { expect, it } from "vitest"
import { constant, linear, Schedule, spike, type Stage, steps } from "../../load/Schedule.ts"

const share = (stages: ReadonlyArray<Stage>, index: number, of: number): Schedule =>
  new Schedule(
    stages.map(({ from, to, duration }) => ({ from: from / of, to: to / of, duration })),
    (of - 1 - index) / of,
  )

it.each<readonly [string, ReadonlyArray<Stage>]>([
  ["constant", constant(1_000, 10_000)],
  ["constant, not to be divided", constant(7, 3_000)],
  ["linear", linear(0, 997, 5_000)],
  ["steps", steps(10, 100, 7, 3_100)],
  ["spike", spike(3, 500, 3_000)],
])("%s", (_, stages) => {
  const whole = new Schedule(stages)
  for (const  of of[1, 2, 3, 7]) {
    const parts = Array.from({ length: of }, (_, index) => share(stages, index, of))
    expect(parts.reduce((sum, { total }) => sum + total, 0)).toBe(whole.total)
    const times = parts.flatMap((part) => Array.from({ length: part.total }, (_, index) => part.timeOf(index + 1)))
    times.sort((one, other) => one - other)
    for (const [index, time] of times.entries()) expect(time).toBeCloseTo(whole.timeOf(index + 1), 3)
    for (let time = 0; time <= whole.duration; time += whole.duration / 50) {
      const due = parts.reduce((sum, part) => sum + part.due(time), 0)
      // At the very moment of an arrival rounding may have it a moment early or late.
      expect(Math.abs(due - whole.due(time))).toBeLessThanOrEqual(1)
    }
  }
})
