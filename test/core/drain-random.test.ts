/** A drain among clients of all kinds, whenever it comes: what holds, holds for every seed. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Scope } from "effect/Scope"
import * as Lines from "../../core/codecs/Lines.ts"
import type { DrainPhase } from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { below, live } from "./clients.ts"
import { turns } from "./harness.ts"
import { counting } from "./passing.ts"
import { randomFrom, seeds } from "./random.ts"
import { open, type Town, type Visitor } from "./visitors.ts"

const lines = Lines.make({ maxLength: 65_536 })
const goodbye = "goodbye"
const phases: ReadonlyArray<DrainPhase> = ["announced", "closing", "ending", "forcing", "ended"]

/** A handler takes this long at most, and a client has no more on the way, so that half of the timeout is enough for all. */
const longest = 100
const mostOnTheWay = 15

describe("55: a drain among clients of all kinds", () => {
  it.effect.each(seeds)(
    "seed %d: loses no answer but to whom it forced, ends everybody, counts them right and leaves nothing behind",
    (seed) => Effect.forEach(below(4), (round) => Effect.scoped(storm(10 * seed + round)), { discard: true }),
    60_000,
  )
})

class Client {
  readonly visitor: Visitor
  readonly eager: boolean
  asked = 0
  /** Requests that were sent whole before the drain. */
  before: number | undefined
  left = false
  #part = ""

  /** One that is eager always has something on the way. */
  constructor(town: Town, to: string, eager: boolean) {
    this.visitor = town.come({ to })
    this.eager = eager
  }

  get answers(): ReadonlyArray<number> {
    return this.visitor.received.split("\n").slice(0, -1).filter((line) => line !== goodbye).map(Number)
  }

  get done(): boolean {
    return this.left || this.visitor.ended !== undefined
  }

  /** Asks, in one chunk with the beginning of the next request where it is cut. */
  ask(cut: boolean): void {
    if (this.done || this.asked - this.answers.length >= mostOnTheWay) return
    const line = `${this.asked++}\n`
    const next = cut ? `${this.asked}`.slice(0, 1) : ""
    this.visitor.send(line.slice(this.#part.length) + next)
    this.#part = next
  }

  /** Ends what it has begun, then finishes. */
  finish(): void {
    if (this.done) return
    if (this.#part !== "") this.ask(false)
    if (this.#part !== "") return
    this.left = true
    this.visitor.fin()
  }
}

const storm: (seed: number) => Effect.Effect<void, unknown, Scope> = Effect.fnUntraced(function* (seed: number) {
  const random = randomFrom(seed)
  const pick = <A>(items: ReadonlyArray<A>): A => items[random(items.length)]!
  const time = (line: string): number => (Number(line) * 7_919 + seed) % longest
  const answer = (line: string): Effect.Effect<string> =>
    time(line) < 30 ? Effect.succeed(line) : Effect.as(Effect.sleep(time(line)), line)
  const says = <A extends object>(options: A) => (random(2) === 0 ? options : { ...options, goodbye: () => goodbye })
  const services = [
    Service.respond(lines, answer, says({ concurrency: pick([1, 16]) })),
    Service.plain(lines, (line) => line, says({})),
    Service.session(lines, (connection) =>
      Effect.gen(function* () {
        while (true) {
          const line = yield* connection.receive
          if (line === undefined) return
          yield* connection.send(yield* answer(line))
        }
      }), says({})),
  ]
  const timeout = pick([8_000, 15_000])
  const drain = { delay: pick([0, 700]), spread: pick([0, 3_000]), timeout }
  const listeners = services.map((service, index) => ({ address: `127.0.0.1:900${index}`, service }))
  const clock = yield* counting
  const { town, server, events, of } = yield* clock.provide(open({ listeners, drain, deadlines: { close: 2_000 } }))
  for (const phase of phases) {
    if (random(4) === 0) server.onDrain(phase, "waits", Effect.sleep(random(800)), { timeout: 500 })
  }

  const clients: Array<Client> = []
  const come = (): void => void clients.push(new Client(town, pick(listeners).address, random(3) === 0))
  const step = (): void => {
    if (clients.length < 8 || (random(20) === 0 && clients.length < 16)) return come()
    const client = pick(clients)
    switch (random(60)) {
      case 0:
        return client.finish()
      case 1:
        client.left = true
        return client.visitor.reset()
      case 2:
        // Does not read for a while, or ever again.
        client.visitor.room = random(8)
        return
      case 3:
      case 4:
        if (client.visitor.ended === undefined && client.visitor.attached) client.visitor.drain()
        return
      default:
        return client.ask(random(3) === 0)
    }
  }
  const act = Effect.fnUntraced(function* (naps: number) {
    for (let nap = 0; nap < naps; nap++) {
      for (let steps = random(4); steps > 0; steps--) step()
      for (const client of clients) if (client.eager) client.ask(false)
      // Who has seen our FIN finishes at some time, or never.
      for (const client of clients) {
        if (client.visitor.gotFin && client.visitor.room > 10 && random(20) === 0) client.finish()
      }
      yield* live(10)
    }
  })

  yield* act(random(200))
  yield* turns
  for (const client of clients) client.before = client.asked
  const draining = yield* Effect.forkChild(clock.provide(server.drain))
  const aborts = random(6) === 0 ? 1 + random(timeout / 10) : Infinity
  const naps = (timeout + 6_000) / 10
  yield* act(Math.min(aborts, naps))
  if (aborts < naps) {
    server.abort()
    yield* live(4_000)
  }
  expect({ seed, state: server.state }).toEqual({ seed, state: "Stopped" })
  const report = yield* Fiber.join(draining)

  const during = events.slice(events.findIndex(({ _tag }) => _tag === "Draining"))
  const left = during.filter((event) => event._tag === "Closed")
  expect({ seed, ended: report.served + report.drained + report.forced, unsent: report.unsent }).toEqual({
    seed,
    ended: of("Draining")[0]!.connections + during.filter(({ _tag }) => _tag === "Opened").length,
    unsent: left.reduce((sum, { unsent }) => sum + unsent, 0),
  })
  expect(of("Closed").length).toBe(of("Opened").length)
  // Whoever was cut off before its FIN was forced, and nobody else.
  const forced = clients.filter(({ visitor }) => visitor.ended === "Aborted" && !visitor.gotFin)
  expect({ seed, forced: forced.length }).toEqual({ seed, forced: report.forced })
  for (const [index, client] of clients.entries()) {
    const { answers, before, visitor } = client
    // In order, each once.
    expect({ seed, index, answers }).toEqual({ seed, index, answers: below(answers.length) })
    if (before === undefined || visitor.ended === "Reset" || forced.includes(client)) continue
    expect({ seed, index, lost: Math.max(0, before - answers.length) }).toEqual({ seed, index, lost: 0 })
  }
  const seen = of("Draining").map(({ phase }) => phase)
  expect(seen).toEqual(phases.filter((phase) => phase !== "forcing" || seen.includes("forcing")))
  if (aborts >= naps && report.forced > 0) expect({ seed, seen }).toEqual({ seed, seen: phases })
  expect(events.filter(({ _tag }) => _tag === "Drained").length).toBe(1)
  expect({ seed, ...server.usage }).toMatchObject({ seed, connections: 0, waiting: 0, memory: 0, inFlight: 0 })
  const slept = clock.slept()
  yield* live(2_000)
  expect({ seed, sleeps: clock.slept() - slept }).toEqual({ seed, sleeps: 0 })
})
