/** What the comparison says of its figures: medians, their intervals, and when it may speak of a difference. */
import { describe, expect, it } from "vitest"
import { direction, estimate, median, overlap, quotient, spread, variation } from "../../bench/Statistics.ts"
import { randomFrom } from "../core/random.ts"

const total = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

describe("a median", () => {
  it("is the middle value, or the mean of the two in the middle", () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
  })

  it("of one value is that, and of none there is no estimate", () => {
    expect(estimate([7])).toEqual({ median: 7, low: 7, high: 7, values: [7], variation: 0 })
    expect(estimate([])).toBeUndefined()
  })

  it.each([[3, 1, 3], [4, 1, 4], [5, 1, 5], [6, 1.5, 5.5], [7, 2, 6]])(
    "of the numbers to %d lies with 95 %% between %d and %d",
    (count, low, high) => {
      const values = Array.from({ length: count }, (_, index) => index + 1)
      expect(estimate(values)).toMatchObject({ low, high })
    },
  )
})

describe("a bootstrap in closed form", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 15, 40, 101])("of %d values has probabilities that add up to 1", (count) => {
    const found = spread(Array.from({ length: count }, (_, index) => index * index))
    expect(total(found.map(({ probability }) => probability))).toBeCloseTo(1, 9)
    expect(Math.min(...found.map(({ probability }) => probability))).toBeGreaterThan(-1e-12)
    const values = found.map(({ value }) => value)
    expect(values).toEqual(values.toSorted((a, b) => a - b))
  })

  // Every resample of so few can be made.
  it.each([[[5, 1, 9]], [[5, 1, 9, 2]], [[2, 2, 3, 8, 1]], [[6, 5, 4, 3, 2, 1]]])("is what all resamples of %j give", (
    values,
  ) => {
    const count = values.length
    const found = new Map<number, number>()
    for (let code = 0; code < count ** count; code++) {
      const drawn = values.map((_, place) => values[Math.floor(code / count ** place) % count]!)
      found.set(median(drawn), (found.get(median(drawn)) ?? 0) + 1 / count ** count)
    }
    const closed = new Map<number, number>()
    for (const { value, probability } of spread(values)) closed.set(value, (closed.get(value) ?? 0) + probability)
    for (const [value, probability] of found) expect(closed.get(value)).toBeCloseTo(probability, 9)
    for (const [value, probability] of closed) expect(probability).toBeCloseTo(found.get(value) ?? 0, 9)
  })

  it("of many values is what two thousand draws come to", () => {
    const random = randomFrom(1)
    const values = Array.from({ length: 25 }, () => random(1_000))
    const medians = Array.from({ length: 2_000 }, () => median(values.map(() => values[random(25)]!)))
      .toSorted((a, b) => a - b)
    const { low, high } = estimate(values)!
    const sorted = values.toSorted((a, b) => a - b)
    const rank = (value: number): number => sorted.indexOf(value)
    expect(Math.abs(rank(low) - rank(medians[50]!))).toBeLessThanOrEqual(1)
    expect(Math.abs(rank(high) - rank(medians[1_949]!))).toBeLessThanOrEqual(1)
  })

  it("covers the true median about as often as it says", () => {
    const random = randomFrom(2)
    let covered = 0
    for (let trial = 0; trial < 400; trial++) {
      const { low, high } = estimate(Array.from({ length: 15 }, () => random(1_000_001)))!
      if (low <= 500_000 && 500_000 <= high) covered++
    }
    expect(covered).toBeGreaterThan(350)
    expect(covered).toBeLessThan(400)
  })
})

describe("a ratio", () => {
  it("of two runs takes what both of them are unsure of", () => {
    const found = quotient([10, 11, 12], [5, 5.5, 6])!
    expect(found.median).toBe(2)
    expect(found.low).toBeCloseTo(10 / 6, 12)
    expect(found.high).toBeCloseTo(12 / 5, 12)
    expect(quotient([], [1])).toBeUndefined()
    expect(quotient([1], [0, 1])).toBeUndefined()
  })

  it("shows no difference when its interval covers 1", () => {
    expect(direction({ low: 0.99, high: 1.01 })).toBeUndefined()
    expect(direction({ low: 1, high: 1.2 })).toBeUndefined()
    expect(direction({ low: 1.001, high: 1.2 })).toBe("more")
    expect(direction({ low: 0.8, high: 0.999 })).toBe("less")
  })
})

it("intervals that touch overlap", () => {
  const of = (low: number, high: number) => ({ median: (low + high) / 2, low, high })
  expect(overlap(of(1, 2), of(2, 3))).toBe(true)
  expect(overlap(of(1, 5), of(2, 3))).toBe(true)
  expect(overlap(of(1, 1.9), of(2, 3))).toBe(false)
})

it("a variation is the standard deviation as a share of the mean", () => {
  expect(variation([9, 11])).toBeCloseTo(Math.SQRT2 / 10, 12)
  expect(variation([5, 5, 5])).toBe(0)
  expect(variation([5])).toBe(0)
})
