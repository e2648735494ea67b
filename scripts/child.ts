/**
 * A server as a child process: started, awaited until it says that it listens, measured through Linux's `/proc`, and
 * ended by its process id whatever happens to the script. Nothing here knows what the server serves.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A runtime that serves. */
export type Runtime = "node" | "bun" | "deno"

/** All three, in the order of every table. */
export const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]

/** The repository's root, where children are started. */
export const root: string = fileURLToPath(new URL("..", import.meta.url))

const runners: Record<Runtime, ReadonlyArray<string>> = {
  node: ["node"],
  bun: ["bun"],
  deno: [
    "deno",
    "run",
    "--no-prompt",
    "--quiet",
    "--allow-net=127.0.0.1",
    "--allow-read",
  ],
}

/** The command that runs a script of this repository on a runtime. */
export const command = (runtime: Runtime, script: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...runners[runtime],
  script,
  ...args,
]

/** The command that serves a built-in service or a module by Anyport, on a free port of loopback. */
export const serve = (runtime: Runtime, service: string, ...flags: ReadonlyArray<string>): ReadonlyArray<string> =>
  command(runtime, "cli/main.ts", "serve", service, "--host", "127.0.0.1", "--port", "0", ...flags)

/** A server that listens. */
export interface Child {
  readonly pid: number
  readonly port: number
  /** Its exit code, or the signal that killed it. */
  readonly ended: Promise<number | string>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills it and waits for its end. */
  readonly stop: () => Promise<void>
}

/**
 * Starts a server, on one CPU if that is asked for, and waits for its ready line: a JSON line on stderr with
 * `message: "listening"` and its `address`. Rejects with what it wrote when it ends or stays silent for 20 s instead.
 */
export const start = async (command: ReadonlyArray<string>, cpu?: number): Promise<Child> => {
  const pinned = cpu === undefined ? command : ["taskset", "-c", String(cpu), ...command]
  const child = spawn(pinned[0]!, pinned.slice(1), { cwd: root, stdio: ["ignore", "ignore", "pipe"] })
  alive.add(child)
  const ended = new Promise<number | string>((resolve) =>
    child.on("error", (error) => resolve(error.message)).on("close", (code, signal) => {
      alive.delete(child)
      resolve(code ?? signal!)
    })
  )
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  try {
    const port = await listening(child, command)
    return { pid: child.pid!, port, ended, signal: (signal) => void child.kill(signal), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const listening = (child: ChildProcess, command: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve, reject) => {
    let text = ""
    const fail = (why: string): void =>
      reject(new Error(`Cannot start ${command.join(" ")}: ${why}; it wrote: ${text.trim() || "nothing"}`))
    const timer = setTimeout(() => fail("no ready line within 20 s"), 20_000)
    child.on("error", (error) => fail(error.message))
    child.on("close", (code, signal) => fail(`it ended with ${code ?? signal}`))
    child.on("close", () => clearTimeout(timer))
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length > 65_536) return
      text += chunk
      const port = /"listening".*"address":"[^"]*:(\d+)"/.exec(text)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    })
  })

// A child must not outlive the script, not even when the script is ended from outside.
const alive = new Set<ChildProcess>()
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1))

/** User and system CPU time of a process so far, in seconds, in steps of 10 ms (proc_pid_stat(5), fields 14 and 15). */
export const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // the name may hold spaces; field 3 follows it
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Resident memory of a process in MiB: now and the highest so far (proc_pid_status(5)). */
export const memory = (pid: number): { readonly now: number; readonly peak: number } => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const mebibytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024
  return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") }
}

/**
 * The first two CPUs that this process may use, one for the server and one for its client; the calling process is moved
 * to the second. Undefined where there is only one or no `taskset`: then nothing is pinned.
 */
export const pin = (): { readonly server: number; readonly client: number } | undefined => {
  if (!existsSync("/proc/self/status")) return undefined
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? ""
  const cpus = list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number)
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index)
  })
  const [server, client] = cpus
  if (server === undefined || client === undefined) return undefined
  const moved = spawnSync("taskset", ["-a", "-c", "-p", String(client), String(process.pid)])
  return moved.status === 0 ? { server, client } : undefined
}
