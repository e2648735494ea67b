/** What `npm run prove` found: the file that is committed, and the matrix that documents show. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { root, type Runtime, runtimes } from "../child.ts"
import type { Verdict } from "./Case.ts"

/** Who wrote the server: somebody by hand after a runtime's documentation, or Anyport's authors. */
export type Author = "hand" | "anyport"

/** What one case found on one runtime. */
export type Cells = Readonly<Record<Author, Verdict>>

/** What one case found. */
export interface Row {
  readonly name: string
  readonly title: string
  /** By the runtimes that took part. */
  readonly cells: Partial<Readonly<Record<Runtime, Cells>>>
}

/** The results of a run. */
export interface Results {
  /** As 2026-12-31. */
  readonly date: string
  /** Of the runtimes that took part. */
  readonly versions: Partial<Readonly<Record<Runtime, string>>>
  /** Lines of code of the servers, without comments and blank lines. */
  readonly lines: Readonly<Record<Runtime | "anyport", number>>
  readonly cases: ReadonlyArray<Row>
}

/** The file with the results, from the repository's root. */
export const path = "docs/results/prove.json"

/** The committed results. */
export const read = (): Results => JSON.parse(readFileSync(join(root, path), "utf8"))

/** Replaces them. */
export const write = (results: Results): void => {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`)
}

/** Whether Anyport lost nothing. */
export const proven = ({ cases }: Results): boolean =>
  cases.every(({ cells }) => Object.values(cells).every(({ anyport }) => anyport === "ok"))

/**
 * The matrix in Markdown: a row for each case, ✓ or what was lost. Anyport has one column for all runtimes as long as it
 * loses nothing on any of them.
 */
export const matrix = (results: Results): string => {
  const { cases, date, lines, versions } = results
  const present = runtimes.filter((runtime) => versions[runtime] !== undefined)
  const theirs = present.map((runtime) => ({ ...column(runtime, "hand"), title: `${names[runtime]} by hand` }))
  const each = present.map((runtime) => ({ ...column(runtime, "anyport"), title: `Anyport on ${names[runtime]}` }))
  const all = { ...each[0]!, title: "Anyport on all three" }
  const columns = [...theirs, ...proven(results) && present.length === runtimes.length ? [all] : each]
  return [
    row("", columns.map(({ title }) => title)),
    row("---", columns.map(() => "---")),
    ...cases.map(({ title, cells }) => row(title, columns.map(({ cell }) => cell(cells)))),
    row("Lines of code", columns.map(({ source }) => lines[source])),
    "",
    `${present.map((runtime) => `${names[runtime]} ${versions[runtime]}`).join(", ")}; ${date}.`,
  ].join("\n")
}

const names: Record<Runtime, string> = { node: "Node", bun: "Bun", deno: "Deno" }

const column = (runtime: Runtime, author: Author) => ({
  source: author === "hand" ? runtime : author,
  cell: (cells: Row["cells"]): string => {
    const verdict = cells[runtime]![author]
    return verdict === "ok" ? "✓" : verdict.replaceAll("|", "\\|")
  },
})

const row = (head: string, cells: ReadonlyArray<string | number>): string => `| ${[head, ...cells].join(" | ")} |`
