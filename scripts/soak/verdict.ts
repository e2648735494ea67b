/** What a soak watches, and what it takes for a leak. */
import { type Sample, type Trend, trend } from "./trend.ts"

/** One quantity of a server. */
export interface Measure {
  readonly name: "rss" | "heap" | "descriptors" | "fibers" | "timers"
  readonly title: string
  readonly unit: "MiB" | ""
  /**
   * It may grow so much in the time that is looked at: more is a leak. Ten times what was seen to come and go by itself, and
   * far less than what one lost object a connection, or a hundred bytes a message, would be.
   */
  readonly most: number
}

/** All of them, in the order of the table. */
export const measures: ReadonlyArray<Measure> = [
  { name: "rss", title: "resident memory", unit: "MiB", most: 64 },
  { name: "heap", title: "heap after a collection", unit: "MiB", most: 16 },
  { name: "descriptors", title: "descriptors", unit: "", most: 16 },
  { name: "fibers", title: "fibers", unit: "", most: 32 },
  { name: "timers", title: "timers", unit: "", most: 32 },
]

/** What became of one quantity. */
export interface Found extends Trend {
  readonly name: Measure["name"]
  readonly leaks: boolean
}

/** Judges samples that span so many minutes: a leak is a slope whose whole interval is above what is allowed. */
export const judge = ({ name, most }: Measure, samples: ReadonlyArray<Sample>): Found => {
  const found = trend(samples)
  const minutes = samples.at(-1)!.at - samples[0]!.at
  return { name, ...found, leaks: found.low * minutes > most }
}

/** What a server needs to get going is not looked at: a fifth of the time, at least half a minute, at most ten. */
export const settling = (minutes: number): number => Math.min(10, Math.max(minutes / 5, 0.5))
