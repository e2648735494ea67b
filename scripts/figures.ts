/**
 * The figures that documents show: measured by scripts, kept in `docs/results/` as they were recorded, rendered here.
 * Nothing is measured here. The gate compares what a document says with what its results render to.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { root, type Runtime, runtimes } from "./child.ts"
import * as Generated from "./generated.ts"

/** What `npm run cpu` records: medians, in microseconds of CPU time a message, by lines in flight. */
export interface Cpu {
  readonly machine: string
  readonly rows: ReadonlyArray<{
    readonly runtime: Runtime
    readonly inFlight: number
    readonly hand: number
    readonly anyport: number
    readonly ratio: number
  }>
}

/** What `npm run memory` records: the case, and by how many MiB the server's resident memory rose at most. */
export interface Memory {
  readonly machine: string
  readonly rows: ReadonlyArray<{ readonly runtime: Runtime; readonly name: string; readonly rise: number }>
}

/** What `npm run footprint` records: milliseconds to the ready line, and MiB resident then; of an empty program too. */
export interface Footprint {
  readonly machine: string
  readonly rows: ReadonlyArray<{
    readonly runtime: Runtime
    readonly program: "empty" | "anyport.mjs"
    readonly start: number
    readonly memory: number
  }>
}

interface Results {
  readonly cpu: Cpu
  readonly memory: Memory
  readonly footprint: Footprint
}

/** What the figures were measured on. */
export const machine = (): string => `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${cpus().length} cores`

const file = (name: keyof Results): string => join(root, "docs/results", `${name}.json`)

const recorded = <Name extends keyof Results>(name: Name): Results[Name] => JSON.parse(readFileSync(file(name), "utf8"))

/** Keeps what was measured and writes it into the documents. */
export const record = <Name extends keyof Results>(name: Name, result: Results[Name]): void => {
  mkdirSync(join(root, "docs/results"), { recursive: true })
  writeFileSync(file(name), `${JSON.stringify(result, null, 2)}\n`)
  Generated.write(guarantees, renderGuarantees())
}

/** Where the table of guarantees stands. */
export const guarantees: Generated.Block = { path: "README.md", name: "guarantees" }

/** What holds, in figures, and the command that shows it. */
export const renderGuarantees = (): string => {
  const [cpu, memory, footprint] = [recorded("cpu"), recorded("memory"), recorded("footprint")]
  const rise = (name: string): ReadonlyArray<string> =>
    runtimes.map((runtime) => {
      const row = memory.rows.find((row) => row.runtime === runtime && row.name === name)!
      return `+${row.rise.toFixed(0)} MiB`
    })
  const cost = (inFlight: number): ReadonlyArray<string> =>
    runtimes.map((runtime) => {
      const row = cpu.rows.find((row) => row.runtime === runtime && row.inFlight === inFlight)!
      return `${row.anyport.toPrecision(2)} µs (${row.hand.toPrecision(2)})`
    })
  const beside = (of: "start" | "memory", unit: string): ReadonlyArray<string> =>
    runtimes.map((runtime) => {
      const [ours, empty] = (["anyport.mjs", "empty"] as const).map((program) =>
        footprint.rows.find((row) => row.runtime === runtime && row.program === program)![of].toFixed(0)
      )
      return `${ours} ${unit} (${empty})`
    })
  const rows: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
    ["1 GiB without a newline, skipped: memory rises by at most", rise("no newline, skip"), "memory"],
    ["A client that never reads its replies: memory rises by at most", rise("replies unread"), "memory"],
    ["CPU time a message, one in flight (hand-written)", cost(1), "cpu"],
    ["CPU time a message, 16 in flight (hand-written)", cost(16), "cpu"],
    ["The one file is ready after (an empty program)", beside("start", "ms"), "footprint"],
    ["It is then resident with (an empty program)", beside("memory", "MiB"), "footprint"],
  ]
  return [
    "| | Node | Bun | Deno | see for yourself |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map(([what, cells, script]) => `| ${what} | ${cells.join(" | ")} | \`npm run ${script}\` |`),
    "",
    `Measured on: ${[...new Set([cpu.machine, memory.machine, footprint.machine])].join("; ")}.`,
  ].join("\n")
}
