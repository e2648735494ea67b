/**
 * A server as a child process: started, awaited until it listens, measured through Linux's `/proc`, and killed by its
 * process id when this one exits. Nothing here knows what the server serves; signals are left to whoever has a program
 * of its own to end.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import type { RuntimeName } from "./Result.ts"

/** All three runtimes, in the order of every table. */
export const runtimes: ReadonlyArray<RuntimeName> = ["node", "bun", "deno"]

/**
 * How a runtime runs a script that listens on loopback and reads files; `flags` are the runtime's own. `binary` is another
 * version of it. Default: the one on PATH.
 */
export const runtimeCommand = (
  runtime: RuntimeName,
  { binary = runtime, flags = [] }: { readonly binary?: string; readonly flags?: ReadonlyArray<string> } = {},
): ReadonlyArray<string> =>
  runtime === "deno"
    ? [binary, "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", "--allow-read", ...flags]
    : [binary, ...flags]

/** The version that a runtime, or another program, says it has; undefined where it cannot be run. */
export const versionOf = (binary: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile(binary, ["--version"], { timeout: 20_000 }, (error, stdout) => {
      resolve(error === null ? /\d+\.\d+\.\d+[\w.+-]*/.exec(stdout)?.[0] : undefined)
    })
  })

/** A server that listens. */
export interface Child {
  readonly pid: number
  readonly port: number
  /** From the start of the process to its ready line, or to the first connection that it accepted; seconds. */
  readonly startup: number
  /** Its exit code, or the signal that killed it, or why there never was a process. */
  readonly ended: Promise<number | string>
  /** What it has written so far, stdout and stderr as they came; empty unless it is kept. */
  readonly output: () => string
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills it and waits for its end. */
  readonly stop: () => Promise<void>
}

/** How a server is started. */
export interface StartOptions {
  /** The only CPU that it may use. Default: all. */
  readonly cpu?: number | undefined
  /** Where it is started. Default: where this process is. */
  readonly cwd?: string
  /** Beside this process's own variables. */
  readonly env?: Readonly<Record<string, string>>
  /** The port of loopback on which it will listen without saying so. Default: it writes a ready line. */
  readonly port?: number | undefined
  /** Keep all that it writes, for `output`. Default false. */
  readonly keep?: boolean
}

const patience = 20_000

/** The command on one CPU, if that is asked for. */
const on = (cpu: number | undefined, command: ReadonlyArray<string>): ReadonlyArray<string> =>
  cpu === undefined ? command : ["taskset", "-c", String(cpu), ...command]

/**
 * Starts a server and waits for its ready line: a JSON line on stderr with `message: "listening"` and its `address`; or,
 * where its port is known, until a connection is accepted there. Rejects with what it wrote when it ends or stays silent
 * for 20 s instead.
 */
export const start = async (command: ReadonlyArray<string>, options: StartOptions = {}): Promise<Child> => {
  const { cpu, cwd, env, port: known, keep = false } = options
  const pinned = on(cpu, command)
  const began = performance.now()
  const child = spawn(pinned[0]!, pinned.slice(1), {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ["ignore", keep ? "pipe" : "ignore", "pipe"],
  })
  remember(child)
  const ended = new Promise<number | string>((resolve) =>
    child.on("error", (error) => resolve(error.message)).on("close", (code, signal) => {
      alive.delete(child)
      resolve(code ?? signal!)
    })
  )
  const kept: Array<string> = []
  if (keep) {
    for (const stream of [child.stdout, child.stderr]) {
      stream!.on("data", (chunk) => kept.push(String(chunk)))
    }
  }
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  try {
    const port = await listening(child, command, known)
    const startup = (performance.now() - began) / 1_000
    const signal = (signal: NodeJS.Signals): void => void child.kill(signal)
    return { pid: child.pid!, port, startup, ended, output: () => kept.join(""), signal, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const listening = (child: ChildProcess, command: ReadonlyArray<string>, known?: number): Promise<number> =>
  new Promise((resolve, reject) => {
    let text = ""
    let over = false
    const end = (): void => {
      over = true
      clearTimeout(timer)
    }
    const fail = (why: string): void => {
      end()
      reject(new Error(`Cannot start ${command.join(" ")}: ${why}; it wrote: ${text.trim() || "nothing"}`))
    }
    const silent = known === undefined ? "no ready line" : `nobody accepts on port ${known}`
    const timer = setTimeout(() => fail(`${silent} within ${patience / 1_000} s`), patience)
    child.on("error", (error) => fail(error.message))
    child.on("close", (code, signal) => fail(`it ended with ${code ?? signal}`))
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length > 65_536) return
      text += chunk
      const port = /"listening".*"address":"[^"]*:(\d+)"/.exec(text)?.[1]
      if (port === undefined || known !== undefined) return
      end()
      resolve(Number(port))
    })
    if (known !== undefined) {
      void accepts(known, () => over).then(() => {
        end()
        resolve(known)
      })
    }
  })

