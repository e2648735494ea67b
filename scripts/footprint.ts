/**
 * What it costs to be there: time from the start of the process to its ready line, and resident memory then, for the one
 * file, for the sources through tsx, and for an empty program, on every runtime. Each start is a process of its own; the
 * figures are medians. Needs Linux (`/proc`).
 *
 * ```
 * npm run footprint [-- --starts 7] [--record]
 * ```
 * `--record` writes the figures into the README.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { start } from "../bench/Program.ts"
import { footprint } from "../bench/trials/start.ts"
import { root, type Runtime, runtimes } from "./child.ts"
import { type Footprint as Recorded, machine, record } from "./figures.ts"
import { read, refuse } from "./flags.ts"

const flags = read({ starts: { type: "string", default: "7" }, record: { type: "boolean", default: false } })
const starts = Number(flags.starts)
if (!Number.isInteger(starts) || starts < 1) refuse("Cannot measure: --starts takes a number from 1")

interface Footprint {
  /** Milliseconds from the start of the process to its ready line. */
  readonly start: number
  /** Resident memory of it and its children then, MiB. */
  readonly memory: number
}

const measure = async (command: ReadonlyArray<string>): Promise<Footprint> => {
  const child = await start(command, { cwd: root })
  const { seconds, rss } = footprint(child)
  // SIGTERM, so that a program with a child of its own, as tsx, ends that one as well.
  child.signal("SIGTERM")
  await child.ended
  return { start: seconds * 1_000, memory: rss / 2 ** 20 }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const folder = mkdtempSync(join(tmpdir(), "anyport-footprint-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const built = spawnSync("node", ["scripts/build.ts", folder], { cwd: root, encoding: "utf8" })
if (built.status !== 0) refuse(`Cannot build: ${built.stdout}${built.stderr}`)

const file = join(folder, "anyport.mjs")
const empty = "bench/trials/empty.mjs"
const serving = ["serve", "--port", "0"]
const deno = ["deno", "run", "--no-prompt", "--allow-net=127.0.0.1"]
const runners: Record<Runtime, ReadonlyArray<string>> = { node: ["node"], bun: ["bun"], deno }
type Row = Recorded["rows"][number]

/** Measures a program, prints its line and returns its medians. */
const report = async (name: string, command: ReadonlyArray<string>): Promise<Footprint> => {
  const found: Array<Footprint> = []
  while (found.length < starts) found.push(await measure(command))
  const [start, memory] = [median(found.map(({ start }) => start)), median(found.map(({ memory }) => memory))]
  console.log(name.padEnd(30), `${start.toFixed(0)} ms`.padStart(10), `${memory.toFixed(0)} MiB`.padStart(10))
  return { start, memory }
}

console.log(`median of ${starts}`.padEnd(30), "start-up".padStart(10), "RSS".padStart(10))
const rows: Array<Row> = []
for (const runtime of runtimes) {
  const runner = runners[runtime]
  rows.push({ runtime, program: "empty", ...await report(`an empty program on ${runtime}`, [...runner, empty]) })
  const command = [...runner, file, ...serving]
  rows.push({ runtime, program: "anyport.mjs", ...await report(`anyport.mjs on ${runtime}`, command) })
}
await report("cli/main.ts through tsx", ["tsx", "cli/main.ts", ...serving])
if (flags.record) record("footprint", { machine: machine(), rows })
