/**
 * What a run has measured.
 */
import type * as Hdr from "hdr-histogram-js"
import type { Recorder } from "./Recorder.ts"

/**
 * What was measured since the interval before, or since the beginning: a second, the rest of one, or more. Of a run of more
 * than 2,000 seconds neighbours are joined, so that a long one takes no more memory.
 */
export interface Interval {
  /** Milliseconds since measuring began, at its end. */
  readonly at: number
  /** Its histograms have two digits. */
  readonly recorder: Recorder
  /** Connections that were there, at its end. */
  readonly connections: number
  readonly inFlight: number
  /** How late the tick was, in milliseconds, at most. */
  readonly lag: number
  /** CPU time of this process in milliseconds, without that of polling for nothing. */
  readonly cpu: number
}

/** What a run has measured. */
export interface Outcome {
  readonly total: Recorder
  /** The last one also has the replies that came when sending had ended. */
  readonly intervals: ReadonlyArray<Interval>
  /** Milliseconds of measuring. */
  readonly measured: number
  /** CPU time of this process while measuring, in milliseconds, without that of polling for nothing. */
  readonly cpu: number
  /** How late each tick of the generator was, in microseconds: what the event loop was busy with. */
  readonly lag: Hdr.Histogram
  /** Requests that were due while measuring, of an open run. */
  readonly scheduled: number | undefined
  /** Of those, the ones that were never sent, because no connection had room. They count as responses that never came. */
  readonly unsent: number
  /** Connections that were there when the warm-up began; of a churn, that were made at all. */
  readonly connected: number
  /** It was ended before its time: by whoever ran it, because no connection could be made, or by `problem`. */
  readonly cut: boolean
  /** Why nothing could be sent any more: a message could not be made, or its framing cannot carry it. */
  readonly problem: string | undefined
}
