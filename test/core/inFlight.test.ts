/** `limits.maxInFlight`: how many requests of all connections are begun and not answered. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import { InFlight } from "../../core/InFlight.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import { randomFrom, seeds } from "./random.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 10_000 })

/** Handlers that end when the test says so, in the order in which they began. */
class Work {
  readonly begun: Array<string> = []
  readonly #gates = new Map<string, Deferred.Deferred<void>>()

  readonly handler = (line: string): Effect.Effect<string> => {
    this.begun.push(line)
    const gate = Deferred.makeUnsafe<void>()
    this.#gates.set(line, gate)
    return Effect.as(Deferred.await(gate), line)
  }

  readonly end = (line: string): Effect.Effect<void> =>
    Effect.andThen(Deferred.succeed(this.#gates.get(line)!, undefined), turns)
}

const usage = ({ server }: Harness): ReadonlyArray<number> => [server.usage.inFlight, server.usage.inFlightWaiting]

describe("requests at their bound", () => {
  it.effect("wait unread, and go on in the order in which their connections came", () =>
    Effect.gen(function* () {
      const work = new Work()
      const harness = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 2 } })
      const peers = Array.from({ length: 4 }, () => harness.script.connect())
      for (const [index, peer] of peers.entries()) peer.send(`${index}\n`)
      peers[2]!.send("unread\n")
      expect(peers.map(({ paused }) => paused)).toEqual([false, false, true, false])
      expect(work.begun).toEqual(["0", "1"])
      expect(usage(harness)).toEqual([2, 2])
      yield* work.end("1")
      expect(work.begun).toEqual(["0", "1", "2"])
      expect(usage(harness)).toEqual([2, 1])
      yield* work.end("0")
      yield* work.end("3")
      yield* work.end("2")
      yield* work.end("unread")
      expect(peers.map(({ received }) => received)).toEqual(["0\n", "1\n", "2\nunread\n", "3\n"])
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("a connection that pipelines many goes behind the others after each", () =>
    Effect.gen(function* () {
      const work = new Work()
      const { script } = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 1 } })
      const [greedy, modest] = [script.connect(), script.connect()]
      greedy.send("g1\ng2\ng3\n")
      modest.send("m1\nm2\n")
      for (const line of ["g1", "m1", "g2", "m2", "g3"]) yield* work.end(line)
      expect(work.begun).toEqual(["g1", "m1", "g2", "m2", "g3"])
      expect([greedy.received, modest.received]).toEqual(["g1\ng2\ng3\n", "m1\nm2\n"])
    }))

