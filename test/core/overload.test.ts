/** `overload.lag`: what is done when the event loop is late. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as CloseReason from "../../core/CloseReason.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { Overload } from "../../core/Overload.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import { counting, ends, leaping } from "./passing.ts"

const lines = Lines.make({ maxLength: 1_000 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))

/** A server whose loop is late when the test says so. */
const serveLate = Effect.fnUntraced(function* (options: Omit<Server.Options, "listeners" | "observers">) {
  const { leap, provide } = yield* leaping
  const harness = yield* provide(serve(echo, { deadlines: { idle: Infinity }, ...options }))
  return {
    ...harness,
    harness,
    /** So many looks, each so many milliseconds late. */
    late: Effect.fnUntraced(function* (millis: number, looks = 1) {
      for (let look = 0; look < looks; look++) {
        leap(millis)
        yield* TestClock.adjust("300 millis")
        yield* turns
      }
    }),
  }
})

const loads = ({ of }: Harness): Array<string> => of("LoadChanged").map(({ load }) => load)

describe("a loop that is late", () => {
  const overload = { lag: "500 millis" } as const

  it.effect("50: lets nobody in until it is on time again, and says so; who is there is served", () =>
    Effect.gen(function* () {
      const { harness, script, server, late } = yield* serveLate({ overload })
      const peer = script.connect()
      yield* late(2_000)
      expect(harness.of("LoadChanged")).toEqual([{
        _tag: "LoadChanged",
        load: "refusing",
        lag: expect.closeTo(2_000, -3),
      }])
      expect(server.usage.load).toBe("refusing")
      expect(server.usage.lag).toBeGreaterThan(1_500)
      const refused = script.connect()
      expect(refused.gotFin).toBe(true)
      expect(harness.of("Refused").map(({ limit }) => limit)).toEqual(["overload.lag"])
      peer.send("x\n")
      expect(peer.received).toBe("x\n")
      yield* late(0, 2)
      expect(loads(harness)).toEqual(["refusing", "calm"])
      expect([server.usage.load, server.usage.lag]).toEqual(["calm", 0])
      expect(script.connect().gotFin).toBe(false)
    }))

  it.effect("61: one that was stopped for 10 s ends nobody", () =>
    Effect.gen(function* () {
      const { harness, script, late } = yield* serveLate({ overload, preset: "internet" })
      const peers = Array.from({ length: 50 }, () => script.connect())
      for (const peer of peers) peer.send("x\n")
      yield* late(10_000)
      expect(loads(harness)).toEqual(["refusing"])
      yield* late(0, 5)
      expect(loads(harness)).toEqual(["refusing", "calm"])
      expect(peers.filter(ends)).toEqual([])
    }))

  it.effect("four times in a row ends one of a hundred at each look, the least important first, once it is answered", () =>
    Effect.gen(function* () {
      const { harness, script, server, late } = yield* serveLate({ overload })
      const peers = Array.from({ length: 200 }, () => script.connect())
      for (const { id } of server.connections.values()) server.connections.get(id)!.importance = id % 10
      // Of those that matter least, these hold most.
      const fat = [peers[59]!, peers[149]!]
      for (const peer of fat) {
        peer.room = 0
        peer.send("answered\n")
      }
      yield* late(700, 3)
      expect(peers.filter(ends).length).toBe(0)
      expect(loads(harness)).toEqual(["refusing"])
      yield* late(700)
      expect(loads(harness)).toEqual(["refusing", "shedding"])
      for (const peer of fat) peer.drain()
      yield* turns
      expect(peers.filter(ends)).toEqual(fat)
      expect(fat.map(({ received, gotFin }) => [received, gotFin])).toEqual(fat.map(() => ["answered\n", true]))
      yield* late(700)
      expect(peers.filter(ends).length).toBe(4)
      for (const peer of peers) if (ends(peer)) peer.fin()
      yield* turns
      expect(harness.of("Closed").map(({ connection, reason }) => [connection % 10, reason])).toEqual(
        [1, 2, 3, 4].map(() => [0, CloseReason.overloaded("lag")]),
      )
      yield* late(0, 3)
      expect(loads(harness)).toEqual(["refusing", "shedding", "calm"])
      expect(peers.filter(ends).length).toBe(4)
    }))

  it.effect("now and then, with looks on time in between, ends nobody", () =>
    Effect.gen(function* () {
      const { script, late } = yield* serveLate({ overload })
      const peers = Array.from({ length: 10 }, () => script.connect())
      for (let round = 0; round < 10; round++) {
        yield* late(700, 3)
        yield* late(0, 2)
      }
      expect(peers.filter(ends)).toEqual([])
    }))

  it.effect("is no overload by default on one's own machine, and one from 500 ms on the internet", () =>
    Effect.gen(function* () {
      for (const preset of ["local", "internet"] as const) {
        const { harness, late } = yield* serveLate({ preset })
        yield* late(400, 2)
        expect(loads(harness)).toEqual([])
        yield* late(700)
        expect(loads(harness)).toEqual(preset === "local" ? [] : ["refusing"])
      }
    }))
})

describe("an idle server", () => {
  it.effect("is not woken up where nobody asks how late it is, also after that was changed", () =>
    Effect.gen(function* () {
      const { provide, slept } = yield* counting
      const { server } = yield* provide(serve(echo))
      yield* TestClock.adjust("1 hour")
      expect(slept()).toBe(0)
      yield* server.update({ overload: { lag: "1 second" } })
      yield* TestClock.adjust("10 seconds")
      expect(slept()).toBeGreaterThan(20)
      yield* server.update({ overload: { lag: Infinity } })
      yield* TestClock.adjust("1 second")
      const before = slept()
      yield* TestClock.adjust("1 hour")
      expect(slept()).toBe(before)
    }))
})

describe("changing it", () => {
  it.effect("turned off, everybody is let in again; turned on, it holds from then on", () =>
    Effect.gen(function* () {
      const { harness, script, server, late } = yield* serveLate({ overload: { lag: "500 millis" } })
      yield* late(700, 2)
      yield* server.update({ overload: { lag: Infinity } })
      yield* late(700, 2)
      expect(loads(harness)).toEqual(["refusing", "calm"])
      expect(script.connect().gotFin).toBe(false)
      yield* late(700, 10)
      expect(loads(harness).length).toBe(2)
      yield* server.update({ overload: { lag: "100 millis" } })
      yield* late(200, 5)
      expect(loads(harness).slice(2)).toEqual(["refusing", "shedding"])
    }))
})

describe("the load by itself", () => {
  it("is calm again only at half of the bound", () => {
    const overload = new Overload()
    const after = (...lags: ReadonlyArray<number>) => lags.map((lag) => overload.sample(lag, 100))
    expect(after(100, 101, 60, 51, 50)).toEqual(["calm", "refusing", "refusing", "refusing", "calm"])
    expect(after(200, 200, 200, 200, 200)).toEqual(["refusing", "refusing", "refusing", "shedding", "shedding"])
    expect(after(80, 200, 10)).toEqual(["refusing", "refusing", "calm"])
  })
})
