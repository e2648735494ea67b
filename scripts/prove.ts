/**
 * The proof: the shortest line server of each runtime, as its documentation teaches it (`scripts/prove/node.ts`, `bun.ts`
 * and `deno.ts`), and Anyport (`scripts/prove/anyport.ts`) go through the same cases over the wire, every byte compared.
 * All speak one protocol: a line is answered by `echo: <line>`; the line `file` by 8 MiB, and then the server closes.
 *
 * Anyport runs with the limits that it has for strangers (`--preset internet`), as it does by itself where it listens to
 * them. Each case has a server of its own. What is found goes into `docs/results/prove.json`, and as a matrix into the README
 * and to stdout: ✓, or what was lost. This compares no speed.
 *
 * ```
 * node scripts/prove.ts [--dry] [--only CASE] [--runtime node|bun|deno]
 * ```
 * `--dry` writes no file; nor does a run of only some cases or runtimes. Exit code 1 when Anyport loses anything. Needs
 * Linux (`/proc`, `prlimit`).
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { command, root, type Runtime, runtimes, serve } from "./child.ts"
import { read, refuse } from "./flags.ts"
import * as generated from "./generated.ts"
import type { Case } from "./prove/Case.ts"
import { cases } from "./prove/cases/index.ts"
import { judge } from "./prove/judge.ts"
import * as Results from "./prove/results.ts"

const flags = read({
  only: { type: "string", multiple: true },
  runtime: { type: "string", multiple: true },
  dry: { type: "boolean", default: false },
})

/** Those that a flag asks for; all when there is no such flag. */
const choose = (flag: "only" | "runtime", names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const asked = flags[flag] ?? names
  const unknown = asked.find((name) => !names.includes(name))
  return unknown === undefined ? asked : refuse(`Unknown --${flag} ${unknown}; accepted are ${names.join(", ")}`)
}

const names = choose("only", cases.map(({ name }) => name))
const chosen = choose("runtime", runtimes)
const partial = flags.only !== undefined || flags.runtime !== undefined
if (process.platform !== "linux") refuse("Cannot prove anything here: memory and CPU time are read from Linux's /proc")

const commands: Record<Results.Author, (runtime: Runtime) => ReadonlyArray<string>> = {
  hand: (runtime) => command(runtime, `scripts/prove/${runtime}.ts`),
  anyport: (runtime) => serve(runtime, "./scripts/prove/anyport.ts", "--preset", "internet"),
}

const prove = async (one: Case): Promise<Results.Row> => {
  const cells: Partial<Record<Runtime, Results.Cells>> = {}
  for (const runtime of present) {
    const verdicts = { hand: "", anyport: "" }
    for (const author of ["hand", "anyport"] as const) {
      verdicts[author] = await judge(one, commands[author](runtime))
      console.error(`${one.name.padEnd(13)} ${runtime.padEnd(5)} ${author.padEnd(8)} ${verdicts[author]}`)
    }
    cells[runtime] = verdicts
  }
  return { name: one.name, title: one.title, cells }
}

const versionOf = (runtime: Runtime): string =>
  /\d+\.\d+\.\d+/.exec(spawnSync(runtime, ["--version"], { encoding: "utf8" }).stdout)![0]

/** Lines that are neither blank nor comment. What only this repository's type checker needs stands at the end. */
const linesOf = (name: string): number => {
  const [code] = readFileSync(join(root, `scripts/prove/${name}.ts`), "utf8").split("\ndeclare ")
  return code!.split("\n").filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line)).length
}

const present = runtimes.filter((runtime) => chosen.includes(runtime))
try {
  const rows: Array<Results.Row> = []
  for (const one of cases) if (names.includes(one.name)) rows.push(await prove(one))
  const results: Results.Results = {
    date: new Date().toISOString().slice(0, 10),
    versions: Object.fromEntries(present.map((runtime) => [runtime, versionOf(runtime)])),
    lines: { node: linesOf("node"), bun: linesOf("bun"), deno: linesOf("deno"), anyport: linesOf("anyport") },
    cases: rows,
  }
  console.log(Results.matrix(results))
  if (!flags.dry && !partial) {
    Results.write(results)
    generated.write({ path: "README.md", name: "matrix" }, Results.matrix(results))
  }
  if (!Results.proven(results)) {
    console.error("Anyport lost something")
    process.exitCode = 1
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
