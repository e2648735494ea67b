/**
 * Whole servers on the network in memory, with every fault at once and many seeds, in virtual time: whatever is split,
 * merged, put off, reset or vanishes, nobody gets a wrong byte, and everything is accounted for.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { Faults } from "../../adapters/Faults.ts"
import { layer } from "../../adapters/memory.ts"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type Receiver, Sockets, type Transport } from "../../core/Sockets.ts"
import { turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 4_096 })

const services: Record<string, Service.Service> = {
  "replies at once": Service.respond(lines, (line) => Effect.succeed(`echo: ${line}`)),
  "replies later, four at a time": Service.respond(
    lines,
    (line) => Effect.as(Effect.sleep(line.length % 7), `echo: ${line}`),
    { concurrency: 4 },
  ),
  "a session": Service.session(lines, (connection) =>
    Effect.gen(function* () {
      for (;;) {
        const line = yield* connection.receive
        if (line === undefined) return
        yield* connection.send(`echo: ${line}`)
      }
    })),
}

/** Sends all it has as fast as it may, then FIN, and keeps what comes back. */
class Client implements Receiver {
  received = ""
  end: string | undefined
  readonly #transport: Transport
  readonly #decoder = new TextDecoder()
  #unsent: Uint8Array

  constructor(transport: Transport, text: string) {
    this.#transport = transport
    this.#unsent = new TextEncoder().encode(text)
    transport.attach(this)
    this.writable()
  }

  writable(): void {
    this.#unsent = this.#unsent.subarray(this.#transport.write(this.#unsent))
    if (this.#unsent.length === 0) this.#transport.shutdown()
  }

  bytes(chunk: Uint8Array): void {
    this.received += this.#decoder.decode(chunk, { stream: true })
  }

  fin(): void {}

  closed(end: { readonly _tag: string }): void {
    this.end = end._tag
  }
}

const request = (seed: number, client: number): ReadonlyArray<string> =>
  Array.from(
    { length: 40 },
    (_, line) => `${client}/${line} 世界 ${"x".repeat((seed * 31 + client * 17 + line * 97) % 900)}`,
  )

const run = (service: Service.Service, seed: number, faults: Faults) =>
  Effect.gen(function* () {
    const events: Array<Event> = []
    const sockets = yield* Sockets
    const server = yield* Server.make({
      listeners: [{ address: "127.0.0.1:9000", service }],
      limits: { outboxHigh: 8_192, outboxLow: 2_048 },
      observers: [(event) => events.push(event)],
    })
    const clients: Array<{ client: Client; expected: string }> = []
    for (let id = 0; id < 6; id++) {
      const asked = request(seed, id)
      const transport = yield* sockets.connect({ address: Address.tcp("127.0.0.1", 9_000) })
      const client = new Client(transport, asked.map((line) => `${line}\n`).join(""))
      clients.push({ client, expected: asked.map((line) => `echo: ${line}\n`).join("") })
    }
    for (let second = 0; second < 70; second += 1) {
      yield* TestClock.adjust("1 second")
      yield* turns
      if (clients.every(({ client }) => client.end !== undefined) && server.connections.size === 0) break
    }
    const stuck = server.connections.size
    const draining = yield* Effect.forkChild(server.drain)
    yield* TestClock.adjust("1 minute")
    yield* turns
    void draining
    const report = yield* server.drain
    return { clients, events, report, stuck }
  }).pipe(Effect.scoped, Effect.provide(layer({ seed, faults, bufferSize: 4_096 })))

const seeds = Array.from({ length: 12 }, (_, index) => 1 + index * 7_919)

describe.each(Object.entries(services))("%s, on a faulty network", (_, service) => {
  it.effect.each(seeds)(
    "splits, merges, delays: every client gets every answer (seed %i)",
    (seed) =>
      Effect.gen(function* () {
        const faults = { split: 0.4, merge: 0.3, partialWrite: 0.4, delay: 5 }
        const { clients, events, report, stuck } = yield* run(service, seed, faults)
        for (const { client, expected } of clients) {
          expect(client.received).toBe(expected)
          expect(client.end).toBe("Finished")
        }
        expect(stuck).toBe(0)
        const closed = events.filter(({ _tag }) => _tag === "Closed")
        expect(closed.map((event) => event._tag === "Closed" && event.reason._tag)).toEqual(
          clients.map(() => "PeerClosed"),
        )
        expect(report).toMatchObject({ served: 0, drained: 0, forced: 0, unsent: 0 })
      }),
  )

  it.effect.each(seeds)(
    "resets and peers that vanish: no wrong byte, and everything is accounted for (seed %i)",
    (seed) =>
      Effect.gen(function* () {
        const faults = { split: 0.4, merge: 0.3, partialWrite: 0.4, delay: 5, reset: 0.004, vanish: 0.004 }
        const { clients, events, report } = yield* run(service, seed, faults)
        for (const { client, expected } of clients) {
          expect(expected.startsWith(client.received.replace(/\uFFFD*$/, ""))).toBe(true)
        }
        const opened = events.filter(({ _tag }) => _tag === "Opened").length
        const closed = events.flatMap((event) => event._tag === "Closed" ? [event] : [])
        expect(closed.length).toBe(opened)
        expect(new Set(closed.map(({ connection }) => connection)).size).toBe(opened)
        for (const { counters } of closed) expect(counters.framesSent).toBeLessThanOrEqual(counters.framesReceived)
        expect(report.served + report.drained + report.forced).toBeLessThanOrEqual(opened)
      }),
  )
})
