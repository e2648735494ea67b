/**
 * What a run measures while time passes: since when, second by second, and how late whoever measures is himself. It knows
 * nothing of what is measured.
 */
import type * as Hdr from "hdr-histogram-js"
import type { Interval } from "./Outcome.ts"
import { histogram, record, Recorder } from "./Recorder.ts"

const mostIntervals = 2_000

/** The measurement of one run. Times in milliseconds. */
export class Measurement {
  /** Of the interval that is going on. */
  readonly recorder: Recorder = new Recorder()
  readonly total: Recorder = new Recorder()
  /** How late each tick was, in microseconds. */
  readonly lag: Hdr.Histogram = histogram()
  intervals: Array<Interval> = []
  /** What was meant before is not measured. */
  from = Infinity
  readonly now: () => number
  readonly #cpu: () => number
  #tickedAt = 0
  #longest = 0 // lag of the interval
  #cpuBefore = 0
  #cpuFrom = 0

  constructor(now: () => number, cpu: () => number) {
    this.now = now
    this.#cpu = cpu
  }

  /** CPU time since measuring began. */
  get cpu(): number {
    return Math.max(0, this.#cpu() - this.#cpuFrom)
  }

  /** Sending begins. How connecting went so far is a result, whatever comes. */
  start(): void {
    this.#tickedAt = this.now()
    this.total.add(this.recorder)
    this.recorder.clear()
  }

  /** Measuring begins, with what is meant from a moment on. */
  begin(from: number = this.now()): void {
    this.from = from
    this.recorder.clear()
    this.lag.reset()
    this.#longest = 0
    this.#cpuFrom = this.#cpuBefore = this.#cpu()
  }

  /** Whoever ticks wanted to do so `step` after the last time. Returns when it is. */
  tick(step: number): number {
    const now = this.now()
    const lag = Math.max(0, now - this.#tickedAt - step)
    record(this.lag, lag)
    this.#longest = Math.max(this.#longest, lag)
    this.#tickedAt = now
    return now
  }

  /** What was measured since the last time becomes an interval, which ends at `at` since measuring began. */
  cut(at: number, { connections, inFlight }: Pick<Interval, "connections" | "inFlight">): Interval {
    const recorder = this.recorder.copy()
    this.total.add(this.recorder)
    this.recorder.clear()
    const used = this.#cpu()
    const cpu = Math.max(0, used - this.#cpuBefore)
    const interval = { at, recorder, connections, inFlight, lag: this.#longest, cpu }
    this.#cpuBefore = used
    this.#longest = 0
    this.intervals.push(interval)
    if (this.intervals.length > mostIntervals) this.#thin()
    return interval
  }

  /** Makes one interval of two. */
  #thin(): void {
    const pairs: Array<Interval> = []
    for (let index = 0; index < this.intervals.length; index += 2) {
      const one = this.intervals[index]!
      const two = this.intervals[index + 1]
      if (two !== undefined) one.recorder.add(two.recorder)
      pairs.push(
        two === undefined ? one : {
          ...two,
          recorder: one.recorder,
          lag: Math.max(one.lag, two.lag),
          cpu: one.cpu + two.cpu,
        },
      )
    }
    this.intervals = pairs
  }
}
