/**
 * Workers as processes of `node:cluster`: this process accepts for them, and hands connections over by turns. To a worker
 * its listener looks like any other.
 */
import type { ChildProcess } from "node:child_process"
import cluster from "node:cluster"

/** Starts a worker by the same runtime, flags and program as this process, with these arguments. */
export const fork = (args: ReadonlyArray<string>): ChildProcess => {
  // Windows has another policy unless told so, by which it is the workers that accept: some starve.
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ args: [...args], stdio: ["ignore", "inherit", "inherit", "ipc"] })
  return cluster.fork().process
}
