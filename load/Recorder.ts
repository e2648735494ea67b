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

/** A histogram as large as what was recorded, with two digits: an hour has 3,600 of them. */
const small = (from: Hdr.Histogram): Hdr.Histogram => {
  const histogram = Hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: Math.max(2, from.maxValue),
    numberOfSignificantValueDigits: 2,
    bitBucketSize: 32,
    useWebAssembly: false,
  })
  histogram.autoResize = true
  if (from.totalCount > 0) histogram.add(from)
  return histogram
}

/** Records a time in milliseconds. */
export const record = (histogram: Hdr.Histogram, millis: number, count = 1): void => {
  histogram.recordValueWithCount(Math.min(hour, Math.max(1, Math.round(millis * 1_000))), count)
}

/**
 * What can go wrong, by kind.
 *
 * - `hello-timeout`: it did not answer the hello within the time for connecting.
 * - `reply-lost`: the connection ended before it was answered.
 * - `reply-timeout`: it was not answered by the end of the run.
 * - `heartbeat-timeout`: as that, of a heartbeat.
 * - `close-timeout`: the server did not finish writing when the client had, of a churn.
 *
 * Of simulated clients only:
 *
 * - `request-unsent`, `request-timeout`: see `NotSent` and `Unknown` of `Client`; `reply-lost` is an `Unknown` as well.
 * - `request-given-up`: a session interrupted it.
 * - `login-…`: how a handshake failed.
 * - `heartbeat-lost`, `connection-failed`: the client ended its connection, for silence or for another reason.
 * - `session-TAG`: a session failed with an error of that tag, or of none (`session-failed`), and not by a request.
 */
export type Failure =
  | "connect-refused"
  | "connect-timeout"
  | "connect-failed"
  | "connect-unreachable"
  | "connect-denied"
  | "handshake-failed"
  | "source-unavailable"
  | "ports-exhausted"
  | "name-not-found"
  | "descriptors-exhausted"
  | "hello-refused"
  | "hello-timeout"
  | "closed-by-server"
  | "reset"
  | "reply-wrong"
  | "reply-invalid"
  | "reply-lost"
  | "reply-timeout"
  | "heartbeat-timeout"
  | "close-timeout"
  | "request-unsent"
  | "request-timeout"
  | "request-given-up"
  | "login-refused"
  | "login-timeout"
  | "login-failed"
  | "heartbeat-lost"
  | "connection-failed"
  | SessionFailure

/** A session of a simulated client failed with an error of this tag. */
export type SessionFailure = `session-${string}`

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
  /** From the moment a request was meant to be sent to its reply; for one that got none, to when that was known. */
  readonly response: Hdr.Histogram
  /** From the moment a request was sent. */
  readonly service: Hdr.Histogram
  readonly connect: Hdr.Histogram
  /** From when the connection was there to the first byte of it. */
  readonly firstByte: Hdr.Histogram
  /** How late the generator itself was with what a schedule wants; not how long that had to wait for a server. */
  readonly lateness: Hdr.Histogram
  readonly failures: Map<Failure, number> = new Map()
  sent = 0
  replies = 0
  bytesSent = 0
  bytesReceived = 0
  connections = 0
  reconnects = 0
  heartbeats = 0

  constructor(make: (name: (typeof histograms)[number]) => Hdr.Histogram = histogram) {
    this.response = make("response")
    this.service = make("service")
    this.connect = make("connect")
    this.firstByte = make("firstByte")
    this.lateness = make("lateness")
  }

  fail(failure: Failure, count = 1): void {
    if (count > 0) this.failures.set(failure, (this.failures.get(failure) ?? 0) + count)
  }

  /** Adds what another one has measured. */
  add(other: Recorder): void {
    for (const name of histograms) if (other[name].totalCount > 0) this[name].add(other[name])
    for (const name of counts) this[name] += other[name]
    for (const [failure, count] of other.failures) this.fail(failure, count)
  }

  /** A copy for keeping, of which there are many: its histograms have two digits. */
  copy(): Recorder {
    const copy = new Recorder((name) => small(this[name]))
    for (const name of counts) copy[name] = this[name]
    for (const [failure, count] of this.failures) copy.fail(failure, count)
    return copy
  }

  /** Forgets everything. */
  clear(): void {
    for (const name of histograms) if (this[name].totalCount > 0) this[name].reset()
    for (const name of counts) this[name] = 0
    this.failures.clear()
  }

  /** Everything that went wrong. */
  get errors(): number {
    let sum = 0
    for (const count of this.failures.values()) sum += count
    return sum
  }
}
