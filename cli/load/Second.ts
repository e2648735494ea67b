/**
 * A second of a run, as far as the live view shows it. Seconds of several processes are added; over a channel they go as
 * text.
 */
import * as Hdr from "hdr-histogram-js"
import { histogram } from "../../load/Recorder.ts"
import type { Interval } from "../../load/Run.ts"

/** What happened in a second, or in what is left of one at the end. */
export interface Second {
  /** Its end, in milliseconds since measuring began. */
  readonly at: number
  /** Milliseconds. */
  readonly length: number
  readonly replies: number
  readonly errors: number
  readonly connections: number
  readonly inFlight: number
  /** Response times, in microseconds. */
  readonly response: Hdr.Histogram
}

/** What an interval says, the one before it having ended at `from`. */
export const of = ({ at, recorder, connections, inFlight }: Interval, from: number): Second => ({
  at,
  length: at - from,
  replies: recorder.replies,
  errors: recorder.errors,
  connections,
  inFlight,
  response: recorder.response,
})

/** The same second of several processes. */
export const sum = (seconds: readonly [Second, ...ReadonlyArray<Second>]): Second => {
  const [first, ...others] = seconds
  if (others.length === 0) return first
  const response = histogram()
  for (const second of seconds) response.add(second.response)
  const total = (of: (second: Second) => number): number => seconds.reduce((sum, second) => sum + of(second), 0)
  return {
    at: Math.max(...seconds.map(({ at }) => at)),
    length: Math.max(...seconds.map(({ length }) => length)),
    replies: total(({ replies }) => replies),
    errors: total(({ errors }) => errors),
    connections: total(({ connections }) => connections),
    inFlight: total(({ inFlight }) => inFlight),
    response,
  }
}

/** A second that goes over a channel. */
export interface Encoded extends Omit<Second, "response"> {
  readonly response: string
}

/** For a channel. */
export const encode = (second: Second): Encoded => ({
  ...second,
  response: Hdr.encodeIntoCompressedBase64(second.response),
})

/** What `encode` made. */
export const decode = (second: Encoded): Second => ({
  ...second,
  response: Hdr.decodeFromCompressedBase64(second.response, 32, false),
})
