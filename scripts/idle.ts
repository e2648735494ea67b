/**
 * What idle connections cost, in bytes for each: connections that have exchanged one line and then are silent.
 *
 * 1. Core alone, on Node without sockets (`scripts/idle/core.ts`): the JavaScript heap of a `respond` connection and of
 *    a session, and the classes that it consists of.
 * 2. Over the wire (`bench/trials/idle.ts`): the growth of a server's process on each runtime, for `respond`, a session
 *    and the hand-written servers of `bench/contenders/` (fast) and `scripts/prove/` (short); and for the Go reference where
 *    a Go toolchain is. The kernel's own memory for a socket is in none of it. Needs Linux (`/proc`).
 *
 * ```
 * node scripts/idle.ts [--runtime node|bun|deno] [--connections N] [--part core|wire] [--record]
 * ```
 * Without `--connections` it is 10,000, and 15,000 once more for `respond`. `--record` keeps the figures in
 * `docs/results/idle.json`. Exit code 1 when core's heap is above its bar; the wire's figures are compared with theirs
 * and printed.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { runtimeCommand } from "../bench/Program.ts"
import { affordable, grow, type Growth, measure } from "../bench/trials/idle.ts"
import { root, type Runtime, runtimes } from "./child.ts"
import { open } from "./cpu/client.ts"
import { machine } from "./figures.ts"
import { read, refuse } from "./flags.ts"
import type { Cost } from "./idle/core.ts"

const run = promisify(execFile)

/** The most that a connection may cost core's JavaScript heap, in bytes. A goroutine begins with 2 KiB. */
const coreBars = { respond: 2_048, session: 4_096 } as const

/** The most that a `respond` connection is to cost in resident memory, in bytes. */
const wireBars: Record<Runtime, number> = { node: 8_704, bun: 8_704, deno: 16_384 }

const why: Partial<Record<Runtime, string>> = {
  deno:
    "Deno pushes nothing: of each connection a read is pending, with its buffer (2 KiB, external), promise (heap) " +
    "and what Deno keeps for it (native). The hand-written servers read into 16 and 64 KiB, hence their figures",
}

const flags = read({
  runtime: { type: "string", multiple: true },
  connections: { type: "string" },
  part: { type: "string" },
  record: { type: "boolean", default: false },
})
const chosen = runtimes.filter((runtime) => flags.runtime?.includes(runtime) ?? true)
const connections = Number(flags.connections ?? 10_000)
// From one address to one port there are about 28,000 connections.
if (chosen.length === 0 || !(Number.isInteger(connections) && connections >= 100 && connections <= 25_000)) {
  refuse("Cannot measure: --runtime takes node, bun or deno, --connections a number from 100 to 25000")
}
if (flags.part !== undefined && flags.part !== "core" && flags.part !== "wire") {
  refuse("Cannot measure: --part takes core or wire")
}
if (flags.record && (chosen.length < runtimes.length || flags.connections !== undefined || flags.part !== undefined)) {
  refuse("Cannot record a part: --record excludes --runtime, --connections and --part")
}

const bytes = (value: number | undefined): string =>
  value === undefined ? "–" : (Math.round(value) || 0).toLocaleString("en-US") // no negative zero

// ── Core alone ───────────────────────────────────────────────────────────────────────────────────────────────────────

type CoreService = keyof typeof coreBars

interface CoreRow extends Cost {
  readonly service: CoreService
  readonly connections: number
}

const shown = 10

const measureCore = async (service: CoreService): Promise<CoreRow> => {
  const args = ["--expose-gc", "scripts/idle/core.ts", service, String(connections), "--classes"]
  const { stdout } = await run("node", args, { cwd: root, timeout: 120_000, maxBuffer: 1 << 24 })
  const cost: Cost = JSON.parse(stdout)
  return { service, connections, ...cost, classes: cost.classes.slice(0, shown) }
}

/** Prints it; whether the bar holds. */
const printCore = ({ service, heap, buffers, classes }: CoreRow): boolean => {
  const holds = heap <= coreBars[service]
  console.log(
    `${service}: ${bytes(heap)} bytes of heap a connection, ${bytes(buffers)} of ArrayBuffers; ` +
      `bar ${bytes(coreBars[service])}${holds ? "" : "  ABOVE"}`,
  )
  for (const { name, count, bytes: size } of classes) {
    console.log(`${bytes(size).padStart(8)}  ${count < 0.1 ? "      " : `${count.toFixed(1)} ×`.padStart(6)} ${name}`)
  }
  return holds
}

// ── Over the wire ────────────────────────────────────────────────────────────────────────────────────────────────────

interface WireRow extends Growth {
  readonly runtime: Runtime | "go"
  readonly server: string
  readonly connections: number
}

const handWritten = ["by hand, fast", "by hand, short"] as const

const wireRows: Array<WireRow> = []

const legend = `Over the wire: how a server's process grows, in bytes a connection
  opened    resident memory once all are open
  resident  likewise after a garbage collection that gives back what is free (not Go: it collects when it likes)
  private   of that, what no file backs
  heap, external   what the runtime says of its objects, and of what they own outside of the heap
  native    the rest of what is private
  ratio     of resident memory to that of the smaller hand-written server`