  it.effect("handlers that answer at once hold nobody up, and take their turn behind those who wait", () =>
    Effect.gen(function* () {
      const work = new Work()
      const handler = (line: string) => line.startsWith("slow") ? work.handler(line) : Effect.succeed(line)
      const harness = yield* serve(Service.respond(lines, handler), { limits: { maxInFlight: 1 } })
      const [slow, fast] = [harness.script.connect(), harness.script.connect()]
      fast.send("a\nb\nc\n")
      expect(fast.received).toBe("a\nb\nc\n")
      slow.send("slow\n")
      fast.send("d\ne\nf\n")
      yield* turns
      expect(usage(harness)).toEqual([1, 1])
      yield* work.end("slow")
      expect(fast.received).toBe("a\nb\nc\nd\ne\nf\n")
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("are bounded beside `concurrency`, and with answers in the order of completion", () =>
    Effect.gen(function* () {
      const work = new Work()
      const service = Service.respond(lines, work.handler, { concurrency: 3, order: "completion" })
      const harness = yield* serve(service, { limits: { maxInFlight: 4 } })
      const [one, two] = [harness.script.connect(), harness.script.connect()]
      one.send("a1\na2\na3\na4\n")
      two.send("b1\nb2\n")
      expect(work.begun).toEqual(["a1", "a2", "a3", "b1"])
      yield* work.end("a2")
      expect(work.begun.slice(4)).toEqual(["b2"])
      yield* work.end("a3")
      expect(work.begun.slice(5)).toEqual(["a4"])
      for (const line of ["b2", "a4", "b1", "a1"]) yield* work.end(line)
      expect([one.received, two.received]).toEqual(["a2\na3\na4\na1\n", "b2\nb1\n"])
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("tell how many wait, and how long they waited in all", () =>
    Effect.gen(function* () {
      const work = new Work()
      const { script, server } = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 1 } })
      for (const line of ["a", "b", "c"]) script.connect().send(`${line}\n`)
      yield* TestClock.adjust("400 millis")
      yield* work.end("a")
      expect(server.usage.inFlightWaited).toBe(400)
      yield* TestClock.adjust("100 millis")
      yield* work.end("b")
      expect(server.usage.inFlightWaited).toBe(900)
    }))

  it.effect("weigh what the service says; what is no weight is 1, and what is too heavy is handled alone", () =>
    Effect.gen(function* () {
      const work = new Work()
      const weight = (line: string): number => {
        if (line === "throws") throw new Error("no weight")
        return Number(line.split(" ")[1])
      }
      const service = Service.respond(lines, work.handler, { concurrency: 10, weight })
      const harness = yield* serve(service, { limits: { maxInFlight: 3 } })
      const peer = harness.script.connect()
      const all = ["a 2", "nan x", "throws", "zero 0", "less -1", "huge 100", "inf Infinity", "b 3"]
      peer.send(all.map((line) => `${line}\n`).join(""))
      expect([work.begun.length, ...usage(harness)]).toEqual([2, 3, 1])
      yield* work.end("a 2")
      expect([work.begun.length, ...usage(harness)]).toEqual([4, 3, 1])
      for (const line of ["nan x", "throws"]) yield* work.end(line)
      expect([work.begun.length, ...usage(harness)]).toEqual([5, 2, 1])
      for (const line of ["less -1", "zero 0"]) yield* work.end(line)
      expect([work.begun.at(-1), ...usage(harness)]).toEqual(["huge 100", 100, 1])
      yield* work.end("huge 100")
      expect([work.begun.at(-1), ...usage(harness)]).toEqual(["inf Infinity", 1, 1])
      yield* work.end("inf Infinity")
      yield* work.end("b 3")
      expect(peer.received).toBe(all.map((line) => `${line}\n`).join(""))
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("in front, a heavy one is not passed by lighter ones that would fit", () =>
    Effect.gen(function* () {
      const work = new Work()
      const weight = (line: string): number => line.length
      const { script } = yield* serve(Service.respond(lines, work.handler, { weight }), { limits: { maxInFlight: 4 } })
      for (const line of ["aa", "a", "bbbb", "c"]) script.connect().send(`${line}\n`)
      yield* work.end("a")
      expect(work.begun).toEqual(["aa", "a"])
      yield* work.end("aa")
      expect(work.begun).toEqual(["aa", "a", "bbbb"])
      yield* work.end("bbbb")
      expect(work.begun).toEqual(["aa", "a", "bbbb", "c"])
    }))
})

describe("room is given back", () => {
  const cases: Record<string, (harness: Harness, peer: Peer) => unknown> = {
    "is reset": (_, peer) => peer.reset(),
    "is closed": ({ server }) => [...server.connections.values()][0]!.closeUnsafe(),
    "is aborted": ({ server }) => [...server.connections.values()][0]!.abortUnsafe(),
  }
  for (const [how, end] of Object.entries(cases)) {
    it.effect(`by a connection that ${how} while it waits: those behind it move up`, () =>
      Effect.gen(function* () {
        const work = new Work()
        const harness = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 1 } })
        const leaving = harness.script.connect()
        const [busy, other] = [harness.script.connect(), harness.script.connect()]
        busy.send("busy\n")
        leaving.send("never\n")
        yield* TestClock.adjust("1 second")
        other.send("other\n")
        end(harness, leaving)
        yield* turns
        expect(usage(harness)).toEqual([1, 1])
        yield* TestClock.adjust("1 second")
        yield* work.end("busy")
        expect(work.begun).toEqual(["busy", "other"])
        expect(harness.server.usage.inFlightWaited).toBe(1_000)
        yield* work.end("other")
        expect(usage(harness)).toEqual([0, 0])
      }))

    it.effect(`by a connection that ${how} when it has just been given some`, () =>
      Effect.gen(function* () {
        const work = new Work()
        const harness = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 1 } })
        const leaving = harness.script.connect()
        const [busy, other] = [harness.script.connect(), harness.script.connect()]
        busy.send("busy\n")
        leaving.send("never\n")
        other.send("other\n")
        // Its end gives the room to the one that is about to leave, within the same turn.
        busy.reset()
        expect(usage(harness)).toEqual([1, 1])
        end(harness, leaving)
        yield* turns
        expect(work.begun).toEqual(["busy", "other"])
        yield* work.end("other")
        expect(usage(harness)).toEqual([0, 0])
      }))
  }

