/**
 * Time to recover: what befalls the real program, `anyport serve`, and after how many milliseconds its clients are served as
 * before. Each run of each case has programs of its own; the clients are this process.
 *
 * ```
 * npm run recover [-- --runs 5] [--only CASE] [--runtime node|bun|deno] [--record]
 * ```
 * Prints the table with medians and ranges. Exit code 1 when a program did not recover, lost what it must not lose, or had
 * no other worker in 5 s; no other figure is judged. `--record` keeps the figures in `docs/results/recover.json` and writes
 * the table into `docs/operations.md`, unless something was lost or did not recover. Needs Linux (`/proc`, `prlimit`), and about 2,100 descriptors.
 */
import { spawnSync } from "node:child_process"
import { loadavg } from "node:os"
import { type Runtime, runtimes } from "./child.ts"
import { machine } from "./figures.ts"
import { read, refuse } from "./flags.ts"
import * as Generated from "./generated.ts"
import type { Case } from "./recover/Case.ts"
import { cases } from "./recover/cases/index.ts"
import * as Results from "./recover/results.ts"

const flags = read({
  only: { type: "string", multiple: true },
  runtime: { type: "string", multiple: true },
  runs: { type: "string", default: "5" },
  record: { type: "boolean", default: false },
})

/** Those that a flag asks for; all when there is no such flag. */
const choose = (flag: "only" | "runtime", names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const asked = flags[flag] ?? names
  const unknown = asked.find((name) => !names.includes(name))
  return unknown === undefined ? asked : refuse(`Unknown --${flag} ${unknown}; accepted are ${names.join(", ")}`)
}

const names = choose("only", cases.map(({ name }) => name))
const chosen = choose("runtime", runtimes)
const runs = Number(flags.runs)
if (!(Number.isInteger(runs) && runs >= 1 && runs <= 100)) {
  refuse("Cannot measure: --runs takes a number from 1 to 100")
}
if (flags.record && (flags.only !== undefined || flags.runtime !== undefined)) {
  refuse("Cannot record a part: --record excludes --only and --runtime")
}
if (process.platform !== "linux") refuse("Cannot measure here: descriptors and CPU time are read from Linux's /proc")

const scale = { talking: 200, returning: 2_000 }

const versionOf = (runtime: Runtime): string =>
  /\d+\.\d+\.\d+/.exec(spawnSync(runtime, ["--version"], { encoding: "utf8" }).stdout)![0]

let failures = 0
let slow = 0

const measure = async (one: Case, runtime: Runtime): Promise<Results.Row> => {
  const figures: ReadonlyArray<Array<number>> = one.measures.map(() => [])
  for (let run = 1; run <= runs; run++) {
    const head = `${one.name.padEnd(11)} ${runtime.padEnd(4)} ${run}`
    try {
      const values = await one.run(runtime, scale)
      if (!values.every(Number.isFinite)) throw new Error(`not everything could be measured: ${values.join(", ")}`)
      values.forEach((value, index) => figures[index]!.push(value))
      console.error(`${head}  ${values.map((value) => value.toFixed(1)).join("  ")}`)
      one.measures.forEach(({ title, unit, most = Infinity }, index) => {
        if (values[index]! <= most) return
        slow++
        console.error(`${head}  ABOVE ${most} ${unit}: ${title}`)
      })
    } catch (error) {
      failures++
      console.error(`${head}  FAILED: ${error instanceof Error ? error.message : error}`)
    }
  }
  return { name: one.name, runtime, figures }
}

const present = runtimes.filter((runtime) => chosen.includes(runtime))
const asked = cases.filter(({ name }) => names.includes(name))
const load = loadavg()[0]!
const rows: Array<Results.Row> = []
for (const one of asked) for (const runtime of present) rows.push(await measure(one, runtime))
const results: Results.Results = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  load,
  versions: Object.fromEntries(present.map((runtime) => [runtime, versionOf(runtime)])),
  runs,
  scale,
  rows,
}
console.log(Results.table(results, asked))
if (slow > 0) process.exitCode = 1 // and is recorded: a table without what was slow would flatter
if (failures > 0) {
  console.error(`What must hold did not in ${failures} runs${flags.record ? "; not recorded" : ""}`)
  process.exitCode = 1
} else if (flags.record) {
  Results.write(results)
  Generated.write(Results.block, Results.table(results, cases))
}
