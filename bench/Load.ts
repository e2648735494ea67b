/**
 * What a generator is asked for, and what it says it has measured. Nothing here makes a load or judges one.
 */
import * as Schema from "effect/Schema"

/** What is asked of a server of loopback. All times in seconds, sizes in bytes. */
export interface Load {
  readonly port: number
  /**
   * `closed`: so many requests in flight on each connection; `open`: a schedule; `churn`: connect, one request, its reply,
   * close, so many at once.
   */
  readonly mode: "closed" | "open" | "churn"
  readonly connections: number
  /** On each connection; in an open run at most. */
  readonly inFlight: number
  /** Of a request, with its LF or its 4 bytes of length. */
  readonly size: number
  readonly framing: "lines" | "length"
  /** What the server puts in front of a line. */
  readonly prefix: string
  /** Requests a second of an open run, of all connections together. */
  readonly rate?: number | undefined
  /** So many connections more, which send requests and never read. Default 0. */
  readonly frozen?: number
  readonly warmup: number
  readonly seconds: number
  /** Whose CPU time is measured, and the CPU that it has for itself. */
  readonly server?: { readonly pid: number; readonly cpu?: number | undefined } | undefined
}

const Amount = Schema.Finite

/** Microseconds. */
export const Percentiles = Schema.Struct({
  mean: Amount,
  p50: Amount,
  p90: Amount,
  p99: Amount,
  p999: Amount,
  max: Amount,
})
export type Percentiles = typeof Percentiles.Type

/** What was measured, of the measured part only. CPU and wall time in seconds. */
export const Loaded = Schema.Struct({
  /** Requests that were answered in the measured part. */
  messages: Amount,
  /** How long the measured part took, exactly. */
  seconds: Amount,
  serverCpu: Schema.optionalKey(Amount),
  /** The generator's own, without what it took to look in vain. */
  generatorCpu: Amount,
  /** What that took, of one that never sleeps. */
  polling: Schema.optionalKey(Amount),
  /** What others took of the server's CPU, and what the hypervisor kept of it, where the machine tells. */
  elsewhere: Schema.optionalKey(Amount),
  stolen: Schema.optionalKey(Amount),
  /** Wrong bytes, lost connections, and requests that were never answered; of the warm-up too. */
  errors: Amount,
  /** What went wrong first, in words. */
  problem: Schema.optionalKey(Schema.String),
  /** Of an open run: requests a second that were due, and that were answered. */
  target: Schema.optionalKey(Amount),
  achieved: Schema.optionalKey(Amount),
  /** Requests that were due in the measured part, and those of them that were answered. */
  sent: Amount,
  replies: Amount,
  /** From the moment at which a request was due, and from its sending. All are 0 where nothing was measured. */
  response: Percentiles,
  service: Percentiles,
})
export type Loaded = typeof Loaded.Type