  it.effect("by a connection that something else holds up by then: nobody waits for a peer that does not read", () =>
    Effect.gen(function* () {
      const work = new Work()
      const limits = { maxInFlight: 1, outboxHigh: 1_000, outboxLow: 100 }
      const harness = yield* serve(Service.respond(lines, work.handler), { limits })
      const [frozen, busy, other] = [harness.script.connect(), harness.script.connect(), harness.script.connect()]
      frozen.room = 0
      busy.send("busy\n")
      frozen.send("last\n")
      other.send("other\n")
      harness.server.connections.get(1)!.sendUnsafe("x".repeat(2_000) as never) // its service sends text
      yield* turns
      yield* work.end("busy")
      expect(work.begun).toEqual(["busy", "other"])
      yield* work.end("other")
      expect(usage(harness)).toEqual([0, 0])
      frozen.drain()
      yield* turns
      yield* work.end("last")
      expect(frozen.received).toMatch(/^x+\nlast\n$/)
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("49: by a handler that takes too long, fails, dies, or goes on after it has ended its own connection", () =>
    Effect.gen(function* () {
      const service = Service.respond(lines, (line, connection): Effect.Effect<string, string> => {
        const later = Effect.sleep("100 millis")
        if (line === "fail") return Effect.andThen(later, Effect.fail("no"))
        if (line === "die") return Effect.andThen(later, Effect.die("no"))
        if (line === "close") return Effect.andThen(connection.close(), Effect.never)
        if (line === "abort") return Effect.andThen(connection.abort(), Effect.never)
        return Effect.never
      }, { timeout: "10 seconds" })
      const harness = yield* serve(service, { limits: { maxInFlight: 1 } })
      for (const line of ["forever", "fail", "close", "abort", "die"]) harness.script.connect().send(`${line}\n`)
      yield* TestClock.adjust("1 minute")
      for (let round = 0; round < 5; round++) yield* Effect.andThen(TestClock.adjust("1 minute"), turns)
      expect(usage(harness)).toEqual([0, 0])
      expect(harness.of("HandlerFailed").length).toBe(2)
    }))

  it.effect("49: a handler that never ends does not outlive its connection, also when it has aborted that itself", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const forever = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      const service = Service.respond(lines, (_, connection) => Effect.andThen(connection.abort(), forever))
      const { script, server, of } = yield* serve(service)
      script.connect().send("x\n")
      yield* turns
      expect(interrupted).toBe(1)
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["Kicked"])
      expect(server.connections.size).toBe(0)
    }))
})

describe("changing the bound", () => {
  it.effect("raised or taken away, those who wait go on; lowered, it holds for who comes", () =>
    Effect.gen(function* () {
      const work = new Work()
      const harness = yield* serve(Service.respond(lines, work.handler), { limits: { maxInFlight: 1 } })
      const { script, server } = harness
      for (let index = 0; index < 6; index++) script.connect().send(`${index}\n`)
      yield* server.update({ limits: { maxInFlight: 3 } })
      yield* turns
      expect(usage(harness)).toEqual([3, 3])
      yield* server.update({ limits: { maxInFlight: 2 } })
      yield* work.end("0")
      expect(usage(harness)).toEqual([2, 3])
      yield* work.end("1")
      expect(usage(harness)).toEqual([2, 2])
      yield* server.update({ limits: { maxInFlight: Infinity } })
      yield* turns
      expect(work.begun.length).toBe(6)
      for (const line of ["2", "3", "4", "5"]) yield* work.end(line)
      expect(usage(harness)).toEqual([0, 0])
    }))

  it.effect("where there was none, it counts from then on", () =>
    Effect.gen(function* () {
      const work = new Work()
      const harness = yield* serve(Service.respond(lines, work.handler))
      const { script, server } = harness
      script.connect().send("before\n")
      yield* server.update({ limits: { maxInFlight: 1 } })
      script.connect().send("a\n")
      script.connect().send("b\n")
      expect(usage(harness)).toEqual([1, 1])
      yield* work.end("before")
      expect(usage(harness)).toEqual([1, 1])
      yield* work.end("a")
      yield* work.end("b")
      expect(usage(harness)).toEqual([0, 0])
    }))
})

describe("drain", () => {
  it.effect("answers also those who wait for room", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line))
      const { script, server } = yield* serve(slow, { limits: { maxInFlight: 1 } })
      const peers = Array.from({ length: 3 }, (_, index) => {
        const peer = script.connect()
        peer.send(`${index}\n`)
        return peer
      })
      const draining = yield* Effect.forkChild(server.drain)
      for (let second = 0; second < 5; second++) {
        yield* TestClock.adjust("1 second")
        yield* turns
      }
      expect(peers.map(({ received }) => received)).toEqual(["0\n", "1\n", "2\n"])
      for (const peer of peers) peer.fin()
      yield* turns
      void draining
      expect(yield* server.drain).toMatchObject({ drained: 3, forced: 0 })
    }))
})

