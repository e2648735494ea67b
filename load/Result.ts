/**
 * The published result of a run: JSON that says everything that was measured and on what, and whether it may be believed.
 * The schema here is the type, the decoder and what `result.schema.json` is made of, in one.
 *
 * Latencies are microseconds, all other times milliseconds, rates per second. A run that ended early has a result too, with
 * `cut`.
 */
import * as Schema from "effect/Schema"
import * as Distribution from "./Distribution.ts"
import * as Interval from "./Interval.ts"
import * as Kept from "./Kept.ts"
import type { Plan } from "./Plan.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"
import { histograms } from "./Recorder.ts"
import { remedy } from "./Remedy.ts"
import type { Interval as Second, Outcome } from "./Run.ts"
import { Schedule } from "./Schedule.ts"

/** Says of a file what it is. */
export const format = "anyport-load-result"

/** Of the format. A reader of this one refuses every other. */
export const version = 1

const Count = Distribution.Count
const Amount: Schema.Finite = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const millis = (description: string): Schema.Finite =>
  Amount.annotate({ description: `${description}, in milliseconds` })

const Described = Schema.Struct({
  target: Schema.String,
  sources: Schema.Array(Schema.String),
  framing: Schema.String,
  message: Schema.String,
  expect: Schema.String,
  hello: Schema.Boolean.annotate({ description: "Something was said before the first request" }),
  mode: Schema.Literals(["closed", "open", "idle", "churn", "flood"]),
  connections: Count,
  inFlight: Count.annotate({ description: "Requests of one connection at once" }),
  stages: Schema.Array(Schema.Struct({ from: Amount, to: Amount, duration: Amount })).annotate({
    description: "The schedule of an open run: requests a second from and to, and milliseconds",
  }),
  warmup: millis("What was not measured, in front of it"),
  duration: millis("What was to be measured"),
  think: millis("Between a reply and the next request"),
  beat: millis("Between two heartbeats, 0 without"),
  reconnect: Schema.Boolean,
  connectTimeout: millis("For one connection"),
  grace: millis("For the last replies"),
  seed: Schema.Finite,
}).annotate({ identifier: "Plan", description: "What the run did" })

const Facts = Schema.Struct({
  runtime: Schema.String,
  versions: Schema.Record(Schema.String, Schema.String),
  platform: Schema.String,
  cpus: Count,
  startedAt: Schema.String.annotate({ description: "ISO 8601" }),
  command: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "Facts", description: "One generator: what it ran on and when it began" })

/** What a generator says of itself, of which a plan knows nothing. */
export interface Facts extends Schema.Schema.Type<typeof Facts> {
  /** The framing as it was asked for. */
  readonly framing: string
  /** The messages as they were asked for. */
  readonly message: string
}

const Checked = Schema.Struct({ text: Schema.String, ok: Schema.Boolean, actual: Schema.String }).annotate({
  identifier: "Threshold",
  description: "A threshold, whether it holds, and what was measured",
})

/** A threshold's outcome. */
export type Checked = typeof Checked.Type

const Search = Schema.Struct({
  thresholds: Schema.String,
  rate: Schema.optionalKey(Amount.annotate({ description: "The highest rate that held and was confirmed" })),
  limit: Schema.Literals(["server", "generator", "ceiling", "runs", "cut"]).annotate({
    description:
      "What kept it from a higher rate: thresholds that failed, a generator that was late, the highest rate " +
      "allowed, the number of runs allowed, or whoever ended it",
  }),
  trials: Schema.Array(Schema.Struct({
    rate: Amount,
    duration: Amount,
    confirmation: Schema.Boolean,
    outcome: Schema.Literals(["held", "failed", "generator", "cut"]),
    achieved: Amount,
    thresholds: Schema.Array(Checked),
  })),
}).annotate({ identifier: "Search", description: "How the highest rate was looked for" })

/** How the highest rate was looked for. */
export type Search = typeof Search.Type

