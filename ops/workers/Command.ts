/**
 * How a worker is started: by the same runtime, with the same flags and the same program as this process, and one argument
 * more that makes it a worker.
 */
import { spawnSync } from "node:child_process"
import process from "node:process"
import * as Permissions from "../permissions.ts"
import * as Part from "./Part.ts"

/** A command for each worker, or what is missing for there to be one. */
export type Command = ((part: Part.Part) => ReadonlyArray<string>) | { readonly problem: string }

/** The command that starts workers of this process. */
export const command = (): Command => {
  const again = program("--workers", true)
  return "problem" in again ? again : (part) => [...again, ...args(part)]
}

/** The arguments of a worker. */
export const args = (part: Part.Part): ReadonlyArray<string> =>
  argumentsWith("--workers", `--worker=${Part.format(part)}`)

/** The arguments of this process with one more, where it is certain to be a flag: before the one that asks for processes. */
export const argumentsWith = (asking: string, more: string): ReadonlyArray<string> => {
  const given = process.argv.slice(2)
  const place = given.findIndex((arg) => arg === asking || arg.startsWith(`${asking}=`))
  return [...given.slice(0, place), more, ...given.slice(place)]
}

/** The words that start a program, all but its arguments; or what is missing for it. */
export type Program = ReadonlyArray<string> | { readonly problem: string }

/** How this program is started once more, because a flag asks for it; on Deno, with `--unstable-net` where it shares a port. */
export const program = (asking: string, sharesPort: boolean): Program => ofDeno(asking, sharesPort) ?? ofOthers()

const ofOthers = (): Program =>
  // In an executable that Bun compiled, the program is part of the runtime.
  process.argv[1]?.startsWith("/$bunfs/")
    ? [process.execPath]
    : [process.execPath, ...process.execArgv, process.argv[1]!]

const ofDeno = (asking: string, sharesPort: boolean): Program | undefined => {
  const { Deno } = globalThis as { readonly Deno?: Runtime } // its types are not here
  if (Deno === undefined) return undefined
  const unstable = !sharesPort || Deno.listenDatagram !== undefined
  const byPath = Deno.build.standalone || Permissions.granted({ name: "run", command: process.execPath })
  const executable = byPath ? process.execPath : "deno"
  const commands = Deno.build.standalone ? [executable] : [executable, "cat"]
  const missing = commands.filter((command) => !Permissions.granted({ name: "run", command }))
  const flags = [
    ...Permissions.granted({ name: "env" }) ? [] : [Permissions.flag({ name: "env" })],
    ...missing.length === 0 ? [] : [Permissions.flag({ name: "run", command: missing.join(",") })],
  ]
  if (flags.length > 0) {
    return { problem: `${asking} starts processes and gives them this one's flags: Deno wants ${flags.join(" ")}` }
  }
  if (Deno.build.standalone) {
    if (unstable) return [process.execPath]
    return { problem: `${asking} wants --unstable-net, which an executable has from \`deno compile --unstable-net\`` }
  }
  // Deno says nowhere which flags it was given, and shows /proc only to whom everything is granted.
  const { stdout } = spawnSync("cat", [`/proc/${process.pid}/cmdline`], { encoding: "utf8" })
  const words = stdout?.split("\0").slice(1, -1) ?? []
  const place = words.length - process.argv.length + 1 // behind the flags come the script and its arguments
  const script = words[place]
  if (script === undefined) return { problem: `${asking} cannot read by \`cat\` how deno was started` }
  return [executable, ...words.slice(0, place), ...(unstable ? [] : ["--unstable-net"]), script]
}

interface Runtime {
  readonly build: { readonly standalone: boolean }
  readonly listenDatagram?: unknown
}
