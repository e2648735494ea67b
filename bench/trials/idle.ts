/**
 * What idle connections cost a server: the growth of its process, which is started for one measurement and has done some
 * work before. Needs Linux (`/proc`). The kernel's own memory for a socket is in none of it.
 */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { start } from "../Program.ts"
import type { RuntimeName } from "../Result.ts"
import { gather } from "./Crowd.ts"
import type { Memory } from "./idleServer.ts"
import { resident, rest } from "./processes.ts"
import { type Ask, known, type Made, type Tools } from "./Trial.ts"

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

/** How a growth is measured. */
export interface Options {
  readonly connections: number
  /** Gives the server some work on a port, so that what it makes once is there before the first connection. */
  readonly work: (port: number) => Promise<void>
  /** The only CPU that the server may use. Default: all. */
  readonly cpu?: number | undefined
}

/** The most that one collection of garbage may take, in milliseconds. */
const patience = 120_000

/** One contender with the connections of its cell. */
export const idle = async ({ cell, program }: Ask, { generator, cpus }: Tools): Promise<Made> => {
  const { runtime, runner, module } = program
  if (runtime === undefined || runner === undefined || module === undefined) {
    return { measures: {}, errors: 0, problems: ["it tells nothing of its memory"] }
  }
  const connections = cell.connections ?? 0
  if (connections > affordable()) {
    return {
      measures: {},
      errors: 0,
      problems: [`the descriptor limit carries ${affordable()} connections (ulimit -n)`],
    }
  }
  const work = async (port: number): Promise<void> => {
    const load = { port, mode: "closed", connections: 50, inFlight: 16, size: 64, framing: "lines" } as const
    await generator.run({ ...load, prefix: program.prefix, warmup: 0, seconds: 0.3 }, { cpu: cpus?.client })
  }
  const { rss, heap, external } = await measure(runtime, runner, module, {
    connections,
    work,
    cpu: cpus?.server,
  })
  return { measures: known({ rss, heap, external }), errors: 0, problems: [] }
}

/** How many connections the descriptor limit of this process carries. */
export const affordable = (): number => {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? []
  return limit === undefined ? Infinity : Number(limit) - 100 // for what else a process has open
}

/**
 * Opens connections to a module, served in a fresh process of its own, and compares its memory with what it was before,
 * each time after a garbage collection and once it rests. `runner` is how a script is run there.
 */
export const measure = async (
  runtime: RuntimeName,
  runner: ReadonlyArray<string>,
  module: string,
  options: Options,
): Promise<Growth> => {
  const listener = createServer()
  try {
    listener.listen(0, "127.0.0.1")
    await once(listener, "listening")
    const { port } = listener.address() as AddressInfo // as of every TCP server
    const calls = once(listener, "connection", { signal: AbortSignal.timeout(patience) })
    calls.catch(() => {}) // it may not even start, which says why itself
    const server = [...collectable(runtime, runner), script, module, `${options.connections}`, `${port}`]
    return await grow(server, options, async () => {
      const [control] = await calls as [Socket]
      control.write("?")
      const [answer] = await once(control, "data", { signal: AbortSignal.timeout(patience) })
      return JSON.parse(String(answer)) as Memory
    })
  } finally {
    listener.close()
  }
}

const script = fileURLToPath(new URL(`./idleServer${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

/** The same for a server that tells nothing and collects when it likes. */
export const grow = async (
  server: ReadonlyArray<string>,
  { connections, work, cpu }: Options,
  collect: () => Promise<Memory> | undefined = () => undefined,
): Promise<Growth> => {
  const child = await start(server, { cpu })
  try {
    await work(child.port)
    const look = async () => {
      await rest(child)
      const opened = resident(child.pid).rss
      const told = await collect()
      await rest(child)
      return { opened, ...resident(child.pid), told }
    }
    const before = await look()
    const crowd = await gather(child.port, connections)
    const after = await look()
    const lost = crowd.lost()
    crowd.disperse()
    if (lost !== undefined) throw new Error(`Cannot measure: a connection was lost: ${lost}`)
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
const collectable = (runtime: RuntimeName, runner: ReadonlyArray<string>): ReadonlyArray<string> => {
  const flags: Record<RuntimeName, ReadonlyArray<string>> = {
    node: ["--expose-gc"],
    bun: [],
    deno: ["run", "--v8-flags=--expose-gc"],
  }
  return [runner[0]!, ...flags[runtime], ...runner.slice(runtime === "deno" ? 2 : 1)]
}
