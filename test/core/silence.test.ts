/** Deadlines of an open connection: for its first frame, for a whole frame, for silence, and for its age. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as LengthPrefixed from "../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))

/** How late the end of a time is noticed at most, in milliseconds: half a second, and a slot of the wheel. */
const late = 560

const reasons = ({ of }: Harness): Array<string> => of("Closed").map(({ reason }) => reason._tag)

/** Lets time pass, in steps in which a loop turns. */
const pass = Effect.fnUntraced(function* (millis: number) {
  for (let left = millis; left > 0; left -= 500) yield* TestClock.adjust(Math.min(500, left))
  yield* turns
})

/** Serves with these deadlines, and connects. */
const connected = Effect.fnUntraced(function* (
  deadlines: Server.DeadlineOptions,
  service: Service.Service = echo,
) {
  const harness = yield* serve(service, { deadlines: { idle: Infinity, ...deadlines } })
  return { ...harness, harness, peer: harness.script.connect() }
})

/** Expects that it is open up to a time and ending soon after it. */
const endsAfter = Effect.fnUntraced(function* (peer: Peer, millis: number) {
  yield* pass(millis - 50)
  expect(peer.gotFin).toBe(false)
  yield* pass(50 + late)
  expect(peer.gotFin).toBe(true)
})

describe("first frame", () => {
  it.effect("2: a peer that says nothing is ended as FirstFrameTimeout, and its place is free", () =>
    Effect.gen(function* () {
      const { harness, peer, server } = yield* connected({ firstFrame: "10 seconds" })
      yield* endsAfter(peer, 10_000)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["FirstFrameTimeout"])
      expect(server.connections.size).toBe(0)
    }))

  it.effect("a part of a frame is none", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ firstFrame: "10 seconds" })
      yield* pass(5_000)
      peer.send("GET / HT")
      yield* endsAfter(peer, 5_000)
    }))

  it.effect("once there was one, it holds no more", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ firstFrame: "10 seconds" })
      peer.send("hello\n")
      yield* pass(60_000)
      expect(peer.gotFin).toBe(false)
    }))

  it.effect("does not run while the server is opening the connection", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.succeed(line), { open: () => Effect.sleep("30 seconds") })
      const { peer } = yield* connected({ firstFrame: "10 seconds" }, slow)
      yield* pass(30_000)
      expect(peer.gotFin).toBe(false)
      yield* pass(20_000 + late)
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("a peer that does not finish behind our FIN is reset after 5 s, not after deadlines.linger", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ firstFrame: "10 seconds", linger: "10 minutes" })
      yield* pass(10_000 + late)
      expect(peer.calls).not.toContain("abort")
      yield* pass(5_000 + late)
      expect(peer.calls).toContain("abort")
    }))
})

describe("a whole frame", () => {
  it.effect("39: one byte every 9 s does not prolong the time for a frame", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ frame: "30 seconds" })
      peer.send("hello\n")
      for (let byte = 0; byte < 4; byte++) {
        expect(peer.gotFin).toBe(false)
        peer.send("x")
        yield* pass(9_000)
      }
      expect(peer.gotFin).toBe(true)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["FrameTimeout"])
    }))

  it.effect("14: each frame has its own time, however slowly they follow each other", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ frame: "30 seconds" })
      for (let frame = 0; frame < 10; frame++) {
        peer.send("half a ")
        yield* pass(20_000)
        peer.send("line\n")
        yield* pass(20_000)
      }
      expect(peer.gotFin).toBe(false)
      expect(peer.received).toBe("half a line\n".repeat(10))
    }))

  it.effect("begins with the frame's own first byte, also behind other frames in one chunk", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ frame: "30 seconds" })
      peer.send("half a ")
      yield* pass(20_000)
      peer.send("line\nand half of the ne")
      yield* pass(29_000)
      expect(peer.gotFin).toBe(false)
      yield* pass(1_000 + late)
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("does not run while the server does not read", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("60 seconds"), line))
      const { peer } = yield* connected({ frame: "30 seconds" }, slow)
      peer.send("a request\nand half of the ne")
      yield* pass(60_000 + 29_000)
      expect(peer.gotFin).toBe(false)
      peer.send("xt one\n")
      yield* pass(60_000)
      expect(peer.received).toBe("a request\nand half of the next one\n")
    }))

  it.effect("does not run while the peer's own answers wait for it", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, {
        deadlines: { frame: "5 seconds", writeStall: "60 seconds" },
        limits: { outboxHigh: 4, outboxLow: 0 },
      })
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("hello\n")
      yield* turns
      peer.send("half of the ne") // in the same chunk as what was read last
      yield* pass(20_000)
      expect(peer.gotFin).toBe(false)
      peer.drain()
      peer.send("xt\n")
      yield* turns
      expect(peer.received).toBe("hello\nhalf of the next\n")
    }))

  it.effect("holds for frames of a declared length as well", () =>
    Effect.gen(function* () {
      const framed = Service.respond(LengthPrefixed.make({ width: 2, maxLength: 100 }), Effect.succeed)
      const { peer } = yield* connected({ frame: "5 seconds" }, framed)
      peer.send(Uint8Array.of(0, 100, 1, 2, 3))
      yield* endsAfter(peer, 5_000)
    }))
})

