/**
 * The soak: a server under a fixed rate for a long time, with clients that come and go and one a minute that asks for much
 * and reads nothing, and whether it holds more and more. Each runtime has a server of its own; the clients are this process.
 *
 * ```
 * npm run soak -- --minutes 60 [--runtime node|bun|deno] [--rate 10000] [--together] [--record]
 * ```
 * One runtime after the other, for so long each; with `--together` all at the same time, and they share the rate. Prints a
 * line every half minute and a table at the end. Exit code 1 when something leaks (see `scripts/soak/verdict.ts`), a request
 * was not answered, or a client that reads nothing was kept. `--record` keeps what was measured in
 * `docs/results/soak-RUNTIME.json` and writes the table into `docs/operations.md`. Needs Linux (`/proc`).
 */
import { spawnSync } from "node:child_process"
import { type Runtime, runtimes } from "./child.ts"
import { machine } from "./figures.ts"
import { read, refuse } from "./flags.ts"
import * as Generated from "./generated.ts"
import * as Results from "./soak/results.ts"
import { run } from "./soak/run.ts"

const flags = read({
  minutes: { type: "string", default: "60" },
  rate: { type: "string", default: "10000" },
  runtime: { type: "string", multiple: true },
  together: { type: "boolean", default: false },
  record: { type: "boolean", default: false },
})

const amount = (flag: "minutes" | "rate", least: number, most: number): number => {
  const value = Number(flags[flag])
  return value >= least && value <= most
    ? value
    : refuse(`Cannot soak: --${flag} takes a number from ${least} to ${most}`)
}
const minutes = amount("minutes", 1, 1_440)
const rate = amount("rate", 1, 1_000_000)
const unknown = flags.runtime?.find((name) => !runtimes.some((runtime) => runtime === name))
if (unknown !== undefined) refuse(`Unknown --runtime ${unknown}; accepted are ${runtimes.join(", ")}`)
if (flags.record && flags.together) refuse("Cannot record what was measured side by side: --record excludes --together")
if (process.platform !== "linux") refuse("Cannot measure here: descriptors are read from Linux's /proc")
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1))

const chosen = runtimes.filter((runtime) => flags.runtime?.includes(runtime) ?? true)
const say = (line: string): void => console.error(line)
const one = (runtime: Runtime, rate: number): Promise<Results.Row> =>
  run(runtime, { minutes, rate, say }).catch((error: unknown) => {
    console.error(`${runtime}: ${error instanceof Error ? error.message : error}`)
    process.exit(1)
  })

const versionOf = (runtime: Runtime): string =>
  /\d+\.\d+\.\d+/.exec(spawnSync(runtime, ["--version"], { encoding: "utf8" }).stdout)![0]

const rows: Array<Results.Row> = []
if (flags.together) {
  rows.push(...await Promise.all(chosen.map((runtime) => one(runtime, Math.floor(rate / chosen.length)))))
} else {
  for (const runtime of chosen) rows.push(await one(runtime, rate))
}

console.log(Results.table(rows))
const broken = rows.flatMap(Results.broken)
for (const line of broken) console.error(`DOES NOT HOLD: ${line}`)
if (flags.record && broken.length === 0) {
  const date = new Date().toISOString().slice(0, 10)
  for (const row of rows) Results.write({ date, machine: machine(), version: versionOf(row.runtime), ...row })
  Generated.write(Results.block, Results.markdown())
}
process.exit(broken.length === 0 ? 0 : 1)
