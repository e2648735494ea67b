/**
 * What one generator measures. Latencies are histograms, so that results of many generators are added and not averaged:
 * a mean of percentiles is none.
 *
 * Response time counts from the moment at which a request was meant to be sent, service time from when it was. Where they
 * differ, somebody had to wait: a tool that only has the second leaves out what every user would have felt (coordinated
 * omission).
 */
import * as Hdr from "hdr-histogram-js"

/** Microseconds, from 1 to an hour, with three digits. */
export const histogram = (): Hdr.Histogram =>
  Hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: hour,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    useWebAssembly: false,
  })

const hour = 3_600_000_000

/** Records a time in milliseconds. */
export const record = (histogram: Hdr.Histogram, millis: number): void => {
  histogram.recordValue(Math.min(hour, Math.max(1, Math.round(millis * 1_000))))
}

/** What can go wrong, by kind. */
export type Failure =
  | "connect-refused"
  | "connect-timeout"
  | "connect-failed"
  | "ports-exhausted"
  | "name-not-found"
  | "descriptors-exhausted"
  | "hello-refused"
  | "closed-by-server"
  | "reset"
  | "reply-wrong"
  | "reply-invalid"
  | "reply-timeout"

/** The histograms of a recorder, by name. */
export const histograms = ["response", "service", "connect", "firstByte", "lateness"] as const

/** The counts of a recorder, by name. */
export const counts = [
  "sent",
  "replies",
  "bytesSent",
  "bytesReceived",
  "connections",
  "reconnects",
  "heartbeats",
] as const

/** Counts and histograms. All times in microseconds. */
export class Recorder {
  readonly response = histogram()
  readonly service = histogram()
  readonly connect = histogram()
  readonly firstByte = histogram()
  /** How late requests were sent, of a schedule. */
  readonly lateness = histogram()
  readonly failures = new Map<Failure, number>()
  sent = 0
  replies = 0
  bytesSent = 0
  bytesReceived = 0
  connections = 0
  reconnects = 0
  heartbeats = 0

  fail(failure: Failure, count = 1): void {
    this.failures.set(failure, (this.failures.get(failure) ?? 0) + count)
  }

  /** Adds what another one has measured. */
  add(other: Recorder): void {
    for (const name of histograms) this[name].add(other[name])
    for (const name of counts) this[name] += other[name]
    for (const [failure, count] of other.failures) this.fail(failure, count)
  }

  /** Everything that went wrong. */
  get errors(): number {
    let sum = 0
    for (const count of this.failures.values()) sum += count
    return sum
  }
}