const line = (runtime: string, server: string, ...figures: ReadonlyArray<string>): string =>
  [runtime.padEnd(7), server.padEnd(14), ...figures.map((figure) => figure.padStart(9))].join(" ").trimEnd()

/** Prints one line of the table. */
const printWire = (row: WireRow): void => {
  wireRows.push(row)
  const { runtime, server, connections, opened, rss, anonymous, heap, external } = row
  // Below zero where buffers were reserved and never touched.
  const rest = heap === undefined || external === undefined ? -1 : anonymous - heap - external
  const figures = [connections, opened, rss, anonymous, heap, external, rest < 0 ? undefined : rest].map(bytes)
  const byHand = wireRows.filter((other) => other.runtime === runtime && other.server.startsWith("by hand"))
  const ratio = rss / Math.min(...byHand.map((other) => other.rss))
  console.log(line(runtime, server, ...figures, byHand.length === 0 || byHand.includes(row) ? "" : ratio.toFixed(2)))
}

/** What a server makes once, and the room that its runtime takes for garbage, is there before the first connection. */
const work = async (port: number): Promise<void> => {
  const load = await open(port, 50)
  await load.run(10_000, 16)
  load.close()
}

const measureWire = async (runtime: Runtime, server: string, module: string, connections: number): Promise<void> => {
  if (connections > affordable()) {
    return notMeasured(runtime, server, connections, `the descriptor limit carries ${bytes(affordable())} (ulimit -n)`)
  }
  try {
    printWire({
      runtime,
      server,
      connections,
      ...await measure(runtime, runtimeCommand(runtime), join(root, module), { connections, work }),
    })
  } catch (error) {
    process.exitCode = 1
    notMeasured(runtime, server, connections, error instanceof Error ? error.message : String(error))
  }
}

/** What the table has no figures of; a record would not be whole. */
const gaps: Array<string> = []

const notMeasured = (runtime: Runtime, server: string, connections: number, reason: string): void => {
  gaps.push(`${server} on ${runtime}`)
  console.log(`${line(runtime, server, bytes(connections))}   not measured: ${reason}`)
}

const measureGo = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "anyport-idle-"))
  try {
    const program = join(folder, "reference")
    await run("go", ["build", "-o", program, "bench/contenders/go/plain/main.go"], { cwd: root, timeout: 120_000 })
    printWire({ runtime: "go", server: "reference", connections, ...await grow([program], { connections, work }) })
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT"
    if (!missing) process.exitCode = 1
    const reason = missing ? "there is no Go toolchain on PATH" : error instanceof Error ? error.message : error
    console.log(`${line("go", "reference", bytes(connections))}   not measured: ${reason}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const measureAll = async (): Promise<void> => {
  console.log(legend)
  const titles = ["connect.", "opened", "resident", "private", "heap", "external", "native", "ratio"]
  console.log(line("runtime", "server", ...titles))
  for (const runtime of chosen) {
    await measureWire(runtime, handWritten[0], `bench/contenders/hand-${runtime}.ts`, connections)
    await measureWire(runtime, handWritten[1], `scripts/prove/${runtime}.ts`, connections)
    await measureWire(runtime, "respond", "services/echo.ts", connections)
    await measureWire(runtime, "session", "bench/contenders/session.ts", connections)
    if (flags.connections === undefined) await measureWire(runtime, "respond", "services/echo.ts", 15_000)
  }
  await measureGo()
}

const printVerdict = (runtime: Runtime): void => {
  const rows = wireRows.filter((row) => row.runtime === runtime)
  for (const { connections, rss } of rows.filter(({ server }) => server === "respond")) {
    const verdict = rss <= wireBars[runtime] ? "within" : "ABOVE"
    console.log(
      `${runtime}: ${bytes(rss)} bytes a respond connection of ${bytes(connections)}, ${verdict} the bar of ` +
        bytes(wireBars[runtime]),
    )
  }
  if (rows.length > 0 && why[runtime] !== undefined) console.log(`${runtime}: ${why[runtime]}`)
}

// ── Both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

try {
  const coreRows: Array<CoreRow> = []
  if (flags.part !== "wire") {
    console.log(`Core alone, on Node without sockets, ${bytes(connections)} connections`)
    for (const service of ["respond", "session"] as const) {
      const row = await measureCore(service)
      coreRows.push(row)
      if (!printCore(row)) process.exitCode = 1
    }
  }
  if (flags.part !== "core") await measureAll()
  for (const runtime of chosen) printVerdict(runtime)
  if (flags.record && gaps.length === 0) {
    const result = { machine: machine(), core: coreRows, wire: wireRows }
    writeFileSync(join(root, "docs/results/idle.json"), `${JSON.stringify(result, undefined, 2)}\n`)
  } else if (flags.record) {
    console.error(`Not recorded, because it was not measured: ${gaps.join(", ")}`)
    process.exitCode = 1
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
