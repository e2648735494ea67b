/**
 * Who takes part in a run, with what the comparison of starts needs beside: Anyport as one file, and a program that does
 * nothing.
 */
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, extname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { type Contenders, contenders, type Program } from "../../bench/Contenders.ts"
import type { Simulator } from "../../bench/Generator.ts"
import type { Contender } from "../../bench/Result.ts"
import { type Draft, guests, quick, roleOf } from "../../bench/Scenarios.ts"
import { UsageError } from "../UsageError.ts"
import type { Ask } from "./Ask.ts"

/** The file of this command line, which serves. */
export const main: string = ((): string => {
  const here = fileURLToPath(import.meta.url)
  const beside = fileURLToPath(new URL(`../main${extname(here)}`, import.meta.url))
  return existsSync(beside) ? beside : here // the one file is all of it
})()

/** Whoever is wanted in any of these cells and can take part. */
export const find = Effect.fnUntraced(function* (
  ask: Ask,
  drafts: ReadonlyArray<Draft>,
): Effect.fn.Return<Contenders, UsageError> {
  const { runtimes, versions, custom, own } = ask
  const { present, missing } = yield* Effect.tryPromise({
    try: () =>
      contenders({
        main,
        versions,
        custom,
        only: (id) => isWanted(id, ask, drafts),
        ...runtimes === undefined ? {} : { runtimes },
        ...own === undefined ? {} : { service: own.service },
      }),
    catch: (cause) => new UsageError({ message: cause instanceof Error ? cause.message : String(cause), cause }),
  })
  if (!drafts.some(({ cell }) => cell.scenario === "start")) return { present, missing }
  const served = present.filter((program) => roleOf(program) === "anyport")
  const file = yield* Effect.promise(oneFile)
  const isThere = existsSync(empty)
  return {
    present: [
      ...present,
      ...isThere ? served.map(bare) : [],
      ...typeof file === "string" ? served.map((program) => bundled(program, file)) : [],
    ],
    missing: [
      ...missing,
      ...typeof file === "string" ? [] : [file],
      ...isThere ? [] : [{ name: "empty", reason: "it is not in the one-file build; install the package" }],
    ],
  }
})

/** A contender that stands for one who makes the load, so that a plan can hold it. */
export const entrant = ({ id, title, runtime }: Simulator): Program => ({
  id,
  title,
  family: "generator",
  command: id,
  argv: [],
  framing: undefined,
  prefix: "",
  ...runtime === undefined ? {} : { runtime },
})

// Nobody should wait for a compiler whose program is in no cell.
const isWanted = (id: string, ask: Ask, drafts: ReadonlyArray<Draft>): boolean => {
  if (ask.custom.some((one) => one.startsWith(`${id}=`))) return true
  const [, runtime] = /-(node|bun|deno)(?:@.*)?$/.exec(id) ?? []
  const base = { id, title: id, family: "custom", command: id } as const
  const contender: Contender = runtime === undefined ? base : { ...base, runtime: runtime as "node" } // one of three
  const role = roleOf(contender)
  if (ask.quick && role !== "service" && ![...quick.roles, ...guests].includes(role)) return false
  return drafts.some(({ takes }) => takes(contender)) || role === "anyport"
}

const another = (program: Program, role: string, title: string, argv: ReadonlyArray<string>): Program => {
  const { runner = [] } = program
  const words = argv.slice(runner.length)
  const shown = [...runner.slice(0, 1), ...words.map((word) => word.startsWith(tmpdir()) ? basename(word) : word)]
  return { ...program, id: program.id.replace("anyport", role), title, command: shown.join(" "), argv }
}

const bundled = (program: Program, file: string): Program =>
  another(program, "anyport-file", `${program.title}, one file`, [
    ...program.runner ?? [],
    file,
    "serve",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
  ])

const bare = (program: Program): Program => ({
  ...another(program, "empty", program.title.replace(/^Anyport/, "An empty program"), [...program.runner ?? [], empty]),
  family: "hand",
})

const empty = fileURLToPath(new URL("../../bench/trials/empty.mjs", import.meta.url))

/** The command line in one file, this one if it is. Its folder goes with the process. */
const oneFile = async (): Promise<string | Contenders["missing"][number]> => {
  if (fileURLToPath(import.meta.url) === main) return main
  const folder = mkdtempSync(join(tmpdir(), "anyport-bench-"))
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  const output = join(folder, "anyport.mjs")
  try {
    const { bundle } = await import("../bundle.ts")
    await bundle({ program: readFileSync(main, "utf8"), folder: dirname(main), output })
    return output
  } catch (error) {
    return { name: "anyport-file", reason: error instanceof Error ? error.message : String(error) }
  }
}
