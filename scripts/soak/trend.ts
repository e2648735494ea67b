/**
 * Where a quantity goes while time passes: a line by least squares, and how sure one can be of its slope. Numbers in,
 * numbers out.
 *
 * What is measured often is not independent: a heap that was just collected is small for a while. An interval that took each
 * sample for one of its own would be too narrow, so samples are joined to at most thirty means first (batch means).
 */

/** A value at a time, in minutes. */
export interface Sample {
  readonly at: number
  readonly value: number
}

/** How a quantity goes, per minute. */
export interface Trend {
  readonly slope: number
  /** The 95 % confidence interval of the slope. */
  readonly low: number
  readonly high: number
  readonly first: number
  readonly last: number
  /** Points that the line was laid through. */
  readonly points: number
}

const mostBatches = 30

/** The trend of samples in the order of time. Throws with fewer than three: no interval can be told then. */
export const trend = (samples: ReadonlyArray<Sample>): Trend => {
  const points = batches(samples, mostBatches)
  const { length } = points
  if (length < 3) throw new Error(`A trend wants 3 samples, got ${length}`)
  const x = mean(points.map(({ at }) => at))
  const y = mean(points.map(({ value }) => value))
  const spread = sum(points.map(({ at }) => (at - x) ** 2))
  const slope = sum(points.map(({ at, value }) => (at - x) * (value - y))) / spread
  const residual = sum(points.map(({ at, value }) => (value - y - slope * (at - x)) ** 2))
  const margin = student(length - 2) * Math.sqrt(residual / (length - 2) / spread)
  return {
    slope,
    low: slope - margin,
    high: slope + margin,
    first: points[0]!.value,
    last: points.at(-1)!.value,
    points: length,
  }
}

/** Neighbours as their mean, so that at most so many are left. */
export const batches = (samples: ReadonlyArray<Sample>, most: number): ReadonlyArray<Sample> => {
  const count = Math.min(most, samples.length)
  return Array.from({ length: count }, (_, index) => {
    const some = samples.slice(
      Math.floor((index * samples.length) / count),
      Math.floor(((index + 1) * samples.length) / count),
    )
    return { at: mean(some.map(({ at }) => at)), value: mean(some.map(({ value }) => value)) }
  })
}

/**
 * By how many standard errors an interval of 95 % reaches to either side, with so many degrees of freedom: of the table up to
 * 4, and then by Abramowitz and Stegun 26.7.5, which is right to 0.2 % from there on.
 */
export const student = (freedom: number): number => {
  const known = [12.706, 4.303, 3.182, 2.776][freedom - 1]
  if (known !== undefined) return known
  const z = 1.959964
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

const mean = (values: ReadonlyArray<number>): number => sum(values) / values.length