describe("whatever connections do", () => {
  it.effect.each(seeds)(
    "the bound is never exceeded, and nothing is lost or left over (seed %i)",
    (seed) =>
      Effect.gen(function* () {
        const random = randomFrom(seed)
        let running = 0
        let highest = 0
        const weigh = (line: string): number => Number(line.slice(0, line.indexOf(" ")))
        const handler = (line: string): Effect.Effect<string> => {
          const weight = weigh(line)
          const begin = Effect.sync(() => {
            running += weight
            highest = Math.max(highest, running)
          })
          const end = Effect.sync(() => {
            running -= weight
          })
          const work = line.length % 3 === 0 ? Effect.void : Effect.sleep(line.length * 10)
          return Effect.as(Effect.acquireUseRelease(begin, () => work, () => end), line)
        }
        const service = Service.respond(lines, handler, {
          concurrency: 3,
          order: seed % 2 === 0 ? "request" : "completion",
          weight: weigh,
          timeout: "250 millis",
        })
        const maxInFlight = 4
        const harness = yield* serve(service, { limits: { maxInFlight, outboxHigh: 200, outboxLow: 50 } })
        const { script, server } = harness
        let peers: Array<Peer> = []
        for (let step = 0; step < 300; step++) {
          if (peers.length < 6) peers.push(script.connect())
          for (const peer of peers) {
            const act = random(12)
            if (peer.ended !== undefined) continue
            if (act < 5 && !peer.paused && !peer.sentFin) {
              peer.send(`${(1 + random(40)) / 10} ${"x".repeat(random(30))}\n`.repeat(1 + random(4)))
            } else if (act === 5) peer.room = random(100)
            else if (act === 6) peer.drain()
            else if (act === 7 && random(6) === 0) peer.reset()
            else if (act === 8 && random(6) === 0 && !peer.sentFin && !peer.paused) peer.fin()
            else if (act === 9 && random(6) === 0) [...server.connections.values()][random(6)]?.closeUnsafe()
          }
          if (random(2) === 0) yield* TestClock.adjust(random(200))
          yield* turns
          peers = peers.filter(({ ended, gotFin }) => ended === undefined && !gotFin)
          expect(server.usage.inFlight).toBeLessThanOrEqual(maxInFlight + 1e-6)
        }
        expect(highest).toBeGreaterThan(maxInFlight / 2)
        expect(highest).toBeLessThanOrEqual(maxInFlight + 1e-6)
        for (let second = 0; second < 60; second++) {
          for (const peer of peers) if (peer.ended === undefined) peer.drain()
          yield* TestClock.adjust("100 millis")
          yield* turns
        }
        expect([...usage(harness), running]).toEqual([0, 0, expect.closeTo(0)])
        // Whoever is left is served.
        const last = script.connect()
        last.send("4 last\n")
        yield* TestClock.adjust("100 millis")
        yield* turns
        expect(last.received).toBe("4 last\n")
      }),
  )
})

describe("the line by itself", () => {
  it("lets the next ones go on when a heavy one in front of them leaves, and counts what they waited", () => {
    const inFlight = new InFlight()
    inFlight.update(3, 0)
    const gone: Array<string> = []
    inFlight.take(2)
    const leave = inFlight.wait(3, 0, () => gone.push("heavy"))
    inFlight.wait(1, 100, () => gone.push("light"))
    inFlight.wait(1, 100, () => gone.push("lighter"))
    expect(gone).toEqual([])
    leave(250)
    expect([gone, inFlight.used, inFlight.waiting, inFlight.waited]).toEqual([["light"], 3, 1, 150])
    leave(300)
    inFlight.give(2, 300)
    expect([gone, inFlight.used, inFlight.waiting, inFlight.waited]).toEqual([["light", "lighter"], 2, 0, 350])
  })

  it("lets all of the room be taken after weights that are no whole numbers", () => {
    const inFlight = new InFlight()
    inFlight.update(1, 0)
    for (const weight of [0.1, 0.2, 0.7]) {
      expect(inFlight.fits(weight)).toBe(true)
      inFlight.take(weight)
    }
    for (const weight of [0.7, 0.1, 0.2]) inFlight.give(weight, 0)
    expect(inFlight.used).toBe(0)
    expect(inFlight.fits(5)).toBe(true)
  })
})
