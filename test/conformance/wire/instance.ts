/** `anyport serve --workers` as a child process: what it logs, which processes serve, and who is still there. */
import { readFileSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { expect } from "vitest"
import { Child, type Runtime } from "./child.ts"
import { type Client, connect } from "./client.ts"

/** What Deno needs for it, with modules of these places. */
export const permissions = (...read: ReadonlyArray<string>): ReadonlyArray<string> => [
  "--allow-net=127.0.0.1",
  `--allow-read=${[".", ...read].join(",")}`,
  "--allow-env",
  "--allow-run=deno,cat",
]

/** Runs the command line; words of it have no spaces. `before` is what it is run by. */
export const anyport = (
  runtime: Runtime,
  args: string,
  granted: ReadonlyArray<string>,
  before: ReadonlyArray<string> = [],
): Child => {
  const command = runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...granted] : [runtime]
  return new Child([...before, ...command, "cli/main.ts", ...args.split(" ")])
}

const record = (line: string): Record<string, unknown> => {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

/** What it logged with this message so far. */
export const records = ({ stderr }: Child, message: string): ReadonlyArray<Record<string, unknown>> =>
  stderr.split("\n").map(record).filter((found) => found["message"] === message)

/** The record of the log with this message, once it is there so often. */
export const logged = (child: Child, message: string, times = 1): Promise<Record<string, unknown>> =>
  child.line("stderr", () => records(child, message)[times - 1])

/** The port in a record that says where something listens. */
export const portIn = ({ address }: Record<string, unknown>): number =>
  Number(/^127\.0\.0\.1:(\d+)$/.exec(String(address))?.[1])

/** The port that all workers serve, once they do. */
export const serving = async (child: Child): Promise<number> => {
  await logged(child, "workers ready")
  return portIn(records(child, "worker ready")[0]!)
}

/** Which process this client is served by. Wants the service `pid.ts`. */
export const pidOf = async (client: Client): Promise<number> => Number((await client.ask("who")).split(":")[0])

/** Clients until so many processes have answered, by process. */
export const meet = async (port: number, count: number): Promise<ReadonlyMap<number, Client>> => {
  const clients = new Map<number, Client>()
  while (clients.size < count) {
    const client = await connect(port)
    const pid = await pidOf(client)
    if (clients.has(pid)) client.finish()
    else clients.set(pid, client)
  }
  return clients
}

/** Who has ended may still have an entry, until whoever inherited it looks. */
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Waits until none of these processes is there. */
export const gone = async (pids: Iterable<number>): Promise<void> => {
  for (const pid of pids) while (isAlive(pid)) await delay(20)
}

/** When the first worker after the `after`th began to drain, in milliseconds since 1970. */
export const drainBegan = (child: Child, after: number): number => {
  const announced = records(child, "draining").filter(({ phase }) => phase === "announced")[after]
  const began = Date.parse(String(announced?.["time"]))
  expect(began).toBeGreaterThan(0)
  return began
}
