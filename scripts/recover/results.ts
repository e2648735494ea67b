/** What `npm run recover` measured: the file that is committed, and the table that the document shows. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, type Runtime, runtimes } from "../child.ts"
import type { Case, Measure, Scale } from "./Case.ts"
import type { Block } from "../generated.ts"
import { quantile } from "./Regulars.ts"

/** What one case measured on one runtime. */
export interface Row {
  readonly name: string
  readonly runtime: Runtime
  /** For each measure, the figure of every run. */
  readonly figures: ReadonlyArray<ReadonlyArray<number>>
}

/** The results of all runs. */
export interface Results {
  /** As 2026-12-31. */
  readonly date: string
  readonly machine: string
  /** What else the machine had to do when the first run began: its load average over a minute. */
  readonly load: number
  /** Of the runtimes that took part. */
  readonly versions: Partial<Readonly<Record<Runtime, string>>>
  readonly runs: number
  readonly scale: Scale
  readonly rows: ReadonlyArray<Row>
}

/** The file with the results, from the repository's root. */
export const path = "docs/results/recover.json"

/** Where the table stands. */
export const block: Block = { path: "docs/operations.md", name: "recover" }

/** The committed results. */
export const read = (): Results => JSON.parse(readFileSync(join(root, path), "utf8"))

/** Replaces them. */
export const write = (results: Results): void =>
  writeFileSync(join(root, path), `${JSON.stringify(results, undefined, 1)}\n`)

/** Cases that these results do not have, or with other measures, on some runtime. */
export const missing = ({ rows }: Results, cases: ReadonlyArray<Case>): ReadonlyArray<string> =>
  cases.filter(({ name, measures }) =>
    runtimes.some((runtime) =>
      rows.find((row) => row.name === name && row.runtime === runtime)?.figures.length !== measures.length
    )
  ).map(({ name }) => name)

/** The table in Markdown: for each case what happens, and below it a row for each measure. */
export const table = (results: Results, cases: ReadonlyArray<Case>): string => {
  const { date, load, machine, rows, runs, scale, versions } = results
  const shown = present(versions)
  const cells = ({ name }: Case, measure: number, { unit }: Measure): ReadonlyArray<string> =>
    shown.map((runtime) => {
      const row = rows.find((row) => row.name === name && row.runtime === runtime)
      return spell(row?.figures[measure] ?? [], unit)
    })
  const line = (head: string, cells: ReadonlyArray<string>): string => `| ${[head, ...cells].join(" | ")} |`
  return [
    line("", shown.map((runtime) => names[runtime])),
    line("---", shown.map(() => "---")),
    ...cases.flatMap((one) => [
      line(`**${one.title(scale)}**`, shown.map(() => "")),
      ...one.measures.map((measure, index) => line(measure.title, cells(one, index, measure))),
    ]),
    "",
    `${
      runs === 1 ? "One run" : `The median of ${runs} runs, and in brackets the lowest and the highest`
    }. Measured on: ${machine}, load average ${load.toFixed(1)} before; ` +
    `${shown.map((runtime) => `${names[runtime]} ${versions[runtime]}`).join(", ")}; ${date}.`,
  ].join("\n")
}

const present = (versions: Results["versions"]): ReadonlyArray<Runtime> =>
  runtimes.filter((runtime) => versions[runtime] !== undefined)

const names: Record<Runtime, string> = { node: "Node", bun: "Bun", deno: "Deno" }

/** Median and range. */
const spell = (figures: ReadonlyArray<number>, unit: Measure["unit"]): string => {
  if (figures.length === 0) return "–"
  const [median, lowest, highest] = [quantile(figures, 0.5), Math.min(...figures), Math.max(...figures)].map(numeral)
  const whole = unit === "" ? median! : `${median} ${unit}`
  return lowest === highest ? whole : `${whole} (${lowest}–${highest})`
}

const numeral = (figure: number): string => Math.round(figure).toLocaleString("en-US")
