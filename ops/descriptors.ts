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

/** As many connections as are wanted, or as many as the descriptor limit carries where it is known. */
export const affordable = (wanted: number): number => {
  const descriptors = read()
  return descriptors === undefined ? wanted : Math.min(wanted, capacity(descriptors))
}

/** How many connections the limit can carry beside what is open already; at least 1. */
export const capacity = ({ limit, open }: Descriptors): number => Math.max(1, limit - open - reserve)
