/**
 * The server that is soaked, in the process of one runtime: the echo service, on a free port of 127.0.0.1.
 *
 *     node --expose-gc scripts/soak/server.ts
 *
 * It prints one JSON line with its `port`, then answers each line on its standard input by one JSON line with what it
 * holds: `sample` as it is, `collect` after a garbage collection. It ends when its standard input does.
 */
import { fibers, metrics, timers } from "../../test/conformance/wire/hostile/held.ts" // before anything that could set a timer
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import process from "node:process"
import * as readline from "node:readline"
import { layer } from "../../adapters/auto.ts"
import * as CloseReason from "../../core/CloseReason.ts"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import echo from "../../services/echo.ts"

/** What it holds, and what has happened so far. Memory in bytes. */
export interface Report {
  readonly rss: number
  readonly heap: number
  readonly fibers: number
  readonly timers: number
  readonly connections: number
  readonly opened: number
  /** Connections that ended, by reason. */
  readonly closed: Readonly<Record<string, number>>
}

let opened = 0
const closed: Record<string, number> = {}

const observe = (event: Event): void => {
  if (event._tag === "Opened") opened++
  if (event._tag !== "Closed") return
  const reason = CloseReason.label(event.reason)
  closed[reason] = (closed[reason] ?? 0) + 1
}

const program = Effect.gen(function* () {
  const server = yield* Server.make({
    listeners: [{ address: "127.0.0.1:0", service: echo }],
    preset: "local",
    // Who does not read is not kept until the next one comes.
    deadlines: { writeStall: "10 seconds" },
    observers: [observe],
  })
  const report = (): Report => {
    const { rss, heapUsed, external } = process.memoryUsage()
    const connections = server.connections.size
    return { rss, heap: heapUsed + external, fibers: fibers(), timers: timers(), connections, opened, closed }
  }
  readline.createInterface(process.stdin).on("line", (line) => {
    // Of V8 and of JavaScriptCore, when they were started with `--expose-gc`.
    if (line === "collect") (globalThis as { readonly gc?: () => void }).gc?.()
    console.log(JSON.stringify(report()))
  }).on("close", () => process.exit(0))
  const [address] = server.addresses
  console.log(JSON.stringify({ port: address?._tag === "Tcp" ? address.port : 0 }))
  yield* Effect.never
})

await Effect.scoped(program).pipe(
  Effect.provide(layer),
  Effect.provideService(Metric.FiberRuntimeMetrics, metrics),
  Effect.runPromise,
)
