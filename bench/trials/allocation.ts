/**
 * Trials of what a message leaves to the garbage collector, by what the runtime writes about its collections. They cost
 * time, so these are trials of their own.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Program } from "../Contenders.ts"
import { allocated, parse, tracing } from "./Collections.ts"
import { loadOf, madeOf } from "./echo.ts"
import { type Ask, during, known, type Made, type Tools } from "./Trial.ts"

/** One contender under load, traced. */
export const allocation = async (ask: Ask, { generator, cpus }: Tools): Promise<Made> => {
  const { runtime } = ask.program
  if (runtime === undefined) return { measures: {}, errors: 0, problems: ["it tells nothing of its garbage"] }
  return await during(inLines(ask.program), { ...tracing[runtime], cpu: cpus?.server, keep: true }, async (child) => {
    const load = loadOf(ask, child.port)
    const pinned = { cpu: cpus?.client }
    await generator.run({ ...load, warmup: 0, seconds: ask.warmup }, pinned)
    const mark = child.output().length
    const loaded = await generator.run({ ...load, warmup: 0, server: { pid: child.pid, cpu: cpus?.server } }, pinned)
    await sleep(50) // until what was written has come through the pipe
    const collections = parse(runtime, child.output().slice(mark))
    const heap = allocated(collections)
    const made = madeOf(loaded)
    return {
      ...made,
      measures: {
        ...made.measures,
        ...known({
          heapPerMessage: heap === undefined ? undefined : heap / loaded.messages,
          collecting: collections.reduce((sum, { pause }) => sum + pause, 0) / loaded.seconds,
          collections: collections.length,
        }),
      },
    }
  })
}

// Deno leaves it to C's stdout, which keeps what it writes into a pipe until there is a block of it.
const inLines = (program: Program): Program =>
  program.runtime === "deno" ? { ...program, argv: ["stdbuf", "-oL", ...program.argv] } : program
