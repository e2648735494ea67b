/**
 * What a result says in words: which runtime for what, and what a hundred thousand devices need. A runtime is only named
 * where its interval lies apart from all others'; otherwise no difference is shown, and that is what is said.
 */
import { type Bar, bars, runtimes } from "./Bars.ts"
import {
  cellOf,
  common,
  cpu,
  estimated,
  type Figures,
  type Measure,
  named,
  toHand,
  type Unit,
  type Where,
} from "./Figures.ts"
import type { RuntimeName } from "./Result.ts"
import { type Estimate, fewest, overlap } from "./Statistics.ts"
import { intervalOf, runtimeNames } from "./Words.ts"

/** Which runtime for what. */
export interface Choice {
  /** What is wanted: `Least CPU time, one request in flight`. */
  readonly subject: string
  readonly unit: Unit
  /** The one whose interval lies apart from, and below, all others'. */
  readonly best: RuntimeName | undefined
  /** The answer in words, with the figures of all; it begins with the best one, where there is one. */
  readonly answer: string
  /** Of those that were measured, the least first. */
  readonly found: ReadonlyArray<{ readonly runtime: RuntimeName; readonly estimate: Estimate }>
}

/** What devices need on a runtime. */
export interface Capacity {
  readonly runtime: RuntimeName
  /** Cores for so many devices; undefined where it was not measured. */
  readonly cores: number | undefined
  /** Bytes for so many connections. */
  readonly memory: number | undefined
}

/** What {@link capacities} take for granted. */
export const devices = { count: 100_000, everySeconds: 10, bytes: 64, idle: 10_000 } as const

/** In words, what the capacities stand on. */
export const assumption =
  `each device sends one message of ${devices.bytes} bytes every ${devices.everySeconds} s and gets its reply, by the CPU ` +
  "time of the server's process with one request in flight over 50 connections; TLS, the handler's own work and what " +
  "the kernel does outside of the process come on top"

/** How Anyport stands, in a few sentences. Which runtime for what is said by {@link choices}. */
export const headline = (figures: Figures): ReadonlyArray<string> => [
  ...[1, 16].flatMap((inFlight) => {
    const cell = cellOf(figures, common(inFlight))
    const shares = runtimes.flatMap((runtime) => {
      const figure = cell === undefined ? undefined : figures.of(cell.id, `anyport-${runtime}`)
      const found = figure === undefined ? undefined : toHand(figures, figure)
      return found === undefined ? [] : [`${intervalOf(found, "times")} on ${runtimeNames[runtime]}`]
    })
    const flight = inFlight === 1 ? "One request" : `${inFlight} requests`
    return shares.length === 0
      ? []
      : [`${flight} in flight: the tightest hand-written server needs, of Anyport's CPU time, ${listed(shares)}.`]
  }),
  ...standing(bars(figures)),
]

/** How many bars hold. */
const standing = (all: ReadonlyArray<Bar>): ReadonlyArray<string> => {
  const count = (tag: Bar["outcome"]["_tag"]): number => all.filter(({ outcome }) => outcome._tag === tag).length
  const [reached, missed] = [count("Reached"), count("Missed")]
  // What is not measured may have been left out on purpose.
  const rest = count("NotMeasured")
  if (reached + missed === 0) return []
  return [`${reached} of ${reached + missed} bars are reached${rest === 0 ? "" : `; ${rest} were not measured`}.`]
}

/** Which runtime for what, as far as it was measured. */
export const choices = (figures: Figures): ReadonlyArray<Choice> =>
  subjects(figures).flatMap(({ subject, unit, where, id, measure }) => {
    const found = runtimes.flatMap((runtime) => {
      const cell = cellOf(figures, where, [id(runtime)])
      const estimate = cell === undefined ? undefined : estimated(figures.of(cell.id, id(runtime)), measure)
      return estimate === undefined ? [] : [{ runtime, estimate }]
    }).toSorted((one, other) => one.estimate.median - other.estimate.median)
    return found.length < 2 ? [] : [choice(subject, unit, found)]
  })

interface Subject {
  readonly subject: string
  readonly unit: Unit
  readonly where: Where
  readonly id: (runtime: RuntimeName) => string
  readonly measure: Measure
}

const subjects = (figures: Figures): ReadonlyArray<Subject> => {
  const id = (runtime: RuntimeName): string => `anyport-${runtime}`
  return [
    { subject: "Least CPU time, one request in flight", unit: "micros", where: common(1), id, measure: cpu },
    { subject: "Least CPU time, 16 requests in flight", unit: "micros", where: common(16), id, measure: cpu },
    {
      subject: "Least memory for idle connections",
      unit: "bytes",
      where: mostIdle(figures),
      id,
      measure: named("rss"),
    },
    {
      subject: "Fastest start, as one file",
      unit: "seconds",
      where: { scenario: "start" },
      id: (runtime) => `anyport-file-${runtime}`,
      measure: named("seconds"),
    },
    {
      subject: "Least CPU time for this service",
      unit: "micros",
      where: { framing: "own" },
      id: (runtime) => `service-${runtime}`,
      measure: cpu,
    },
    {
      subject: "Lowest p99 at 75 % of its own highest rate",
      unit: "micros",
      where: { scenario: "latency", share: 0.75 },
      id,
      measure: named("p99"),
    },
  ]
}

/** More connections say more of each. */
const mostIdle = ({ result }: Figures): Where => {
  const idle = result.cells.filter(({ scenario }) => scenario === "idle")
  const most = Math.max(...idle.map(({ connections = 0 }) => connections))
  return { scenario: "idle", ...idle.length === 0 ? {} : { connections: most } }
}

const choice = (subject: string, unit: Unit, found: Choice["found"]): Choice => {
  const [first, ...others] = found
  const shown = ({ runtime, estimate }: Choice["found"][number]): string =>
    `${runtimeNames[runtime]} ${intervalOf(estimate, unit)}`
  const all = found.map(shown).join(", ")
  const rivals = others.filter(({ estimate }) => overlap(first!.estimate, estimate)) // at least two were found
  const few = found.some(({ estimate }) => estimate.values.length < fewest)
  if (few) return { subject, unit, found, best: undefined, answer: `too few trials to tell: ${all}` }
  if (rivals.length === 0) return { subject, unit, found, best: first!.runtime, answer: all }
  const together = [first!, ...rivals].map(({ runtime }) => runtimeNames[runtime])
  return { subject, unit, found, best: undefined, answer: `no difference shown between ${listed(together)}: ${all}` }
}

const listed = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

/** What devices need, on each runtime. */
export const capacities = (figures: Figures): ReadonlyArray<Capacity> =>
  runtimes.flatMap((runtime) => {
    const estimateOf = (where: Where, measure: Measure): number | undefined => {
      const cell = cellOf(figures, where, [`anyport-${runtime}`])
      return cell === undefined ? undefined : estimated(figures.of(cell.id, `anyport-${runtime}`), measure)?.median
    }
    const micros = estimateOf(common(1), cpu)
    const rss = estimateOf(mostIdle(figures), named("rss"))
    const cores = micros === undefined ? undefined : (devices.count / devices.everySeconds) * micros * 1e-6
    const memory = rss === undefined ? undefined : rss * devices.idle
    return cores === undefined && memory === undefined ? [] : [{ runtime, cores, memory }]
  })
