/**
 * A server under proof: a child process, with as few file descriptors as a case wants. What it serves, and on which
 * runtime, is its command's to say.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { type Child, cpuSeconds, start } from "../child.ts"

/** A server that listens, or did. */
export type Server = Child

/** Starts a server, with at most `descriptors` file descriptors if that is given. Rejects as {@link start} does. */
export const launch = (command: ReadonlyArray<string>, descriptors?: number): Promise<Server> =>
  start(descriptors === undefined ? command : ["prlimit", `--nofile=${descriptors}:${descriptors}`, ...command])

/** Waits until a server has done all that it can do: its CPU time stands still for 100 ms. At most `millis`. */
export const rest = async ({ pid }: Server, millis = 3_000): Promise<void> => {
  let before = cpuSeconds(pid)
  for (let waited = 0; waited < millis; waited += 100) {
    await sleep(100)
    const now = cpuSeconds(pid)
    if (now === before) return
    before = now
  }
}
