/**
 * The server of the wire suite: every service on a port of its own, in the process of one runtime.
 *
 *     node fixture.ts [HOST]
 *
 * HOST is 127.0.0.1 unless it is given. It prints one JSON line with the ports by name, then obeys its `control` port: a
 * line in, a JSON line out. It ends at `stop`, at SIGTERM, and when its standard input ends, so that it does not outlive
 * the test. It needs no permission but that of listening.
 *
 * ```text
 * stats            { memory, cpu, resources } of the process
 * service NAME     { state, listening, opened, connections, reasons, failures, writes, chunks } of its server
 * closed NAME PORT the Closed event of the last client that had this local port, or null
 * drain NAME       the report of its server's drain, at its end
 * stop             { }
 * ```
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import process from "node:process"
import { layer } from "../../../adapters/auto.ts"
import * as Address from "../../../core/Address.ts"
import * as CloseReason from "../../../core/CloseReason.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import type { Event } from "../../../core/Event.ts"
import * as Server from "../../../core/Server.ts"
import * as Service from "../../../core/Service.ts"
import { Sockets } from "../../../core/Sockets.ts"
import { CountedTransport, type Traffic } from "./CountedTransport.ts"
import { type Served, services } from "./services.ts"

const host = process.argv[2] ?? "127.0.0.1"

/** A server, and what its events and its transports add up to. */
class Running {
  readonly listening: Array<string> = []
  readonly reasons: Record<string, number> = {}
  readonly closed = new Map<number, unknown>()
  readonly traffic: Traffic = { chunks: 0, writes: 0 }
  opened = 0
  failures = 0
  server: Server.Server | undefined

  readonly observe = (event: Event): void => {
    switch (event._tag) {
      case "Listening":
        return void this.listening.push(Address.format(event.address))
      case "Opened":
        return void this.opened++
      case "HandlerFailed":
        return void this.failures++
      case "Closed": {
        const { remoteAddress, counters, unsent, reason } = event
        const label = CloseReason.label(reason)
        this.reasons[label] = (this.reasons[label] ?? 0) + 1
        if (remoteAddress?._tag === "Tcp") {
          const detail = CloseReason.describe(reason)
          this.closed.set(remoteAddress.port, { reason: label, detail, unsent, ...counters })
        }
      }
    }
  }

  get summary() {
    const { server, listening, opened, reasons, failures, traffic } = this
    const connections = server?.connections.size
    return { state: server?.state, listening, opened, connections, reasons, failures, ...traffic }
  }
}

const serve = Effect.fnUntraced(function* ({ service, deadlines = {} }: Served, running: Running) {
  const sockets = yield* Sockets
  running.server = yield* Server.make({
    listeners: [{ address: Address.tcp(host, 0), service }],
    deadlines,
    observers: [running.observe],
  }).pipe(Effect.provideService(Sockets, {
    ...sockets,
    listen: (options, accept) =>
      sockets.listen(options, (transport) => accept(new CountedTransport(transport, running.traffic))),
  }))
  const [address] = running.server.addresses
  return address?._tag === "Tcp" ? address.port : 0
})

const program = Effect.gen(function* () {
  const all = new Map(Object.keys(services).map((name) => [name, new Running()]))
  const stopped = yield* Deferred.make<void>()
  const ports: Record<string, number> = {}
  for (const [name, running] of all) ports[name] = yield* serve(services[name]!, running)

  const obey = (line: string): Effect.Effect<unknown> => {
    const [command, name = "", port] = line.split(" ")
    const running = all.get(name)
    switch (command) {
      case "stats": {
        const { user, system } = process.cpuUsage()
        const resources = process.getActiveResourcesInfo().length
        return Effect.succeed({ memory: process.memoryUsage().rss, cpu: (user + system) / 1_000, resources })
      }
      case "service":
        return Effect.succeed(running?.summary)
      case "closed":
        return Effect.succeed(running?.closed.get(Number(port)))
      case "drain":
        return running?.server?.drain ?? Effect.succeed(undefined)
      default:
        return Effect.as(Deferred.succeed(stopped, undefined), {})
    }
  }
  const control = Service.respond(
    Lines.make({ maxLength: 100 }),
    (line) => Effect.map(obey(line), (answer) => JSON.stringify(answer ?? null)),
  )
  ports["control"] = yield* serve({ service: control }, new Running())

  const stop = (): void => void Effect.runFork(Deferred.succeed(stopped, undefined))
  process.on("SIGTERM", stop)
  process.stdin.on("end", () => process.exit(1)).resume()
  console.log(JSON.stringify(ports))
  yield* Deferred.await(stopped)
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), layer))
process.exit(0)