describe("silence", () => {
  it.effect("12: a peer that vanished is ended as IdleTimeout, whatever it did before", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ idle: "60 seconds" })
      peer.send("hello\n")
      yield* endsAfter(peer, 60_000)
      yield* pass(5_000 + late) // nobody answers the FIN
      expect(reasons(harness)).toEqual(["IdleTimeout"])
    }))

  it.effect("bytes either way begin it anew", () =>
    Effect.gen(function* () {
      let push!: Service.PlainConnection<string>
      const service = Service.plain(lines, (_, connection) => {
        push = connection
      })
      const { peer } = yield* connected({ idle: "60 seconds" }, service)
      peer.send("hello\n")
      yield* pass(50_000)
      peer.send("half a li")
      yield* pass(50_000)
      void push.send("news")
      yield* pass(59_000)
      expect([peer.gotFin, peer.received]).toEqual([false, "news\n"])
      yield* pass(1_000 + late)
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("49: a handler that takes longer is not the peer's fault", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("5 minutes"), line))
      const { peer } = yield* connected({ idle: "60 seconds" }, slow)
      peer.send("hello\n")
      yield* pass(300_000)
      expect([peer.gotFin, peer.received]).toEqual([false, "hello\n"])
      yield* endsAfter(peer, 60_000)
    }))

  it.effect("a session that does not ask for frames does not wait for its peer", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 minutes")
          yield* connection.receive
        }))
      const { peer } = yield* connected({ idle: "60 seconds" }, service)
      yield* pass(300_000)
      expect(peer.gotFin).toBe(false)
      yield* pass(60_000 + late)
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("is 10 minutes unless something else is said", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(echo)
      const peer = script.connect()
      yield* endsAfter(peer, 600_000)
    }))

  it.effect("of a peer that reads nothing is a stalled write, and no silence", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ idle: "20 seconds", writeStall: "30 seconds" })
      peer.room = 0
      peer.send("hello\n")
      yield* pass(29_950)
      expect(peer.calls).not.toContain("abort")
      yield* pass(50 + late)
      expect(reasons(harness)).toEqual(["WriteStalled"])
    }))
})

describe("age", () => {
  it.effect("ends a connection that goes on and on, with everything answered", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ maxAge: "100 seconds" })
      let sent = 0
      for (let second = 0; second < 101 && !peer.gotFin; second++) {
        peer.send(`line ${second}\n`)
        sent = second + 1
        yield* pass(1_000)
      }
      expect(sent).toBeGreaterThanOrEqual(90)
      expect(peer.received.split("\n").length - 1).toBe(sent)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["MaxAge"])
    }))

  it.effect("is up to a tenth less, different for each, so that not all end at once", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { deadlines: { maxAge: "1000 seconds", idle: Infinity } })
      const peers = Array.from({ length: 100 }, () => harness.script.connect())
      yield* pass(899_000)
      expect(peers.filter(({ gotFin }) => gotFin).length).toBe(0)
      const ended: Array<number> = []
      for (let step = 0; step < 10; step++) {
        yield* pass(10_200)
        ended.push(peers.filter(({ gotFin }) => gotFin).length)
      }
      expect(ended.at(-1)).toBe(100)
      expect(new Set(ended).size).toBe(10) // some in every tenth of the last tenth
    }))
})

describe("many connections", () => {
  it.effect("of 10,000 none is ended early, and all are in time", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { deadlines: { idle: "60 seconds" } })
      const peers = Array.from({ length: 10_000 }, () => harness.script.connect())
      yield* pass(59_950)
      expect(peers.filter(({ gotFin }) => gotFin).length).toBe(0)
      yield* pass(50 + late)
      expect(peers.filter(({ gotFin }) => gotFin).length).toBe(10_000)
    }))
})
