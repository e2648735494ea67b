/**
 * The hostile scenarios of the wire tests with figures: what clients do to a server, and what it costs the server and a
 * well-behaved client beside them.
 *
 * ```
 * npm run hostile [-- --only SCENARIO] [--runtime node|bun|deno]
 * ```
 * A row for each scenario and runtime: the well-behaved client's answers during the attack and the time to them (p50, p99,
 * max; in brackets of the seconds before it), the server's share of a core, its resident memory, and what came of the
 * attack. The times are shown, not judged, but for one: no answer may take longer than a second. Exit code 1 when anything
 * that must hold did not. Needs Linux (`/proc`, `prlimit`).
 */
import { judge, type Outcome } from "../test/conformance/wire/hostile/judge.ts"
import { scenarios } from "../test/conformance/wire/hostile/scenarios/index.ts"
import type { Figures } from "../test/peers/Steady.ts"
import { runtimes } from "./child.ts"
import { read, refuse } from "./flags.ts"

const flags = read({
  only: { type: "string", multiple: true },
  runtime: { type: "string", multiple: true },
})

/** Those that a flag asks for; all when there is no such flag. */
const choose = (flag: "only" | "runtime", names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const asked = flags[flag] ?? names
  const unknown = asked.find((name) => !names.includes(name))
  return unknown === undefined ? asked : refuse(`Unknown --${flag} ${unknown}; accepted are ${names.join(", ")}`)
}

const names = choose("only", scenarios.map(({ name }) => name))
const chosen = choose("runtime", runtimes)
if (process.platform !== "linux") refuse("Cannot attack here: memory and CPU time are read from Linux's /proc")

/** For how long the well-behaved client is alone, in milliseconds. */
const calmMillis = 2_000

const columns = [
  ["scenario", 13],
  ["runtime", 8],
  ["answers", 8],
  ["p50 ms", 13],
  ["p99 ms", 13],
  ["max ms", 13],
  ["CPU", 6],
  ["MiB before, peak, after", 24],
  ["outcome", 0],
] as const

const print = (cells: ReadonlyArray<string | number>): void =>
  console.log(columns.map(([, width], index) => String(cells[index]).padEnd(width)).join(" ").trimEnd())

const beside = ({ calm, attacked }: Outcome, of: "p50" | "p99" | "max"): string =>
  `${millis(attacked, of)} (${millis(calm, of)})`

const millis = (figures: Figures, of: "p50" | "p99" | "max"): string => figures[of].toFixed(1)

let failures = 0
print(columns.map(([title]) => title))
for (const scenario of scenarios) {
  if (!names.includes(scenario.name)) continue
  for (const runtime of runtimes) {
    if (!chosen.includes(runtime)) continue
    try {
      const outcome = await judge(scenario, runtime, calmMillis)
      const { attacked, cpu, losses, memory, what } = outcome
      const mebibytes = [memory.before, memory.peak, memory.after].map((value) => value.toFixed(0).padStart(5))
      print([
        scenario.name,
        runtime,
        attacked.answers,
        beside(outcome, "p50"),
        beside(outcome, "p99"),
        beside(outcome, "max"),
        `${(100 * cpu).toFixed(0)} %`,
        mebibytes.join(" "),
        losses.length === 0 ? what : `FAILED: ${losses.join("; ")}`,
      ])
      if (losses.length > 0) failures++
    } catch (error) {
      print([
        scenario.name,
        runtime,
        ...Array(6).fill("-"),
        `FAILED: ${error instanceof Error ? error.message : error}`,
      ])
      failures++
    }
  }
}
if (failures > 0) {
  console.error(`What must hold did not in ${failures} cases`)
  process.exitCode = 1
}
process.exit()
