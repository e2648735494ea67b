/**
 * Many results as one, of generators that ran at the same time against the same target. Histograms and counts are added,
 * percentiles are read from the sum, and seconds lie on one another as counted from the beginning of each.
 */
import * as Distribution from "./Distribution.ts"
import * as Interval from "./Interval.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"
import { histograms } from "./Recorder.ts"
import { errors, type Result } from "./Result.ts"
import * as Threshold from "./Threshold.ts"

/** The sum of results, or why they have none. Thresholds of any are checked anew, against the sum. */
export const merge = (results: ReadonlyArray<Result>): Result | Problem => {
  const [first, ...others] = results
  if (first === undefined) return problem("Expected results to merge, got none")
  if (others.length === 0) return first
  for (const [index, other] of others.entries()) {
    const difference = differs(first.plan, other.plan)
    if (difference !== undefined) return problem(`Cannot merge result ${index + 2} with the first: ${difference}`)
  }
  const sum = (of: (result: Result) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  const most = (of: (result: Result) => number): number => Math.max(...results.map(of))
  const latency = Object.fromEntries(histograms.flatMap((name) => {
    const added = Distribution.sum(results.flatMap(({ latency }) => latency[name] ?? []))
    return added === undefined ? [] : [[name, added]]
  })) as Result["latency"] // its keys are the names of the histograms
  const counts: Result["counts"] = {
    connected: sum(({ counts }) => counts.connected),
    connections: sum(({ counts }) => counts.connections),
    reconnects: sum(({ counts }) => counts.reconnects),
    ...first.counts.scheduled === undefined ? {} : { scheduled: sum(({ counts }) => counts.scheduled ?? 0) },
    unsent: sum(({ counts }) => counts.unsent),
    sent: sum(({ counts }) => counts.sent),
    replies: sum(({ counts }) => counts.replies),
    bytesSent: sum(({ counts }) => counts.bytesSent),
    bytesReceived: sum(({ counts }) => counts.bytesReceived),
    heartbeats: sum(({ counts }) => counts.heartbeats),
  }
  const byKind: Record<string, number> = {}
  for (const { errors } of results) {
    for (const [kind, count] of Object.entries(errors.byKind)) byKind[kind] = (byKind[kind] ?? 0) + count
  }
  const { search: _, ...rest } = first
  const merged: Result = {
    ...rest,
    plan: {
      ...first.plan,
      sources: [...new Set(results.flatMap(({ plan }) => plan.sources))],
      connections: sum(({ plan }) => plan.connections),
      stages: first.plan.stages.map(({ duration }, index) => ({
        from: sum(({ plan }) => plan.stages[index]?.from ?? 0),
        to: sum(({ plan }) => plan.stages[index]?.to ?? 0),
        duration,
      })),
    },
    generators: results.flatMap(({ generators }) => generators),
    valid: results.every(({ valid }) => valid),
    invalid: gathered(results, ({ invalid }) => invalid),
    generatorBound: results.some(({ generatorBound }) => generatorBound),
    warnings: [...gathered(results, ({ warnings }) => warnings), ...apart(results)],
    cut: results.some(({ cut }) => cut),
    measured: most(({ measured }) => measured),
    rates: {
      ...first.rates.target === undefined ? {} : { target: Interval.rounded(sum(({ rates }) => rates.target ?? 0)) },
      sent: Interval.rounded(sum(({ rates }) => rates.sent)),
      achieved: Interval.rounded(sum(({ rates }) => rates.achieved)),
    },
    counts,
    errors: errors(byKind, counts),
    latency,
    generator: {
      processes: sum(({ generator }) => generator.processes),
      cpuMillis: Interval.rounded(sum(({ generator }) => generator.cpuMillis)),
      cpuShare: most(({ generator }) => generator.cpuShare),
      lagMax: most(({ generator }) => generator.lagMax),
      ...latency.lateness === undefined ? {} : { latenessP99: latency.lateness.p99 },
    },
    intervals: intervals(results),
  }
  return { ...merged, thresholds: checks(results, merged) }
}

/** What of plans adds up, or differs between the parts of one load; all else has to be the same. */
const own: ReadonlySet<string> = new Set(["sources", "connections", "stages", "seed"])

const differs = (one: Result["plan"], other: Result["plan"]): string | undefined => {
  const values: Readonly<Record<string, unknown>> = other
  for (const [key, value] of Object.entries(one)) {
    if (!own.has(key) && value !== values[key]) {
      return `${key} is ${JSON.stringify(values[key])}, and ${JSON.stringify(value)} in the first`
    }
  }
  const lengths = ({ stages }: Result["plan"]): string => stages.map(({ duration }) => `${duration} ms`).join(", ")
  if (lengths(one) === lengths(other)) return undefined
  return `its stages take ${lengths(other)}, and ${lengths(one)} in the first`
}

/** What results say, each with the number of its result, and once where all say the same. */
const gathered = (
  results: ReadonlyArray<Result>,
  of: (result: Result) => ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const said = new Map<string, Array<number>>()
  for (const [index, result] of results.entries()) {
    for (const line of of(result)) said.set(line, [...said.get(line) ?? [], index + 1])
  }
  return [...said].map(([line, by]) => by.length === results.length ? line : `Result ${by.join(", ")}: ${line}`)
}

/** Runs that began further apart were hardly one load, in milliseconds. */
const together = 2_000

const apart = (results: ReadonlyArray<Result>): ReadonlyArray<string> => {
  const began = results.flatMap(({ generators }) => generators.map(({ startedAt }) => Date.parse(startedAt)))
    .filter(Number.isFinite)
  const gap = Math.max(...began) - Math.min(...began)
  if (gap <= together) return []
  return [
    `The runs began up to ${Math.round(gap / 1_000)} s apart; rates are added as if they had begun together`,
  ]
}

const intervals = (results: ReadonlyArray<Result>): ReadonlyArray<Interval.Interval> => {
  const bySecond = new Map<number, [Interval.Interval, ...Array<Interval.Interval>]>()
  for (const { intervals } of results) {
    const own = new Map<number, Interval.Interval>()
    for (const interval of intervals) {
      const second = Math.round(interval.at / 1_000)
      const before = own.get(second)
      own.set(second, before === undefined ? interval : Interval.inARow([before, interval]))
    }
    for (const [second, interval] of own) {
      const others = bySecond.get(second)
      if (others === undefined) bySecond.set(second, [interval])
      else others.push(interval)
    }
  }
  return [...bySecond].sort(([one], [other]) => one - other).map(([, intervals]) => Interval.together(intervals))
}

const checks = (results: ReadonlyArray<Result>, merged: Result): Result["thresholds"] => {
  const texts = new Set(results.flatMap(({ thresholds }) => thresholds.map(({ text }) => text)))
  return [...texts].flatMap((text) => {
    const thresholds = Threshold.parse(text)
    return isProblem(thresholds) ? [] : thresholds.map((threshold) => Threshold.check(threshold, merged))
  })
}
