/**
 * The server under attack, in the process of one runtime, on free ports.
 *
 *     node --expose-gc hostile.main.ts OPTIONS
 *
 * OPTIONS is the JSON of {@link Options}. It prints one JSON line with its ports, then answers each line on its standard
 * input, `COMMAND NUMBER`, by one JSON line with that number in `reply`:
 *
 * ```text
 * report    what it has seen so far, and what it holds now
 * collect   the same, after a garbage collection where the runtime was told to offer one
 * stop      ends it: exit code 0
 * ```
 *
 * It ends with 1 when its standard input does, so that it does not outlive the test. It needs no permission but that of
 * listening. What it answers to a line of its clients is {@link answer}'s to say.
 */
import { fibers, metrics, timers } from "./hostile/held.ts" // before anything that could set a timer
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import process from "node:process"
import * as readline from "node:readline"
import { layer } from "../../../adapters/auto.ts"
import type { Address } from "../../../core/Address.ts"
import * as CloseReason from "../../../core/CloseReason.ts"
import type { Event } from "../../../core/Event.ts"
import * as Server from "../../../core/Server.ts"
import { type Options, type Seen, seen } from "./hostile/Options.ts"
import { respond, session, unsendable } from "./hostile/service.ts"

const { hosts = ["127.0.0.1"], limits = {}, deadlines = {} }: Options = JSON.parse(process.argv[2] ?? "{}")

const open = new Set<number>()
const found: Seen = seen()

const count = (counts: Record<string, number>, name: string): void => void (counts[name] = (counts[name] ?? 0) + 1)

const observe = (event: Event): void => {
  switch (event._tag) {
    case "Opened":
      if (open.has(event.connection)) found.twice++
      open.add(event.connection)
      found.opened++
      return void (found.most = Math.max(found.most, open.size))
    case "Refused":
      return count(found.refused, event.limit)
    case "Closed":
      if (!open.delete(event.connection)) found.twice++
      return count(found.closed, CloseReason.label(event.reason))
    case "Probed":
      return void found.probed++
    case "AcceptFailed":
      return void found.acceptFailed++
    case "HandlerFailed":
      return void found.handlerFailed++
  }
}

const portOf = (address: Address | undefined): number => address?._tag === "Tcp" ? address.port : 0

const program = Effect.gen(function* () {
  const server = yield* Server.make({
    listeners: hosts.flatMap((host) =>
      [respond, session].map((service) => ({ address: `${host.includes(":") ? `[${host}]` : host}:0`, service }))
    ),
    preset: "local", // also where it is bound to all addresses: a scenario says what defends it
    limits,
    deadlines,
    observers: [observe],
  })
  const report = () => {
    const { rss, heapUsed, external } = process.memoryUsage()
    const memory = { rss, heap: heapUsed + external }
    const connections = [...server.connections.values()]
    const unsent = connections.reduce((sum, connection) => sum + connection.unsent, 0)
    return { ...found, unsendable, connections: connections.length, unsent, fibers: fibers(), timers: timers(), memory }
  }
  const stopped = yield* Deferred.make<void>()
  const obey = (line: string): void => {
    const [command, reply] = line.split(" ")
    if (command === "stop") return void Deferred.doneUnsafe(stopped, Effect.void)
    // Of V8 and of JavaScriptCore, when they were started with `--expose-gc`.
    if (command === "collect") (globalThis as { readonly gc?: () => void }).gc?.()
    console.log(JSON.stringify({ reply: Number(reply), ...report() }))
  }
  readline.createInterface(process.stdin).on("line", obey).on("close", () => process.exit(1))
  console.log(JSON.stringify({ ports: server.addresses.map(portOf) }))
  yield* Deferred.await(stopped)
})

// Deno sets signals up when they are first needed, and panics when that finds no descriptor.
process.on("SIGTERM", () => process.exit(1))

await Effect.scoped(program).pipe(
  Effect.provide(layer),
  Effect.provideService(Metric.FiberRuntimeMetrics, metrics),
  Effect.runPromise,
)
process.exit(0)