/** A result. */
export const Result = Schema.Struct({
  format: Schema.Literal(format),
  version: Schema.Literal(version),
  plan: Described,
  generators: Schema.Array(Facts),
  valid: Schema.Boolean.annotate({
    description: "False where the schedule of an open run was missed by the generator",
  }),
  invalid: Schema.Array(Schema.String).annotate({ description: "Why it is not valid" }),
  generatorBound: Schema.Boolean.annotate({ description: "The generator was the limit, and not the server" }),
  warnings: Schema.Array(Schema.String),
  cut: Schema.Boolean.annotate({ description: "It ended before its time" }),
  measured: millis("What was measured"),
  rates: Schema.Struct({
    target: Schema.optionalKey(Amount),
    sent: Amount,
    achieved: Amount,
  }).annotate({ description: "Requests a second that the schedule wanted and that were sent, and replies a second" }),
  counts: Schema.Struct({
    connected: Count.annotate({ description: "Connections that were there when sending began" }),
    connections: Count.annotate({ description: "Connections that were made" }),
    reconnects: Count,
    scheduled: Schema.optionalKey(Count),
    unsent: Count.annotate({ description: "Requests of the schedule that were never sent" }),
    sent: Count,
    replies: Count,
    bytesSent: Count,
    bytesReceived: Count,
    heartbeats: Count,
  }),
  errors: Schema.Struct({
    total: Count,
    share: Amount.annotate({
      description:
        "From 0 to 1: of connections that failed among those tried, or of requests that failed among those " +
        "sent, the greater one",
    }),
    byKind: Schema.Record(Schema.String, Count),
  }),
  latency: Schema.Struct({
    response: Schema.optionalKey(Distribution.Distribution),
    service: Schema.optionalKey(Distribution.Distribution),
    connect: Schema.optionalKey(Distribution.Distribution),
    firstByte: Schema.optionalKey(Distribution.Distribution),
    lateness: Schema.optionalKey(Distribution.Distribution),
  }).annotate({
    description: "Response time is from the intended moment, service time from the actual write; lateness is what " +
      "requests of a schedule were sent late. Absent where nothing was measured",
  }),
  generator: Schema.Struct({
    processes: Count,
    cpuMillis: Amount,
    cpuShare: Amount.annotate({ description: "Of the busiest process, of one core: 1 is all of it" }),
    lagMax: millis("How late a tick was at most"),
    latenessP99: Schema.optionalKey(Amount.annotate({ description: "Microseconds" })),
  }).annotate({ description: "What the generator measured of itself" }),
  thresholds: Schema.Array(Checked),
  search: Schema.optionalKey(Search),
  intervals: Schema.Array(Interval.Interval),
}).annotate({ title: "Result of anyport load" })

/** A result. */
export type Result = typeof Result.Type

/** Whether a result may be believed. */
export interface Verdict {
  readonly generatorBound: boolean
  /** Why it is none; empty where it is one. */
  readonly invalid: ReadonlyArray<string>
  /** What a reader ought to know all the same. */
  readonly warnings: ReadonlyArray<string>
}

/** The result of a run. */
export const make = (plan: Plan, outcome: Outcome, facts: Facts, verdict: Verdict): Result => {
  const { total, measured, scheduled } = outcome
  const { framing, message, ...generator } = facts
  const latency = Object.fromEntries(histograms.flatMap((name) => {
    const distribution = Distribution.of(total[name])
    return distribution === undefined ? [] : [[name, distribution]]
  })) as Result["latency"] // its keys are the names of the histograms
  return {
    format,
    version,
    plan: described(plan, framing, message),
    generators: [generator],
    valid: verdict.invalid.length === 0,
    invalid: verdict.invalid,
    generatorBound: verdict.generatorBound,
    warnings: verdict.warnings,
    cut: outcome.cut,
    measured: Interval.rounded(measured),
    rates: {
      ...scheduled === undefined ? {} : { target: target(plan, measured) },
      sent: perSecond(total.sent, measured),
      achieved: perSecond(total.replies, measured),
    },
    counts: {
      connected: outcome.connected,
      connections: total.connections,
      reconnects: total.reconnects,
      ...scheduled === undefined ? {} : { scheduled },
      unsent: outcome.unsent,
      sent: total.sent,
      replies: total.replies,
      bytesSent: total.bytesSent,
      bytesReceived: total.bytesReceived,
      heartbeats: total.heartbeats,
    },
    errors: errors(Object.fromEntries(total.failures), total),
    latency,
    generator: {
      processes: 1,
      cpuMillis: Interval.rounded(outcome.cpu),
      cpuShare: measured === 0 ? 0 : Interval.rounded(outcome.cpu / measured, 4),
      lagMax: Interval.rounded(Math.max(0, ...outcome.intervals.map(({ lag }) => lag)), 3),
      ...latency.lateness === undefined ? {} : { latenessP99: latency.lateness.p99 },
    },
    thresholds: [],
    intervals: intervals(outcome, plan),
  }
}

/** Errors by kind, and their share of what was tried. */
export const errors = (
  byKind: Readonly<Record<string, number>>,
  { sent, connections }: { readonly sent: number; readonly connections: number },
): Result["errors"] => {
  let total = 0
  let lost = 0
  let missing = 0
  let requests = 0
  for (const [kind, count] of Object.entries(byKind)) {
    total += count
    if (remedy(kind).of === "request") requests += count
    else if (unconnected.has(kind)) missing += count
    else lost += count
  }
  const share = Math.max(ratio(missing + lost, missing + connections), ratio(requests, sent))
  // By name, so that the same errors are the same text.
  const sorted = Object.fromEntries(Object.entries(byKind).sort(([one], [other]) => one < other ? -1 : 1))
  return { total, share: Interval.rounded(Math.min(1, share), 6), byKind: sorted }
}

/** Of connections that were never there. */
const unconnected: ReadonlySet<string> = new Set([
  "connect-refused",
  "connect-timeout",
  "connect-failed",
  "connect-unreachable",
  "connect-denied",
  "handshake-failed",
  "source-unavailable",
  "ports-exhausted",
  "name-not-found",
  "descriptors-exhausted",
])

