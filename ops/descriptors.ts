/**
 * How many file descriptors this process may have, and how many it has. Read from `/proc`, so Linux only.
 */
import { readdirSync, readFileSync } from "node:fs"

/** The soft limit of open files, and how many are open now. */
export interface Descriptors {
  readonly limit: number
  readonly open: number
}

/** Descriptors that are never handed to connections: logs, files that handlers open, sockets being refused. */
const reserve = 16

/**
 * Undefined where it cannot be read: not Linux, or Deno, which lets nobody read `/proc` without all permissions and
 * would ask for them in a terminal. Nothing depends on it there: its accepting survives exhaustion by itself.
 */
export const read = (): Descriptors | undefined => {
  if ("Deno" in globalThis) return undefined
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1]
    if (limit === undefined) return undefined
    return { limit: limit === "unlimited" ? Infinity : Number(limit), open: readdirSync("/proc/self/fd").length }
  } catch {
    return undefined
  }
}

/** How many connections the limit can carry beside what is open already; at least 1. */
export const capacity = ({ limit, open }: Descriptors): number => Math.max(1, limit - open - reserve)
