/**
 * What a result has to be: `p99<50ms`, `service.p99.9<=1s`, `errors<0.1%`, `rate>10000`. Several with commas.
 *
 * A threshold on what was not measured does not hold.
 */
import * as Distribution from "./Distribution.ts"
import { type Problem, problem } from "./Problem.ts"
import { histograms } from "./Recorder.ts"
import type { Checked, Result } from "./Result.ts"
import * as Units from "./Units.ts"

type Name = typeof histograms[number]
type Operator = "<" | "<=" | ">" | ">="
type Statistic = "min" | "mean" | "max" | number

type Metric =
  /** Of a latency; a number is a percentile. The limit is microseconds. */
  | { readonly _tag: "Latency"; readonly name: Name; readonly statistic: Statistic }
  /** The limit is a share, from 0 to 1. */
  | { readonly _tag: "ErrorShare" }
  | { readonly _tag: "Count"; readonly name: typeof counts[number] }

/** A threshold. */
export interface Threshold {
  /** As it was written. */
  readonly text: string
  readonly metric: Metric
  readonly operator: Operator
  readonly limit: number
}

const counts = ["errors", "rate", "connected", "reconnects"] as const

/** Reads thresholds, which commas part. */
export const parse = (text: string): ReadonlyArray<Threshold> | Problem => {
  const thresholds: Array<Threshold> = []
  let place = 1
  for (const part of text.split(",")) {
    const one = single(part)
    if (typeof one === "string") {
      const at = place + part.length - part.trimStart().length
      const where = text === part.trim() ? "" : ` at character ${at} of ${text}`
      return problem(`Expected ${one}, got ${part.trim() === "" ? "nothing" : part.trim()}${where}`)
    }
    thresholds.push(one)
    place += part.length + 1
  }
  return thresholds
}

const example = "a threshold such as p99<50ms, service.p99.9<=1s, errors<0.1%, errors<10 or rate>10000"
const latencyUnits: Readonly<Record<string, number>> = { us: 1, "µs": 1, ms: 1_000, s: 1_000_000 }
const countUnits: Readonly<Record<string, number>> = { "": 1, k: 1_000, M: 1_000_000 }

/** A threshold, or what was expected of it. */
const single = (part: string): Threshold | string => {
  const text = part.trim()
  const match = /^([\w.]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*([a-zA-Z\u00b5%]*)$/.exec(text)
  if (match === null) return example
  const [, left = "", operator, number, unit = ""] = match
  const value = Number(number)
  const with_ = (metric: Metric, limit: number): Threshold => ({
    text,
    metric,
    operator: operator as Operator, // the expression allows no other
    limit,
  })
  const count = counts.find((name) => name === left)
  if (count === "errors" && unit === "%") return with_({ _tag: "ErrorShare" }, value / 100)
  if (count !== undefined) {
    const factor = countUnits[unit]
    if (factor === undefined) {
      return count === "errors"
        ? "a number of errors or their share, as in errors<0.1%"
        : `a number, as in ${count}>10k`
    }
    return with_({ _tag: "Count", name: count }, value * factor)
  }
  const metric = latency(left)
  if (typeof metric === "string") return metric
  const factor = latencyUnits[unit]
  return factor === undefined ? "a time in us, ms or s, as in p99<50ms" : with_(metric, value * factor)
}

const latency = (left: string): Metric | string => {
  const name = histograms.find((name) => left.startsWith(`${name}.`))
  const statistic = name === undefined ? left : left.slice(name.length + 1)
  const metric = (statistic: Statistic): Metric => ({ _tag: "Latency", name: name ?? "response", statistic })
  if (statistic === "min" || statistic === "mean" || statistic === "max") return metric(statistic)
  const percentile = /^p(\d+(?:\.\d+)?)$/.exec(statistic)?.[1]
  if (percentile !== undefined) {
    const value = Number(percentile)
    return value > 0 && value <= 100 ? metric(value) : "a percentile above 0 and up to 100, as in p99.9"
  }
  const times = `min, mean, max or a percentile such as p99.9, of ${histograms.join(", ")}`
  return `${counts.join(", ")}, or ${times}, as in service.p99`
}

/** Whether a result keeps to a threshold, and what was measured. */
export const check = ({ text, metric, operator, limit }: Threshold, result: Result): Checked => {
  const actual = measured(metric, result)
  if (actual === undefined) return { text, ok: false, actual: "nothing was measured" }
  return { text, ok: compare(actual, operator, limit), actual: shown(metric, actual) }
}

/** All of them. */
export const checkAll = (thresholds: ReadonlyArray<Threshold>, result: Result): ReadonlyArray<Checked> =>
  thresholds.map((threshold) => check(threshold, result))

const measured = (metric: Metric, { latency, errors, rates, counts }: Result): number | undefined => {
  switch (metric._tag) {
    case "Latency": {
      const distribution = latency[metric.name]
      if (distribution === undefined) return undefined
      const { statistic } = metric
      return typeof statistic === "number" ? Distribution.percentile(distribution, statistic) : distribution[statistic]
    }
    case "ErrorShare":
      // Of nothing that was tried there is no share.
      return counts.sent + counts.connections + errors.total === 0 ? undefined : errors.share
    case "Count":
      switch (metric.name) {
        case "errors":
          return errors.total
        case "rate":
          return rates.achieved
        case "connected":
          return counts.connected
        case "reconnects":
          return counts.reconnects
      }
  }
}

const compare = (actual: number, operator: Operator, limit: number): boolean => {
  switch (operator) {
    case "<":
      return actual < limit
    case "<=":
      return actual <= limit
    case ">":
      return actual > limit
    case ">=":
      return actual >= limit
  }
}

const shown = (metric: Metric, actual: number): string => {
  switch (metric._tag) {
    case "Latency":
      return Units.latency(actual)
    case "ErrorShare":
      return Units.share(actual)
    case "Count":
      return metric.name === "rate" ? Units.rate(actual) : Units.count(actual)
  }
}
