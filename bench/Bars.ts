/**
 * What the engine has to reach, as data, and whether it does. A bar is judged by the median of its trials; its interval
 * stands beside it, so that a reader sees how close it was. Nothing is measured or formatted here.
 */
import {
  byRound,
  cellOf,
  common,
  cpu,
  estimated,
  type Figure,
  type Figures,
  grouped,
  named,
  rate,
  ratio,
  throughput,
  type Unit,
  type Where,
} from "./Figures.ts"
import type { RuntimeName } from "./Result.ts"
import { type Interval, quotient } from "./Statistics.ts"

/** The three runtimes, in the order in which they are shown. */
export const runtimes: ReadonlyArray<RuntimeName> = ["node", "bun", "deno"]

/** Something that is to be reached, or only to be said. */
export interface Bar {
  /** The same for all runtimes. */
  readonly title: string
  readonly runtime: RuntimeName
  readonly unit: Unit
  /** What is to be reached; undefined where a figure is only reported. */
  readonly wanted: number | undefined
  /** Whether the figure may be at most that; else it has to be at least that. */
  readonly most: boolean
  readonly outcome: Outcome
}

/** What became of it. */
export type Outcome =
  | { readonly _tag: "Reached" | "Reported"; readonly found: Interval }
  /** `by`: how much is missing or too much, as a share of what was wanted. */
  | { readonly _tag: "Missed"; readonly found: Interval; readonly by: number }
  | { readonly _tag: "NotMeasured"; readonly reason: string }

/** All bars, by subject and then by runtime. */
export const bars = (figures: Figures): ReadonlyArray<Bar> => {
  const grid = (make: (on: RuntimeName, inFlight: number) => Bar): ReadonlyArray<Bar> =>
    [1, 16].flatMap((inFlight) => runtimes.map((on) => make(on, inFlight)))
  return [
    ...services.flatMap(({ title, id, wanted }) =>
      grid((on, inFlight) =>
        least(
          `${title} against hand-written, ${flight(inFlight)}`,
          on,
          wanted(on, inFlight),
          compared(figures, inFlight, `hand-${on}`, `${id}-${on}`),
        )
      )
    ),
    ...grid((on, inFlight) =>
      least(
        `A handler that suspends against Effect's socket server, ${flight(inFlight)}`,
        on,
        1.5,
        compared(figures, inFlight, `effect-suspend-${on}`, `anyport-suspend-${on}`),
      )
    ),
    least("Against Go, 16 in flight", "bun", 8, compared(figures, 16, "go", "anyport-bun")),
    least("Against Go, 16 in flight, by throughput", "bun", 8, byThroughput(figures, 16, "anyport-bun", "go")),
    least("Against Go, one in flight", "bun", undefined, compared(figures, 1, "go", "anyport-bun")),
    least("Against C with epoll, one in flight", "bun", undefined, compared(figures, 1, "c", "anyport-bun")),
    least("Against C with epoll, 16 in flight", "bun", undefined, compared(figures, 16, "c", "anyport-bun")),
    ...grid((on, inFlight) =>
      least(`Kept at 1,000 connections, ${flight(inFlight)}`, on, 0.95, kept(figures, on, inFlight))
    ),
    ...grid((on, inFlight) =>
      least(
        `All policies on against off, ${flight(inFlight)}`,
        on,
        0.95,
        compared(figures, inFlight, `anyport-${on}`, `anyport-policies-${on}`),
      )
    ),
    ...runtimes.map((on) => most("An idle connection", on, "bytes", on === "deno" ? 16_384 : 8_704, idle(figures, on))),
    ...runtimes.map((on) => most("The one file, to its ready line", on, "seconds", 0.25, starting(figures, on))),
    ...runtimes.map((on) =>
      most("The one file, beyond an empty program", on, "bytes", 35 * 1_024 ** 2, resident(figures, on))
    ),
  ]
}

/** The subjects of bars, each with its bar on each runtime that has one. */
export const byTitle = (bars: ReadonlyArray<Bar>): ReadonlyMap<string, ReadonlyArray<Bar>> =>
  grouped(bars, ({ title }) => title)

interface ServiceBar {
  readonly title: string
  readonly id: string
  readonly wanted: (runtime: RuntimeName, inFlight: number) => number | undefined
}

const services: ReadonlyArray<ServiceBar> = [
  { title: "Service.respond", id: "anyport", wanted: (on, inFlight) => on === "deno" && inFlight === 16 ? 0.85 : 0.90 },
  {
    title: "Service.plain",
    id: "anyport-plain",
    wanted: (on, inFlight) => on === "deno" && inFlight === 16 ? 0.85 : 0.90,
  },
  { title: "Service.session", id: "anyport-session", wanted: (on) => on === "deno" ? 0.45 : 0.60 },
  {
    title: "A handler that suspends",
    id: "anyport-suspend",
    wanted: (on, inFlight) => inFlight === 1 ? 0.60 : on === "deno" ? undefined : 0.35,
  },
]

