/**
 * What it costs that the supervisor accepts for its workers (`--share cluster`) in place of the system (`reuseport`): CPU
 * time of the supervisor and two workers on Node, for each connection that asks one line and leaves, and for each line of
 * 50 connections with 16 in flight. The median of three runs each, by turns. The figures are CPU time, not speed.
 *
 * ```
 * npm run share [-- --record]
 * ```
 * `--record` writes them into `docs/workers.md`. Needs Linux.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Crew } from "../test/peers/Crew.ts"
import { Entries } from "../test/peers/Entries.ts"
import { Visitors } from "../test/peers/Visitors.ts"
import { cpuSeconds, root } from "./child.ts"
import { open } from "./cpu/client.ts"
import { machine } from "./figures.ts"
import { read, refuse } from "./flags.ts"
import * as Generated from "./generated.ts"

/** In microseconds of CPU time. */
interface Row {
  readonly share: string
  readonly connection: number
  readonly line: number
}

interface Results {
  readonly machine: string
  readonly rows: ReadonlyArray<Row>
}

const path = "docs/results/share.json"

/** Where they are shown. */
export const block: Generated.Block = { path: "docs/workers.md", name: "share" }

/** The table of what was recorded. */
export const markdown = (): string => {
  const { machine, rows }: Results = JSON.parse(readFileSync(join(root, path), "utf8"))
  return [
    "| CPU time on Node | each connection, with one line | each line, 16 in flight |",
    "| --- | --- | --- |",
    ...rows.map(({ share, connection, line }) =>
      `| ${share} | ${connection.toFixed(0)} µs | ${line.toPrecision(2)} µs |`
    ),
    "",
    `Measured on: ${machine}.`,
  ].join("\n")
}

const visits = 20_000
const lines = 2_000_000

const measure = async (share: string): Promise<Row> => {
  const crew = await Crew.start("node", { service: "echo", flags: ["--share", share] })
  try {
    if (!("port" in crew.place)) throw new Error("It listens on no port")
    const { pids, place: { port } } = crew
    const spent = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const entries = new Entries()
    const visitors = new Visitors(crew.place, 20, 0, entries)
    const visited = async (count: number): Promise<void> => {
      while (entries.count < count) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await visited(visits / 4) // until the engine is warm
    const [from, count] = [spent(), entries.count]
    await visited(count + visits)
    const connection = (spent() - from) / (entries.count - count)
    await visitors.stop()
    const load = await open(port, 50)
    await load.run(lines / 4, 16)
    const before = spent()
    await load.run(lines, 16)
    const line = (spent() - before) / lines
    load.close()
    return { share, connection: connection * 1e6, line: line * 1e6 }
  } finally {
    await crew.child.kill()
  }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flags = read({ record: { type: "boolean", default: false } })
  if (process.platform !== "linux") refuse("Cannot compare here: CPU time is read from Linux's /proc")
  const rounds: Array<ReadonlyArray<Row>> = []
  for (let round = 0; round < 3; round++) rounds.push([await measure("reuseport"), await measure("cluster")])
  const rows = rounds[0]!.map(({ share }, index): Row => ({
    share,
    connection: median(rounds.map((row) => row[index]!.connection)),
    line: median(rounds.map((row) => row[index]!.line)),
  }))
  for (const { share, connection, line } of rows) {
    console.log(`${share.padEnd(10)} ${connection.toFixed(1)} µs a connection, ${line.toFixed(2)} µs a line`)
  }
  if (flags.record) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${JSON.stringify({ machine: machine(), rows }, undefined, 2)}\n`)
    Generated.write(block, markdown())
  }
  process.exit()
}
