/**
 * Medians and how sure they are: 95 % bootstrap intervals, ratios of pairs, and what may be said of a difference.
 *
 * Nothing is drawn here. A bootstrap asks what the median of so many draws, with replacement, would be; of a median that
 * is known in closed form, so that the same trials always have the same interval and no seed decides about it.
 */

/** What a figure is, and between what it lies. */
export interface Interval {
  readonly median: number
  /** The ends of the 95 % interval. */
  readonly low: number
  readonly high: number
}

/** What values say of the figure behind them. */
export interface Estimate extends Interval {
  /** In the order of the trials. */
  readonly values: ReadonlyArray<number>
  /** Their standard deviation as a share of their mean: 0.05 is 5 %. 0 of one value. */
  readonly variation: number
}

/** Which medians a bootstrap would find, in order, and how often: the probabilities add up to 1. */
export type Spread = ReadonlyArray<{ readonly value: number; readonly probability: number }>

/** Of fewer nothing is said: chance alone puts two of two on the same side half of the time. */
export const fewest = 3

/** The middle value, or the mean of the two in the middle. Not a number for no values. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

/** The estimate of at least one value; undefined for none. */
export const estimate = (values: ReadonlyArray<number>): Estimate | undefined =>
  values.length === 0
    ? undefined
    : { ...interval(median(values), spread(values)), values, variation: variation(values) }

/** The ratio of two medians of values that have nothing to do with each other, such as of two runs. */
export const quotient = (
  numerator: ReadonlyArray<number>,
  denominator: ReadonlyArray<number>,
): Interval | undefined => {
  const divisor = median(denominator)
  if (numerator.length === 0 || denominator.length === 0 || denominator.some((value) => value === 0)) return undefined
  const dividends = spread(numerator)
  const ratios = spread(denominator).flatMap((below) =>
    dividends.map((above) => ({
      value: above.value / below.value,
      probability: above.probability * below.probability,
    }))
  )
  return interval(median(numerator) / divisor, ratios.toSorted((a, b) => a.value - b.value))
}

/** What may be said of a ratio: nothing, when its interval covers 1. */
export const direction = ({ low, high }: Pick<Interval, "low" | "high">): "more" | "less" | undefined =>
  low > 1 ? "more" : high < 1 ? "less" : undefined

/** Whether two intervals have anything in common. */
export const overlap = (one: Interval, other: Interval): boolean => one.low <= other.high && other.low <= one.high

/** The standard deviation as a share of the mean. */
export const variation = (values: ReadonlyArray<number>): number => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length < 2 || mean === 0) return 0
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1)) / Math.abs(mean)
}

/** The medians that a bootstrap of these values would find. */
export const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted.length % 2 === 1 ? spreadOfOdd(sorted) : spreadOfEven(sorted)
}

const tail = 0.025

const interval = (median: number, spread: Spread): Interval => ({
  median,
  low: beyond(spread) ?? median,
  high: beyond(spread.toReversed()) ?? median,
})

/** The first value at which more than the tail is behind. */
const beyond = (spread: Spread): number | undefined => {
  let sum = 0
  for (const { value, probability } of spread) {
    sum += probability
    if (sum > tail) return value
  }
  return spread.at(-1)?.value
}

/** The median is one of the values: it is among the lowest `k` when more than half of the draws are. */
const spreadOfOdd = (sorted: ReadonlyArray<number>): Spread => {
  const count = sorted.length
  const middle = (count + 1) / 2
  return sorted.map((value, index) => ({
    value,
    probability: atLeast(middle, count, (index + 1) / count) - atLeast(middle, count, index / count),
  }))
}

/** It is the mean of the two in the middle: half of the draws are at or below the one, half at or above the other. */
const spreadOfEven = (sorted: ReadonlyArray<number>): Spread => {
  const count = sorted.length
  const half = count / 2
  const ways = choose(count, half)
  return sorted.flatMap((low, i) => {
    const whole = atLeast(half, count, (i + 1) / count) - atLeast(half, count, i / count)
    const below = ((i + 1) / count) ** half - (i / count) ** half
    const apart = sorted.slice(i + 1).map((high, step) => {
      const above = count - i - 1 - step
      return {
        value: (low + high) / 2,
        probability: ways * below * ((above / count) ** half - ((above - 1) / count) ** half),
      }
    })
    const rest = whole - apart.reduce((sum, { probability }) => sum + probability, 0)
    return [{ value: low, probability: rest }, ...apart]
  }).toSorted((a, b) => a.value - b.value)
}

/** That at least so many of `count` draws hit what each hits by `chance`. */
const atLeast = (hits: number, count: number, chance: number): number => {
  let sum = 0
  for (let k = hits; k <= count; k++) sum += choose(count, k) * chance ** k * (1 - chance) ** (count - k)
  return sum
}

const choose = (count: number, taken: number): number => {
  let ways = 1
  for (let k = 1; k <= taken; k++) ways = (ways * (count - taken + k)) / k
  return ways
}
