/**
 * What idle connections cost a server over the wire: the growth of its process, which is started for one measurement
 * and has done some work before. Needs Linux (`/proc`).
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { command, root, type Runtime, start } from "../child.ts"
import { open } from "../cpu/client.ts"
import { rest } from "../prove/Server.ts"
import type { Memory } from "./server.ts"

/** Bytes for each idle connection. */
export interface Growth {
  /** Of resident memory, as it is when they have been opened. */
  readonly opened: number
  /** Likewise after a garbage collection that gives back what is free; the same where none can be asked for. */
  readonly rss: number
  /** Of that, what no file backs and no other process shares. */
  readonly anonymous: number
  /** Of the JavaScript heap, where there is one. */
  readonly heap: number | undefined
  /** Of what its objects own outside of it. */
  readonly external: number | undefined
}

/** The most that opening all connections, or one collection of garbage, may take, in milliseconds. */
const patience = 120_000

/**
 * Opens connections to a server of `scripts/idle/server.ts`, a fresh process, and compares its memory with what it was
 * before, each time after a garbage collection and once it rests.
 */
export const measure = async (runtime: Runtime, kind: string, connections: number): Promise<Growth> => {
  const listener = createServer()
  try {
    listener.listen(0, "127.0.0.1")
    await once(listener, "listening")
    const { port } = listener.address() as AddressInfo // as of every TCP server
    const calls = once(listener, "connection", { signal: AbortSignal.timeout(patience) })
    calls.catch(() => {}) // it may not even start, which says why itself
    const server = collectable(runtime, command(runtime, "scripts/idle/server.ts", kind, `${connections}`, `${port}`))
    return await grow(server, connections, async () => {
      const [control] = await calls as [Socket]
      control.write("?")
      const [answer] = await once(control, "data", { signal: AbortSignal.timeout(patience) })
      return JSON.parse(String(answer)) as Memory
    })
  } finally {
    listener.close()
  }
}

/** The same for a server that tells nothing and collects when it likes. */
export const grow = async (
  server: ReadonlyArray<string>,
  connections: number,
  collect: () => Promise<Memory> | undefined = () => undefined,
): Promise<Growth> => {
  const child = await start(server)
  try {
    // What a server makes once, and the room that its runtime takes for garbage, is there before the first connection.
    const load = await open(child.port, 50)
    await load.run(10_000, 16)
    load.close()
    const look = async () => {
      await rest(child)
      const opened = resident(child.pid).rss
      const told = await collect()
      await rest(child)
      return { opened, ...resident(child.pid), told }
    }
    const before = await look()
    const holder = await hold(child.port, connections)
    const after = await look()
    if (holder.exitCode !== null) throw new Error("Cannot measure: a connection was lost")
    const ended = once(holder, "close")
    holder.stdin!.end()
    await ended
    const each = (from: number | undefined, to: number | undefined): number | undefined =>
      from === undefined || to === undefined ? undefined : (to - from) / connections
    return {
      opened: (after.opened - before.rss) / connections,
      rss: (after.rss - before.rss) / connections,
      anonymous: (after.anonymous - before.anonymous) / connections,
      heap: each(before.told?.heapUsed, after.told?.heapUsed),
      external: each(before.told?.external, after.told?.external),
    }
  } finally {
    await child.stop()
  }
}

/** The command with what lets a script collect garbage; Bun always does. */
const collectable = (runtime: Runtime, command: ReadonlyArray<string>): ReadonlyArray<string> => {
  const flags: Record<Runtime, ReadonlyArray<string>> = {
    node: ["--expose-gc"],
    bun: [],
    deno: ["run", "--v8-flags=--expose-gc"],
  }
  return [command[0]!, ...flags[runtime], ...command.slice(runtime === "deno" ? 2 : 1)]
}

/** Starts the process that holds the connections; resolves once all are open. It ends with this one. */
const hold = async (port: number, connections: number): Promise<ChildProcess> => {
  const holder = spawn("node", ["scripts/idle/holder.ts", `${port}`, `${connections}`], {
    cwd: root,
    stdio: ["pipe", "pipe", "pipe"],
  })
  let said = ""
  holder.stderr.setEncoding("utf8").on("data", (chunk: string) => said += chunk)
  const timer = setTimeout(() => holder.kill("SIGKILL"), patience)
  const opened = once(holder.stdout, "data")
  const ended = once(holder, "close").then(([code]) => {
    throw new Error(said.trim() || `Cannot hold ${connections} connections: the clients ended with ${code}`)
  })
  ended.catch(() => {}) // it ends at last, when nobody waits for that here
  await Promise.race([opened, ended]).finally(() => clearTimeout(timer))
  return holder
}

/** In bytes (proc_pid_smaps(5)). */
const resident = (pid: number): { readonly rss: number; readonly anonymous: number } => {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1_024
  return { rss: bytes("Rss"), anonymous: bytes("Anonymous") }
}