const flight = (inFlight: number): string => inFlight === 1 ? "one in flight" : `${inFlight} in flight`

// ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A figure, or why there is none. */
type Found = Interval | string

const least = (title: string, runtime: RuntimeName, wanted: number | undefined, found: Found): Bar => ({
  title,
  runtime,
  unit: "times",
  wanted,
  most: false,
  outcome: judge(found, wanted, (value, wanted) => (wanted - value) / wanted),
})

const most = (title: string, runtime: RuntimeName, unit: Unit, wanted: number, found: Found): Bar => ({
  title,
  runtime,
  unit,
  wanted,
  most: true,
  outcome: judge(found, wanted, (value, wanted) => (value - wanted) / wanted),
})

const judge = (
  found: Found,
  wanted: number | undefined,
  missing: (value: number, wanted: number) => number,
): Outcome => {
  if (typeof found === "string") return { _tag: "NotMeasured", reason: found }
  if (wanted === undefined) return { _tag: "Reported", found }
  const by = missing(found.median, wanted)
  return by > 0 ? { _tag: "Missed", found, by } : { _tag: "Reached", found }
}

// ── What is judged ───────────────────────────────────────────────────────────────────────────────────────────────────

/** How often the CPU time of the second one goes into that of the first. */
const compared = (figures: Figures, inFlight: number, above: string, below: string): Found =>
  inCell(figures, common(inFlight), [above, below], (one, other) => ratio(one, other, cpu))

const byThroughput = (figures: Figures, inFlight: number, above: string, below: string): Found =>
  inCell(
    figures,
    common(inFlight),
    [above, below],
    (one, other) =>
      [one, other].some((figure) => throughput(figure) === "generator-bound")
        ? "generator-bound"
        : ratio(one, other, rate),
  )

/**
 * What is left at 1,000 connections of what 50 have, compared with the hand-written server: of the throughput where it is
 * the server's in all four, else by the CPU time.
 */
const kept = (figures: Figures, on: RuntimeName, inFlight: number): Found => {
  const ids = [`anyport-${on}`, `hand-${on}`] as const
  const cells = [1_000, 50].map((connections) => ({ ...common(inFlight), connections }))
  const throughputs = cells.flatMap((where) => {
    const cell = cellOf(figures, where, ids)
    return ids.map((id) => cell === undefined ? undefined : throughput(figures.of(cell.id, id)))
  })
  const isServers = throughputs.every((found) => typeof found === "object")
  const [many, few] = cells.map((where) =>
    inCell(figures, where, ids, (ours, hand) => isServers ? ratio(ours, hand, rate) : ratio(hand, ours, cpu))
  )
  if (typeof many !== "object") return many ?? "not in this run"
  if (typeof few !== "object") return few ?? "not in this run"
  return quotient(many.values, few.values) ?? "no round in which both count"
}

const idle = (figures: Figures, on: RuntimeName): Found => {
  const id = `anyport-${on}`
  // More connections say more of each.
  const cell = figures.result.cells.filter(({ scenario, contenders }) => scenario === "idle" && contenders.includes(id))
    .toSorted((one, other) => (other.connections ?? 0) - (one.connections ?? 0))[0]
  return inCell(
    figures,
    cell === undefined ? { scenario: "idle" } : { id: cell.id },
    [id],
    (figure) => estimated(figure, named("rss")),
  )
}

const starting = (figures: Figures, on: RuntimeName): Found =>
  inCell(figures, { scenario: "start" }, [`anyport-file-${on}`], (figure) => estimated(figure, named("seconds")))

const resident = (figures: Figures, on: RuntimeName): Found =>
  inCell(
    figures,
    { scenario: "start" },
    [`anyport-file-${on}`, `empty-${on}`],
    (ours, empty) => byRound(ours, empty, named("rss"), (one, other) => one - other),
  )

/** What contenders of a cell give together, or why they do not. */
const inCell = <A, const Ids extends ReadonlyArray<string>>(
  figures: Figures,
  where: Where,
  ids: Ids,
  of: (...found: { readonly [I in keyof Ids]: Figure }) => A | undefined,
): A | string => {
  const cell = cellOf(figures, where, ids)
  if (cell === undefined) return absent(figures, ids)
  const found = ids.map((id) => figures.of(cell.id, id)!) // the cell has all of them
  const blank = found.find(({ blank }) => blank !== undefined)
  if (blank !== undefined) return `${blank.contender.title} ${blank.blank}`
  return of(...found as { [I in keyof Ids]: Figure }) ?? "no round in which both count" // one for each id
}

const absent = ({ result }: Figures, ids: ReadonlyArray<string>): string => {
  const missing = ids.filter((id) => !result.contenders.some((contender) => contender.id === id))
  return missing.length === 0 ? "not in this run" : `${missing.join(" and ")} did not take part`
}
