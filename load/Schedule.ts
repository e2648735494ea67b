/**
 * How a rate goes over time, in stages: how many arrivals are due by a moment, and when the n-th one is. In closed form, so
 * that a generator that was late knows exactly what it owes, and since when.
 *
 * Rates are per second, times in milliseconds since the beginning.
 */

/** A part of a schedule. A rate that changes does so evenly. */
export interface Stage {
  readonly from: number
  readonly to: number
  readonly duration: number
}

interface Part extends Stage {
  readonly start: number
  /** Arrivals before it, and by its end. */
  readonly before: number
  readonly after: number
}

/** The same rate all the time. */
export const constant = (rate: number, duration: number): ReadonlyArray<Stage> => [{ from: rate, to: rate, duration }]

/** Evenly from one rate to another. */
export const linear = (from: number, to: number, duration: number): ReadonlyArray<Stage> => [{ from, to, duration }]

/** So many steps of equal length, the first at `from`, the last at `to`. */
export const steps = (from: number, to: number, count: number, duration: number): ReadonlyArray<Stage> =>
  Array.from({ length: count }, (_, index) => {
    const rate = count === 1 ? to : from + ((to - from) * index) / (count - 1)
    return { from: rate, to: rate, duration: duration / count }
  })

/** A base, and in the middle third another rate. */
export const spike = (base: number, peak: number, duration: number): ReadonlyArray<Stage> =>
  [base, peak, base].map((rate) => ({ from: rate, to: rate, duration: duration / 3 }))

/** A schedule of stages, one after the other. */
export class Schedule {
  /** Of all stages. */
  readonly duration: number
  /** All arrivals. */
  readonly total: number
  readonly #parts: ReadonlyArray<Part>
  #asked = 0 // the part that was asked for last: who counts arrivals up asks for that again

  /**
   * `phase` is what is due at the beginning already, from 0 to below 1 of an arrival. Generators that share a load, each with
   * the same part of its rates, differ in it: together they have the arrivals of the whole, evenly spaced, none of them twice.
   */
  constructor(stages: ReadonlyArray<Stage>, phase = 0) {
    let start = 0
    let before = phase
    this.#parts = stages.map((stage) => {
      const part = { ...stage, start, before, after: before + arrivals(stage, stage.duration) }
      start += stage.duration
      before = part.after
      return part
    })
    this.duration = start
    this.total = Math.floor(before + tiny)
  }

  /** How many arrivals are due by this time. */
  due(time: number): number {
    const part = this.#parts.findLast(({ start }) => start <= time)
    if (part === undefined) return 0
    const within = Math.min(time - part.start, part.duration)
    return Math.min(this.total, Math.floor(part.before + arrivals(part, within) + tiny))
  }

  /** When the n-th arrival is due, counted from 1; Infinity where there are not so many. */
  timeOf(n: number): number {
    if (n > this.total) return Infinity
    let index = n > this.#parts[this.#asked]!.before + tiny ? this.#asked : 0
    while (this.#parts[index]!.after + tiny < n) index++
    this.#asked = index
    const part = this.#parts[index]!
    return part.start + timeWithin(part, n - part.before)
  }

  /** The rate at this time. */
  rate(time: number): number {
    const part = this.#parts.findLast(({ start }) => start <= time)
    if (part === undefined || time > part.start + part.duration) return 0
    return part.from + slope(part) * (time - part.start)
  }
}

/** Sums of parts miss whole numbers by rounding. */
const tiny = 1e-6

const slope = ({ from, to, duration }: Stage): number => duration === 0 ? 0 : (to - from) / duration

const arrivals = (stage: Stage, time: number): number => (stage.from * time + (slope(stage) * time * time) / 2) / 1_000

const timeWithin = (stage: Stage, count: number): number => {
  const { from, duration } = stage
  const acceleration = slope(stage)
  const time = acceleration === 0
    ? (count * 1_000) / from
    // Of the two forms of the solution the one that stays exact where the rate hardly changes.
    : (2 * count * 1_000) / (from + Math.sqrt(Math.max(0, from * from + 2 * acceleration * count * 1_000)))
  return Math.min(duration, Math.max(0, time))
}
