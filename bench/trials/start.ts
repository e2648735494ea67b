/**
 * What it costs to be there: time from the start of a process to its ready line, and resident memory then.
 */
import { launch } from "../Contenders.ts"
import { type Child, memory } from "../Program.ts"
import { family } from "./processes.ts"
import { type Ask, type Made, on, type Tools } from "./Trial.ts"

/** One start of a contender, on all CPUs: nobody makes any load meanwhile, and a runtime starts with several threads. */
export const start = async ({ program }: Ask, tools: Tools): Promise<Made> => {
  const placed = on(tools.allowed, program, tools)
  // What a runtime keeps of a program that it has seen before, and the system of its files, is there from now on.
  await (await launch(placed)).stop()
  const child = await launch(placed)
  try {
    return { measures: { ...footprint(child) }, errors: 0, problems: [] }
  } finally {
    await child.stop()
  }
}

/** Seconds to the ready line, and bytes that the process and those that it started are resident with now. */
export const footprint = (child: Child): { readonly seconds: number; readonly rss: number } => ({
  seconds: child.startup,
  rss: family(child.pid).reduce((sum, pid) => sum + memory(pid).now, 0) * 2 ** 20,
})
