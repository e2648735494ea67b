/** What `npm run rolling` found: the file that is committed, what has to hold, and the table that documents show. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { root, type Runtime } from "../child.ts"
import { machine } from "../figures.ts"
import * as Generated from "../generated.ts"
import { broken as reset } from "../../test/peers/Entries.ts"

/** By what workers share the port. */
export type Share = "reuseport" | "cluster"

/** What is measured. */
export const ways: ReadonlyArray<{ readonly runtime: Runtime; readonly share: Share }> = [
  { runtime: "node", share: "reuseport" },
  { runtime: "node", share: "cluster" },
  { runtime: "bun", share: "reuseport" },
  { runtime: "deno", share: "reuseport" },
]

/** One run. */
export interface Row {
  readonly runtime: Runtime
  readonly share: Share
  /** Whether `net.ipv4.tcp_migrate_req` was 1. */
  readonly migrate: boolean
  readonly restarts: number
  readonly answers: number
  /** Requests that had arrived before their worker began to drain, and were not answered, or wrongly. */
  readonly lost: number
  /** Connections that had been answered and were reset, by code. */
  readonly resets: Readonly<Record<string, number>>
  /** Connections that were answered. */
  readonly connects: number
  /** Those that were not, by code. */
  readonly failures: Readonly<Record<string, number>>
  /** The longest time in which nobody got in, in milliseconds. */
  readonly gap: number
}

/** All of them. */
export interface Results {
  readonly machine: string
  readonly rows: ReadonlyArray<Row>
}

/** What does not hold of a run. */
export const broken = ({ runtime, share, lost, resets, connects, failures }: Row): ReadonlyArray<string> => {
  const allowed = share === "cluster" ? 0 : connects / 10_000
  return [
    ...lost > 0 ? [`${lost} replies lost`] : [],
    ...sum(resets) > 0 ? [`${sum(resets)} established connections reset`] : [],
    ...reset(failures) > allowed ? [`${reset(failures)} of ${connects} connects reset or refused`] : [],
  ].map((what) => `${runtime}, ${share}: ${what}`)
}

/** `3 ECONNRESET, 1 ECONNREFUSED`, or 0. */
export const spell = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).map(([code, count]) => `${count} ${code}`).join(", ") || "0"

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** The file with the results, from the repository's root. */
const path = "docs/results/rolling.json"

/** Where they are shown. */
export const block: Generated.Block = { path: "docs/workers.md", name: "rolling" }

const recorded = (): Results => {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8"))
  } catch {
    return { machine: machine(), rows: [] } // the first time
  }
}

/** Keeps rows in place of those that were measured under the same circumstances, and writes the document. */
export const record = (rows: ReadonlyArray<Row>): void => {
  const key = ({ runtime, share, migrate }: Row): string => `${order(runtime, share)} ${migrate}`
  const all = new Map([...recorded().rows, ...rows].map((row) => [key(row), row]))
  const sorted = [...all].toSorted(([left], [right]) => left < right ? -1 : 1).map(([, row]) => row)
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), `${JSON.stringify({ machine: machine(), rows: sorted }, undefined, 2)}\n`)
  Generated.write(block, markdown())
}

const order = (runtime: Runtime, share: Share): number =>
  ways.findIndex((way) => way.runtime === runtime && way.share === share)

/** The table of what was recorded. */
export const markdown = (): string => {
  const { machine, rows } = recorded()
  return [
    "| | `tcp_migrate_req` | Restarts | Answers | Lost | Established, reset | Connects | Of these, not let in | Longest gap |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(({ runtime, share, migrate, restarts, answers, lost, resets, connects, failures, gap }) =>
      `| ${
        [
          `${names[runtime]}, ${share}`,
          Number(migrate),
          restarts,
          count(answers),
          lost,
          spell(resets),
          count(connects),
          spell(failures),
          `${gap.toFixed(0)} ms`,
        ].join(" | ")
      } |`
    ),
    "",
    `Measured on: ${machine}.`,
  ].join("\n")
}

const names: Record<Runtime, string> = { node: "Node", bun: "Bun", deno: "Deno" }

const count = (value: number): string => value.toLocaleString("en")
