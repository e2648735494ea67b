/**
 * A server under proof: a child process like those of `scripts/child.ts`, of which the end matters too. What it serves,
 * and on which runtime, is its command's to say.
 */
import { spawn } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { cpuSeconds, root } from "../child.ts"

/** A server that listens, or did. */
export interface Server {
  readonly pid: number
  readonly port: number
  /** Its exit code, or the signal that killed it. */
  readonly ended: Promise<number | string>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills it and waits for its end. */
  readonly stop: () => Promise<void>
}

/**
 * Starts a server, with at most `descriptors` file descriptors if that is given, and waits for its ready line as
 * `start` of `scripts/child.ts` does. Rejects with what it wrote when there is none within 20 s.
 */
export const launch = async (command: ReadonlyArray<string>, descriptors?: number): Promise<Server> => {
  const limited = descriptors === undefined
    ? command
    : ["prlimit", `--nofile=${descriptors}:${descriptors}`, ...command]
  const child = spawn(limited[0]!, limited.slice(1), { cwd: root, stdio: ["ignore", "ignore", "pipe"] })
  const kill = (): boolean => child.kill("SIGKILL")
  process.on("exit", kill)
  const ended = new Promise<number | string>((resolve) =>
    child.on("error", (error) => resolve(error.message)).on("close", (code, signal) => resolve(code ?? signal!))
  )
  void ended.then(() => process.off("exit", kill))
  let text = ""
  const listening = new Promise<number>((resolve) =>
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length > 65_536) return
      text += chunk
      const port = /"listening".*"address":"[^"]*:(\d+)"/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  )
  const timer = setTimeout(kill, 20_000)
  const first = await Promise.race([listening, ended.then(String)])
  clearTimeout(timer)
  if (typeof first === "string") {
    throw new Error(`Cannot start ${command.join(" ")}: it ended with ${first}; it wrote: ${text.trim() || "nothing"}`)
  }
  return {
    pid: child.pid!,
    port: first,
    ended,
    signal: (signal) => void child.kill(signal),
    stop: async () => {
      kill()
      await ended
    },
  }
}

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
