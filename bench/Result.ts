/**
 * The raw data of a comparison: on what, who took part, what was asked of whom, and every trial with what it measured.
 * The schema here is the type and the decoder in one. Medians, ratios and verdicts are made of it elsewhere and never
 * kept, so that a page can be made anew from a file.
 *
 * All times are seconds, all sizes bytes, latencies microseconds; counts are of the measured part only.
 */
import * as Schema from "effect/Schema"

/** Says of a file what it is. */
export const format = "anyport-bench-result"

/** Of the format. A reader of this one refuses every other. */
export const version = 1

const Amount = Schema.Finite

/** The three runtimes, or what a contender of another kind is made with. */
export const Family = Schema.Literals([
  "anyport",
  "hand",
  "naive",
  "node:net",
  "effect",
  "go",
  "c",
  "custom",
  "generator",
])
export type Family = typeof Family.Type

export const RuntimeName = Schema.Literals(["node", "bun", "deno"])
export type RuntimeName = typeof RuntimeName.Type

/** Who takes part. */
export const Contender = Schema.Struct({
  /** Unique, such as `anyport-bun` or `hand-node`. */
  id: Schema.String,
  /** For people: `Anyport on Bun`. */
  title: Schema.String,
  family: Family,
  runtime: Schema.optionalKey(RuntimeName),
  /** As it was started. */
  command: Schema.String,
}).annotate({ identifier: "Contender" })
export type Contender = typeof Contender.Type

/** What is measured in a cell. */
export const Scenario = Schema.Literals([
  "echo", // closed: so many requests in flight on each connection
  "latency", // open: a schedule at a share of the highest rate
  "frozen", // the same, while one connection in a hundred never reads
  "churn", // connect, one request, close
  "idle", // memory of connections that say nothing
  "start", // from the start of a process to its ready line
  "allocation", // what a message leaves to the garbage collector
  "workers", // processes that share a port
  "generator", // who makes the load is compared, and not who serves
])
export type Scenario = typeof Scenario.Type

/** One thing that is asked of some contenders. */
export const Cell = Schema.Struct({
  /** Unique, such as `echo-lines-64-50x16`. */
  id: Schema.String,
  scenario: Scenario,
  /** For people: `64 B lines, 50 connections, 16 in flight`. */
  title: Schema.String,
  /** What a request is: `lines`, `length`; absent where there are none. */
  framing: Schema.optionalKey(Schema.String),
  /** Bytes of a request. */
  size: Schema.optionalKey(Amount),
  connections: Schema.optionalKey(Amount),
  inFlight: Schema.optionalKey(Amount),
  /** Of the highest rate that the contender reached, from 0 to 1. */
  share: Schema.optionalKey(Amount),
  /** How many trials of each contender were planned. */
  trials: Amount,
  contenders: Schema.Array(Schema.String),
}).annotate({ identifier: "Cell" })
export type Cell = typeof Cell.Type

/**
 * What a trial measured, by name. Which there are is the scenario's affair:
 *
 * - `echo`, `churn`, `workers`, `generator`: `messages`, `seconds`, `serverCpu`, `generatorCpu`
 * - `latency`, `frozen`: those, `target` and `achieved` (requests a second), and of the response time from the moment at
 *   which a request was due `p50`, `p90`, `p99`, `p999`, `max`; of the service time `serviceP50`, `serviceP99`
 * - `idle`: `rss`, `heap`, `external`, each for one connection
 * - `start`: `seconds` to the ready line, `rss` then
 * - `allocation`: `heapPerMessage`, `collecting` (share of the time), `collections`, and `messages`, `seconds`, `serverCpu`
 * - `generator`: also `sessions`, `mean`, `p99`, `errors`
 *
 * Beside them, wherever the machine tells: `elsewhere` (CPU seconds that others took on the server's core) and `stolen`
 * (CPU seconds that the hypervisor kept), which decide whether a trial counts.
 */
export const Measures = Schema.Record(Schema.String, Amount)
export type Measures = typeof Measures.Type

/** One measurement of one contender in one cell, by a process of its own. */
export const Trial = Schema.Struct({
  cell: Schema.String,
  contender: Schema.String,
  /** Trials of a cell with the same round were made next to each other, and are compared in pairs. */
  round: Amount,
  startedAt: Schema.String,
  /** Why it does not count; empty when it does. */
  void: Schema.Array(Schema.String),
  /** What is to be known of one that counts, such as `generator-bound`. */
  notes: Schema.Array(Schema.String),
  measures: Measures,
}).annotate({ identifier: "Trial" })
export type Trial = typeof Trial.Type

/** What was measured on, disclosed in full: names and values as they are shown. */
export const Machine = Schema.Record(Schema.String, Schema.String)
export type Machine = typeof Machine.Type

export const Result = Schema.Struct({
  format: Schema.Literal(format),
  version: Schema.Literal(version),
  startedAt: Schema.String,
  /** Absent while trials are missing: such a run can be resumed. */
  finishedAt: Schema.optionalKey(Schema.String),
  command: Schema.String,
  seed: Amount,
  quick: Schema.Boolean,
  /** Who made the load, with its version: `C client (gcc 12.2.0)` or `anyport load on node 24.21.0`. */
  generator: Schema.String,
  machine: Machine,
  /** Of Anyport, its commit, the runtimes, Effect, compilers. */
  versions: Schema.Record(Schema.String, Schema.String),
  /** What would have taken part and did not, and why. */
  missing: Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String })),
  contenders: Schema.Array(Contender),
  cells: Schema.Array(Cell),
  trials: Schema.Array(Trial),
}).annotate({ identifier: "BenchResult" })
export type Result = typeof Result.Type