const ratio = (part: number, whole: number): number => part === 0 ? 0 : part / Math.max(part, whole)

/** What the schedule wanted while it was measured, which may have been for a little longer, or not to its end. */
const target = ({ stages }: Plan, measured: number): number => {
  const schedule = new Schedule(stages)
  return perSecond(schedule.due(measured), Math.min(measured, schedule.duration))
}

const perSecond = (count: number, millis: number): number =>
  millis === 0 ? 0 : Interval.rounded((count * 1_000) / millis)

/** A rest of a second that is shorter belongs to the second before: its rate would say nothing. */
const shortest = 500

const intervals = ({ intervals }: Outcome, plan: Plan): ReadonlyArray<Interval.Interval> => {
  const schedule = plan.mode === "open" ? new Schedule(plan.stages) : undefined
  const all: Array<Interval.Interval> = []
  let from = 0
  for (const second of intervals) {
    const one = interval(second, from, schedule)
    from = second.at
    const before = all.at(-1)
    if (before !== undefined && one.length < shortest) all.splice(-1, 1, Interval.inARow([before, one]))
    else all.push(one)
  }
  return all
}

const interval = ({ at, recorder, connections, inFlight, lag, cpu }: Second, from: number, schedule?: Schedule) => {
  const length = Math.max(0, at - from)
  const response = Distribution.of(recorder.response)
  const service = Distribution.of(recorder.service)
  return {
    at: Interval.rounded(at),
    length: Interval.rounded(length, 3),
    ...schedule === undefined ? {} : { target: perSecond(schedule.due(at) - schedule.due(from), length) },
    rate: perSecond(recorder.replies, length),
    sent: recorder.sent,
    replies: recorder.replies,
    errors: recorder.errors,
    bytesSent: recorder.bytesSent,
    bytesReceived: recorder.bytesReceived,
    connections,
    inFlight,
    lag: Interval.rounded(Math.max(0, lag), 3),
    cpu: length === 0 ? 0 : Interval.rounded(cpu / length, 4),
    ...response === undefined ? {} : { response },
    ...service === undefined ? {} : { service },
  }
}

const described = (plan: Plan, framing: string, message: string): Result["plan"] => ({
  target: plan.target.url,
  sources: plan.sources,
  framing,
  message,
  expect: expectation(plan.expect),
  hello: plan.hello !== undefined,
  mode: plan.mode,
  connections: plan.connections,
  inFlight: plan.inFlight,
  stages: plan.mode === "open" ? plan.stages : [],
  warmup: plan.warmup,
  duration: plan.duration,
  think: plan.think,
  beat: plan.beat?.every ?? 0,
  reconnect: plan.reconnect,
  connectTimeout: plan.connectTimeout,
  grace: plan.grace,
  seed: plan.seed,
})

const expectation = (expect: Plan["expect"]): string => {
  switch (expect._tag) {
    case "Any":
      return "any"
    case "None":
      return "none"
    case "Echo":
      return expect.prefix.length === 0 ? "echo" : `echo after ${text.decode(expect.prefix)}`
    case "Prefix":
      return `prefix ${text.decode(expect.prefix)}`
    case "Matches":
      return `regex ${expect.pattern.source}`
  }
}

const text = new TextDecoder()

// ── JSON ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A result as the text of a file. The same result is the same text. */
export const encode = (result: Result): string => `${JSON.stringify(Schema.encodeSync(Result)(result), null, 2)}\n`

/** The result that a file holds, or what is wrong with it. */
export const decode = (text: string): Result | Problem => {
  const decoded = Kept.decode(text, { command: "anyport load", format, version, schema: Result })
  return isProblem(decoded) ? decoded : damaged(decoded) ?? decoded
}

/** A histogram that cannot be read. */
const damaged = ({ latency, intervals }: Result): Problem | undefined => {
  const all = [
    ...histograms.map((name) => [`latency.${name}`, latency[name]] as const),
    ...intervals.flatMap(({ response, service }, index) => [
      [`intervals[${index}].response`, response] as const,
      [`intervals[${index}].service`, service] as const,
    ]),
  ]
  for (const [place, distribution] of all) {
    const found = distribution === undefined ? undefined : Distribution.read(distribution.histogram)
    if (found !== undefined && isProblem(found)) return problem(`${found.problem}, at ${place}.histogram`)
    if (found !== undefined && found.totalCount !== distribution?.count) {
      return problem(`Expected a histogram of ${distribution?.count} values, got ${found.totalCount}, at ${place}`)
    }
  }
  return undefined
}

/** The JSON Schema of a result (draft 2020-12), which `result.schema.json` holds. */
export const jsonSchema = (): Readonly<Record<string, unknown>> => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(Result)
  const { title, ...rest } = schema
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `urn:anyport:load-result:${version}`,
    title,
    description:
      "Latencies are microseconds, all other times milliseconds, rates per second. CPU shares are of one core.",
    ...rest,
    $defs: definitions,
  }
}
