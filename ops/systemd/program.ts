/**
 * Sends messages to systemd by its own program `systemd-notify`, the way that all three runtimes have.
 *
 * - `node:dgram` of Node and Bun has no Unix sockets (https://github.com/nodejs/node/issues/61933); Deno has them, but
 *   only with `--unstable-net`, and with permission to write where the socket is.
 * - The unit needs `NotifyAccess=all`: the sender is the program, not the server, unless the server is root. It waits
 *   until systemd has read the message, so systemd still finds its sender (systemd 246 and later).
 * - A reload names CLOCK_MONOTONIC, which Node has; `process.hrtime` of Bun and Deno counts from the start of the
 *   process. There the program names it itself, by `--reloading` (systemd 253 and later). It is asked before whether it
 *   knows that, without the socket: an option that it does not know it reports to systemd as the service's error. No
 *   systemd of that age wants the time.
 * - On Deno it is `Deno.Command`, which needs no permission but to run this program; `node:child_process` reads variables.
 */
import { spawn } from "node:child_process"
import process from "node:process"
import { clearTimeout, setTimeout } from "node:timers"
import * as Environment from "../environment.ts"
import * as Permissions from "../permissions.ts"
import type { Message, Send } from "./notifier.ts"

const name = "systemd-notify"

/** Longer is not waited for a message, in milliseconds; the program itself waits as long for systemd. */
const longest = 5_000

/** Sends to `socket`, the value of NOTIFY_SOCKET. */
export const sender = (socket: string): Send => {
  let complained = false
  return async ({ state, variables }: Message) => {
    const permission = { name: "run", command: name } as const
    if (!Permissions.granted(permission)) return `Deno wants ${Permissions.flag(permission)}`
    const said = state === undefined ? [] : state === "RELOADING" ? await reloading() : [`${state}=1`]
    // What the program says about it itself is worth more than its exit code, once.
    const why = await run([...said, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)], {
      env: { NOTIFY_SOCKET: socket },
      stderr: complained ? "ignore" : "inherit",
    })
    complained ||= why !== undefined
    return why
  }
}

const reloading = async (): Promise<ReadonlyArray<string>> => {
  if (!("Deno" in globalThis) && process.versions["bun"] === undefined) {
    return ["RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`]
  }
  const unknown = await run(["--reloading", "--help"], { env: {}, stderr: "ignore" })
  return unknown === undefined ? ["--reloading"] : ["RELOADING=1"]
}

/** What it is given. */
interface Surroundings {
  readonly env: Readonly<Record<string, string>>
  readonly stderr: "ignore" | "inherit"
}

/** Runs it to its end; what went wrong, if anything did. */
const run = (args: ReadonlyArray<string>, surroundings: Surroundings): Promise<string | undefined> =>
  new Promise((resolve) => {
    const program = start(args, surroundings)
    const timer = setTimeout(() => {
      program.kill()
      resolve(`${name} did not end within ${longest / 1_000} s`)
    }, longest)
    timer.unref()
    void program.ended.then((why) => {
      clearTimeout(timer)
      resolve(why)
    })
  })

/** The program while it runs. It does not keep the process alive. */
interface Running {
  kill(): void
  readonly ended: Promise<string | undefined>
}

const outcome = (code: number | null): string | undefined =>
  code === 0 ? undefined : `${name} ended with ${code ?? "a signal"}`

const start = (args: ReadonlyArray<string>, surroundings: Surroundings): Running => {
  const { Deno } = globalThis as { readonly Deno?: Runtime } // its types are not here
  try {
    if (Deno === undefined) return startByNode(args, surroundings)
    const { env, stderr } = surroundings
    const options = { args, env, clearEnv: true, stdin: "null", stdout: "null" }
    const child = new Deno.Command(name, { ...options, stderr: stderr === "ignore" ? "null" : stderr }).spawn()
    child.unref()
    const kill = (): void => {
      try {
        child.kill("SIGKILL")
      } catch {
        // It has ended by itself meanwhile.
      }
    }
    return { kill, ended: child.status.then(({ code }) => outcome(code), String) }
  } catch (error) {
    return { kill: () => {}, ended: Promise.resolve(String(error)) }
  }
}

const startByNode = (args: ReadonlyArray<string>, { env, stderr }: Surroundings): Running => {
  const PATH = Environment.read("PATH")
  const child = spawn(name, args, {
    env: { ...env, ...PATH === undefined ? {} : { PATH } },
    stdio: ["ignore", "ignore", stderr],
  })
  child.unref()
  return {
    kill: () => void child.kill("SIGKILL"),
    ended: new Promise((resolve) => {
      child.on("error", (error) => resolve(error.message))
      child.on("close", (code) => resolve(outcome(code)))
    }),
  }
}

interface Runtime {
  readonly Command: new (program: string, options: Readonly<Record<string, unknown>>) => {
    spawn(): {
      readonly status: Promise<{ readonly code: number }>
      kill(signal: "SIGKILL"): void
      unref(): void
    }
  }
}
