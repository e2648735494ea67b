/**
 * How many file descriptors this process may have, and how many it has. Read from `/proc`, so Linux only.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as Permissions from "./permissions.ts"

/** The soft limit of open files, the hard one that it may be raised to, and how many are open now. */
export interface Descriptors {
  readonly limit: number
  readonly hard: number
  readonly open: number
}

/** Descriptors that are never handed to connections: logs, files that handlers open, sockets being refused. */
const reserve = 16

/** Undefined where it cannot be read; {@link unreadable} says why. */
export const read = (): Descriptors | undefined => {
  // It would fail, or ask in a terminal.
  if (!Permissions.everythingGranted()) return undefined
  try {
    const [, soft, hard] = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(
      readFileSync("/proc/self/limits", "latin1"),
    ) ?? []
    if (soft === undefined || hard === undefined) return undefined
    return { limit: count(soft), hard: count(hard), open: readdirSync("/proc/self/fd").length }
  } catch {
    return undefined
  }
}

const count = (text: string): number => text === "unlimited" ? Infinity : Number(text)

/**
 * Why the limit cannot be read, and what would have to be granted for it. Little depends on it on Deno, whose accepting
 * survives exhaustion by itself.
 */
export const unreadable = (): string =>
  Permissions.everythingGranted()
    ? "there is no /proc here"
    : "Deno shows /proc only to whom every permission is granted: read, write, net, env, sys, run, ffi and import"

/** Sockets that clients may have at once: connections, and those being refused. */
export interface Places {
  readonly maxConnections: number
  readonly maxRefusing: number
}

/**
 * As many places as are wanted, or as many as the limit carries beside what is open already, where it is known. `sockets`
 * of those that are open are clients' (they are counted again); `queue` more may be held for others, such as clients that
 * wait.
 */
export const affordable = (wanted: Places, { sockets = 0, queue = 0 } = {}): Places => {
  const descriptors = read()
  if (descriptors === undefined) return wanted
  const open = descriptors.open - sockets + queue
  const maxConnections = Math.min(wanted.maxConnections, capacity({ ...descriptors, open }))
  // Half of the reserve is for whoever is being refused, and all that connections leave.
  const left = Math.max(0, descriptors.limit - open - maxConnections - reserve / 2)
  return { maxConnections, maxRefusing: Math.min(wanted.maxRefusing, left) }
}

/** How many connections the limit can carry beside what is open already; at least 1. */
export const capacity = ({ limit, open }: Descriptors): number => Math.max(1, limit - open - reserve)
