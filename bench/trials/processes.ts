/**
 * What Linux says of a process and of those that it started (proc(5)).
 */
import { readdirSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { cpuSeconds } from "../Program.ts"

/** A process and all that it started, and they. */
export const family = (pid: number): ReadonlyArray<number> => {
  const threads = readdirSync(`/proc/${pid}/task`) // each knows those that it started itself
  const text = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")).join(" ")
  return [pid, ...(text.match(/\d+/g) ?? []).flatMap((child) => family(Number(child)))]
}

/** Resident memory in bytes, and what of it no file backs and no other process shares. */
export const resident = (pid: number): { readonly rss: number; readonly anonymous: number } => {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1_024
  return { rss: bytes("Rss"), anonymous: bytes("Anonymous") }
}

/** Waits until a process has done all that it can do: its CPU time stands still for 100 ms. At most `millis`. */
export const rest = async ({ pid }: { readonly pid: number }, millis = 3_000): Promise<void> => {
  let before = cpuSeconds(pid)
  for (let waited = 0; waited < millis; waited += 100) {
    await sleep(100)
    const now = cpuSeconds(pid)
    if (now === before) return
    before = now
  }
}
