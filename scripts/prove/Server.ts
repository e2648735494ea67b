/**
 * A server under proof: a child process, with as few file descriptors as a case wants. What it serves, and on which
 * runtime, is its command's to say.
 */
import { type Child, start } from "../child.ts"

export { rest } from "../../bench/trials/processes.ts"

/** A server that listens, or did. */
export type Server = Child

/** Starts a server, with at most `descriptors` file descriptors if that is given. Rejects as {@link start} does. */
export const launch = (command: ReadonlyArray<string>, descriptors?: number): Promise<Server> =>
  start(descriptors === undefined ? command : ["prlimit", `--nofile=${descriptors}:${descriptors}`, ...command])
