/**
 * What a result says of each second. Seconds are added in two ways: those of several generators at the same time, and those
 * that came one after the other.
 */
import * as Schema from "effect/Schema"
import * as Distribution from "./Distribution.ts"

const Amount: Schema.Finite = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** An interval of a result. */
export const Interval = Schema.Struct({
  at: Amount.annotate({ description: "Its end, in milliseconds since measuring began" }),
  length: Amount.annotate({ description: "Milliseconds" }),
  target: Schema.optionalKey(Amount.annotate({ description: "Requests a second that the schedule wanted" })),
  rate: Amount.annotate({ description: "Replies a second" }),
  sent: Distribution.Count,
  replies: Distribution.Count,
  errors: Distribution.Count,
  bytesSent: Distribution.Count,
  bytesReceived: Distribution.Count,
  connections: Distribution.Count.annotate({ description: "Connections that were there at its end" }),
  inFlight: Distribution.Count.annotate({ description: "Requests that were not answered at its end" }),
  lag: Amount.annotate({ description: "How late the generator's tick was at most, in milliseconds" }),
  cpu: Amount.annotate({ description: "CPU time of the busiest generator, of one core: 1 is all of it" }),
  response: Schema.optionalKey(Distribution.Distribution),
  service: Schema.optionalKey(Distribution.Distribution),
}).annotate({ identifier: "Interval", description: "What was measured in one second, or the rest of one" })

/** An interval of a result. */
export type Interval = typeof Interval.Type

/** The same second of several generators. */
export const together = (intervals: readonly [Interval, ...ReadonlyArray<Interval>]): Interval => {
  const one = added(intervals)
  return {
    ...one,
    length: Math.max(...intervals.map(({ length }) => length)),
    ...targets(intervals, (all) => all.reduce((sum, { target = 0 }) => sum + target, 0)),
    rate: rounded(intervals.reduce((sum, { rate }) => sum + rate, 0)),
    connections: intervals.reduce((sum, { connections }) => sum + connections, 0),
    inFlight: intervals.reduce((sum, { inFlight }) => sum + inFlight, 0),
    cpu: Math.max(...intervals.map(({ cpu }) => cpu)),
  }
}

/** Seconds that came one after the other, as one. */
export const inARow = (intervals: readonly [Interval, ...ReadonlyArray<Interval>]): Interval => {
  const one = added(intervals)
  const last = intervals.at(-1) ?? intervals[0]
  const length = intervals.reduce((sum, { length }) => sum + length, 0)
  const weighed = (of: (interval: Interval) => number): number =>
    length === 0 ? 0 : intervals.reduce((sum, interval) => sum + of(interval) * interval.length, 0) / length
  return {
    ...one,
    at: last.at,
    length,
    ...targets(intervals, () => weighed(({ target = 0 }) => target)),
    rate: length === 0 ? 0 : rounded((one.replies * 1_000) / length),
    connections: last.connections,
    inFlight: last.inFlight,
    cpu: rounded(weighed(({ cpu }) => cpu), 4),
  }
}

/** At most so many, of about the same length. */
export const thinned = (intervals: ReadonlyArray<Interval>, most: number): ReadonlyArray<Interval> => {
  const each = Math.ceil(intervals.length / most)
  if (each <= 1) return intervals
  const thin: Array<Interval> = []
  for (let index = 0; index < intervals.length; index += each) {
    const [first, ...others] = intervals.slice(index, index + each)
    if (first !== undefined) thin.push(inARow([first, ...others]))
  }
  return thin
}

/** So many digits after the point. */
export const rounded = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits

/** What is added the same way in both cases; the rest is of the first. */
const added = (intervals: readonly [Interval, ...ReadonlyArray<Interval>]): Interval => {
  const sum = (of: (interval: Interval) => number): number => intervals.reduce((sum, one) => sum + of(one), 0)
  const { target: _, response: __, service: ___, ...first } = intervals[0]
  const response = Distribution.sum(intervals.flatMap(({ response }) => response ?? []))
  const service = Distribution.sum(intervals.flatMap(({ service }) => service ?? []))
  return {
    ...first,
    at: Math.max(...intervals.map(({ at }) => at)),
    sent: sum(({ sent }) => sent),
    replies: sum(({ replies }) => replies),
    errors: sum(({ errors }) => errors),
    bytesSent: sum(({ bytesSent }) => bytesSent),
    bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    lag: Math.max(...intervals.map(({ lag }) => lag)),
    ...response === undefined ? {} : { response },
    ...service === undefined ? {} : { service },
  }
}

const targets = (
  intervals: ReadonlyArray<Interval>,
  of: (intervals: ReadonlyArray<Interval>) => number,
): { readonly target?: number } =>
  intervals.some(({ target }) => target !== undefined) ? { target: rounded(of(intervals)) } : {}
