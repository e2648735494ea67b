/**
 * Servers of this repository as child processes of a script: how they are started on each runtime, and that they end with
 * it whatever happens to it. What a server as a child process is, and how it is measured, is `bench/Program.ts`'s.
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import { type Child as Program, runtimeCommand, start as startProgram } from "../bench/Program.ts"
import type { RuntimeName } from "../bench/Result.ts"

export { cpuSeconds, memory, pin, runtimes } from "../bench/Program.ts"

/** A runtime that serves. */
export type Runtime = RuntimeName

/** A server that listens. */
export type Child = Omit<Program, "startup" | "output">

/** The repository's root, where children are started. */
export const root: string = fileURLToPath(new URL("..", import.meta.url))

/** The command that runs a script of this repository on a runtime. */
export const command = (runtime: Runtime, script: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...runtimeCommand(runtime),
  script,
  ...args,
]

/** The command that serves a built-in service or a module by Anyport, on a free port of loopback. */
export const serve = (runtime: Runtime, service: string, ...flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  command(runtime, "cli/main.ts", "serve", service, "--host", "127.0.0.1", "--port", "0", ...flags)

/** Starts a server at the root, on one CPU if that is asked for, and waits for its ready line. */
export const start = (command: ReadonlyArray<string>, cpu?: number): Promise<Child> =>
  startProgram(command, { cpu, cwd: root })

// A script that is ended from outside ends by itself, so that its children do.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1))