/** Tries until somebody accepts on a port of loopback, or it is over. */
const accepts = async (port: number, over: () => boolean): Promise<void> => {
  while (!over()) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy()
        resolve(true)
      })
      socket.on("error", () => resolve(false))
    })
    if (accepted) return
    await sleep(5)
  }
}

/** A port of loopback on which nobody listens now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => typeof address === "object" && address !== null ? resolve(address.port) : reject())
    })
  })

/** What a program wrote to stdout, and the CPU time that it took to its end, in seconds and in steps of 10 ms. */
export interface Ran {
  readonly stdout: string
  readonly cpu: number
}

/**
 * Runs a program to its end, on one CPU if that is asked for. Rejects with what it wrote to stderr when it fails, cannot be
 * run, or takes longer than `seconds`, after which it is killed.
 */
export const run = (
  command: ReadonlyArray<string>,
  { cpu, seconds, accepted = [0] }: {
    readonly cpu?: number | undefined
    readonly seconds: number
    /** Exit codes that are no failure. Default: 0. */
    readonly accepted?: ReadonlyArray<number>
  },
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const pinned = on(cpu, command)
    const child = spawn(pinned[0]!, pinned.slice(1), { stdio: ["ignore", "pipe", "pipe"] })
    remember(child)
    let stdout = ""
    let stderr = ""
    let spent = 0
    let late = false
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      if (stderr.length < 65_536) stderr += chunk
    })
    // What it has used is known only while it is there.
    const looking = setInterval(() => {
      try {
        spent = cpuSeconds(child.pid!)
      } catch {
        // It has just ended, or the system does not tell.
      }
    }, 20)
    const timer = setTimeout(() => {
      late = true
      child.kill("SIGKILL")
    }, seconds * 1_000)
    const end = (): void => {
      clearInterval(looking)
      clearTimeout(timer)
      alive.delete(child)
    }
    child.on("error", (error) => {
      end()
      reject(new Error(`Cannot run ${command.join(" ")}: ${error.message}`))
    })
    child.on("close", (code, signal) => {
      end()
      if (code !== null && accepted.includes(code)) return resolve({ stdout, cpu: spent })
      const why = late ? `it did not end within ${seconds} s` : `it ended with ${code ?? signal}`
      reject(new Error(`${command.join(" ")}: ${why}; it wrote: ${stderr.trim() || "nothing"}`))
    })
  })

/** A program that goes on for a line on stdin, and answers each with one on stdout. */
export interface Conversation {
  /** Sends an empty line and gives the next line of the program. Rejects when it ends or is silent for so many seconds. */
  readonly next: (seconds: number) => Promise<string>
  /** Kills it and waits for its end. */
  readonly stop: () => Promise<void>
}

/** Starts such a program, on one CPU if that is asked for. */
export const converse = (
  command: ReadonlyArray<string>,
  { cpu }: { readonly cpu?: number | undefined } = {},
): Conversation => {
  const pinned = on(cpu, command)
  const child = spawn(pinned[0]!, pinned.slice(1), { stdio: ["pipe", "pipe", "pipe"] })
  remember(child)
  const said: Array<string> = []
  let rest = ""
  let stderr = ""
  let over: string | undefined
  let told: () => void = () => {}
  child.stdin.on("error", () => {}) // it has ended, and says so below
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    if (stderr.length < 65_536) stderr += chunk
  })
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop()!
    said.push(...lines)
    told()
  })
  const end = (why: string): void => {
    alive.delete(child)
    over ??= why
    told()
  }
  const ended = new Promise<void>((resolve) =>
    child.on("error", ({ message }) => end(message)).on("close", (code, signal) => {
      end(`it ended with ${code ?? signal}`)
      resolve()
    })
  )
  return {
    next: (seconds) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          over ??= `it said nothing within ${seconds} s`
          told()
        }, seconds * 1_000)
        told = () => {
          const line = said.shift()
          if (line === undefined && over === undefined) return
          clearTimeout(timer)
          told = () => {}
          if (line !== undefined) resolve(line)
          else reject(new Error(`${command.join(" ")}: ${over}; it wrote: ${stderr.trim() || "nothing"}`))
        }
        child.stdin.write("\n")
        told()
      }),
    stop: async () => {
      child.kill("SIGKILL")
      await ended
    },
  }
}

// A child must not outlive this process.
const alive = new Set<ChildProcess>()
const remember = (child: ChildProcess): void => {
  if (!watched) process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")))
  watched = true
  alive.add(child)
}
let watched = false

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

/** The CPUs that this process may use; none where the system does not tell. */
export const allowed = (): ReadonlyArray<number> => {
  if (!existsSync("/proc/self/status")) return []
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? ""
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number)
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index)
  })
}

/**
 * The first two CPUs that this process may use, one for the server and one for its client; the calling process is moved
 * to the second. Undefined where there is only one or no `taskset`: then nothing is pinned.
 */
export const pin = (): { readonly server: number; readonly client: number } | undefined => {
  const [server, client] = allowed()
  if (server === undefined || client === undefined) return undefined
  const moved = spawnSync("taskset", ["-a", "-c", "-p", String(client), String(process.pid)])
  return moved.status === 0 ? { server, client } : undefined
}
