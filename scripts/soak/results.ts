/** What `npm run soak` measured: a file for each runtime that is committed, and the table that the document shows. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, type Runtime, runtimes } from "../child.ts"
import type { Block } from "../generated.ts"
import { type Found, type Measure, measures } from "./verdict.ts"

/** One soak of one runtime. */
export interface Row {
  readonly runtime: Runtime
  readonly minutes: number
  /** Requests a second. */
  readonly rate: number
  readonly replies: number
  /** Requests that the schedule wanted. */
  readonly scheduled: number
  /** Response times, in microseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Connections of clients that came and went. */
  readonly visits: number
  /** Clients that read nothing, and those that the server ended for it. */
  readonly frozen: number
  readonly stalled: number
  /** Connections of all. */
  readonly opened: number
  readonly failures: Readonly<Record<string, number>>
  /** Minutes at the beginning that were not looked at. */
  readonly settled: number
  readonly found: ReadonlyArray<Found>
  /** Minutes and values. */
  readonly series: Readonly<Record<string, ReadonlyArray<readonly [number, number]>>>
}

/** What is kept of a soak. */
export interface Result extends Row {
  readonly date: string
  readonly machine: string
  readonly version: string
}

/** Where the table stands. */
export const block: Block = { path: "docs/operations.md", name: "soak" }

const file = (runtime: Runtime): string => join(root, "docs/results", `soak-${runtime}.json`)

/** Replaces the committed result of a runtime. */
export const write = (result: Result): void =>
  writeFileSync(file(result.runtime), `${JSON.stringify(result, undefined, 1)}\n`)

/** The committed results. */
export const read = (): ReadonlyArray<Result> =>
  runtimes.filter((runtime) => existsSync(file(runtime))).map((runtime) =>
    JSON.parse(readFileSync(file(runtime), "utf8"))
  )

/** What must not be of a soak. */
export const broken = ({ runtime, found, failures, replies, scheduled, frozen, stalled }: Row): ReadonlyArray<string> =>
  [
    ...found.filter(({ leaks }) => leaks).map((one) => `${measureOf(one.name).title} leaks: ${spell(one)} an hour`),
    ...Object.entries(failures).map(([kind, count]) => `${count} ${kind}`),
    ...replies < scheduled ? [`${scheduled - replies} of ${scheduled} requests were not answered`] : [],
    // The last one may not have had his time.
    ...stalled < frozen - 1 ? [`${frozen} clients read nothing, and ${stalled} of them were ended for it`] : [],
  ].map((what) => `${runtime}: ${what}`)

/** What was measured, as a table in Markdown. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`
  const row = (head: string, cell: (row: Row) => string): string => line([head, ...rows.map(cell)])
  return [
    line(["", ...rows.map(({ runtime }) => names[runtime])]),
    line(["---", ...rows.map(() => "---")]),
    row("messages answered", ({ replies }) => whole(replies)),
    row("response, p50 and p99", ({ p50, p99 }) => `${millis(p50)}, ${millis(p99)}`),
    row("clients that came and went", ({ visits }) => whole(visits)),
    row("clients that read nothing", ({ frozen }) => whole(frozen)),
    ...measures.map(({ name, title, unit }) =>
      row(`${title}: from, to`, ({ found }) => {
        const one = found.find((one) => one.name === name)
        return one === undefined ? "–" : `${amount(one.first, unit)}, ${amount(one.last, unit)}`
      })
    ),
    ...measures.map(({ name, title, unit }) =>
      row(`${title}: ${unit === "" ? "" : `${unit} `}an hour`, ({ found }) => {
        const one = found.find((one) => one.name === name)
        return one === undefined ? "–" : spell(one)
      })
    ),
  ].join("\n")
}

/** The table of the committed results. */
export const markdown = (): string => {
  const results = read()
  if (results.length === 0) return "Nothing is recorded yet."
  const each = (of: (result: Result) => string): string => [...new Set(results.map(of))].join("; ")
  return [
    table(results),
    "",
    `${each(({ minutes, rate }) => `${minutes} minutes at ${whole(rate)} messages a second`)}. A slope is by least ` +
    "squares, in brackets its 95 % confidence interval; what a server needs to get going is not looked at " +
    `(${each(({ settled }) => `${settled} minutes`)}). Measured on: ${each(({ machine }) => machine)}; ` +
    `${results.map(({ runtime, version }) => `${names[runtime]} ${version}`).join(", ")}; ${each(({ date }) => date)}.`,
  ].join("\n")
}

const names: Record<Runtime, string> = { node: "Node", bun: "Bun", deno: "Deno" }

const measureOf = (name: Measure["name"]): Measure => measures.find((measure) => measure.name === name)!

/** A slope for an hour, and its interval. */
const spell = ({ slope, low, high }: Found): string => {
  const [middle, from, to] = [slope, low, high].map((value) => (value * 60).toFixed(1).replace(/^-0\.0$/, "0.0"))
  return `${middle} (${from} to ${to})`
}

const amount = (value: number, unit: Measure["unit"]): string =>
  unit === "" ? value.toFixed(0) : `${value.toFixed(1)} ${unit}`

const millis = (micros: number): string => `${(micros / 1_000).toFixed(micros < 10_000 ? 2 : 0)} ms`

const whole = (count: number): string => count.toLocaleString("en-US")
