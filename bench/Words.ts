/**
 * Figures and names as people read them, the same in a page, a table and a terminal.
 */
import * as Units from "../load/Units.ts"
import { parts, type Unit } from "./Figures.ts"
import type { Contender, RuntimeName } from "./Result.ts"
import type { Interval } from "./Statistics.ts"

/** The runtimes' names. */
export const runtimeNames: Readonly<Record<RuntimeName, string>> = { node: "Node", bun: "Bun", deno: "Deno" }

/** A number with its unit. */
export const amount = (value: number, unit: Unit): string => {
  const sign = value < 0 ? "-" : ""
  const size = Math.abs(value)
  switch (unit) {
    case "micros":
      return sign + (size < 999.5 ? `${size === 0 ? "0" : size.toPrecision(3)} µs` : Units.latency(size))
    case "seconds":
      return sign + Units.time(size * 1_000)
    case "bytes":
      return sign + (size < 100_000 ? `${Units.count(Math.round(size))} B` : `${(size / 2 ** 20).toFixed(1)} MiB`)
    case "rate":
      return sign + Units.rate(Number(size.toPrecision(3)))
    case "times":
      return sign + (size < 3 ? size.toFixed(2) : Number(size.toPrecision(3)).toString())
    case "share":
      return sign + Units.share(size)
    case "count":
      return sign + Units.count(size)
  }
}

/** A number beside an axis, where zeros at its end say nothing. */
export const tick = (value: number, unit: Unit): string => {
  if (value === 0) return "0"
  if (unit === "times") return String(Number(value.toPrecision(3)))
  if (unit === "micros") return Units.latency(value)
  if (unit === "rate") return `${Units.bytes(value).replace(/ ?B$/, "")}/s`
  return amount(value, unit).replace(/\.0(?= MiB$)/, "")
}

/** A figure and its interval: `0.93 (0.91–0.95)`. */
export const intervalOf = ({ median, low, high }: Interval, unit: Unit): string => {
  const ends = [low, high].map((end) => amount(end, unit))
  const suffix = / ?[^\d.,]+$/.exec(ends[1]!)?.[0] ?? ""
  // The unit once, where it is the same.
  const first = suffix !== "" && ends[0]!.endsWith(suffix) ? ends[0]!.slice(0, -suffix.length) : ends[0]!
  return `${amount(median, unit)} (${first}–${ends[1]})`
}

/** What a contender is, where its runtime is said elsewhere: `hand-written`. */
export const short = (contender: Contender): string =>
  contender.family === "generator" ? contender.title : kinds[parts(contender)[0]] ?? contender.title

const kinds: Readonly<Record<string, string>> = {
  "anyport": "Anyport",
  "anyport-plain": "Anyport, plain",
  "anyport-session": "Anyport, session",
  "anyport-suspend": "Anyport, suspending",
  "anyport-policies": "Anyport, all policies",
  "anyport-unpooled": "Anyport, no reuse",
  "anyport-length": "Anyport",
  "anyport-file": "Anyport, one file",
  "hand": "hand-written",
  "hand-length": "hand-written",
  "naive": "a write a line",
  "net": "node:net",
  "effect": "Effect",
  "effect-suspend": "Effect, suspending",
  "empty": "empty program",
  "service": "the service",
  "go-seed": "Go, logging",
  "go": "Go",
  "go-buffered": "Go, buffered",
  "c": "C, epoll",
}

/** On what a contender runs: `Node`, `bun@1.3`, or what it is made with. */
export const place = (contender: Contender): string => {
  const [, where] = parts(contender)
  if (contender.family === "generator") return "Generators"
  if (contender.runtime === undefined) return contender.family === "custom" ? "Others" : "Go and C"
  return where === contender.runtime ? runtimeNames[contender.runtime] : where
}
