/** Peers that are too slow, or silent in one direction; and those that only look so. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import type { PlainConnection } from "../../core/Plain.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"
import { ends, endsAfter, late, leaping, pass, reasonsOf } from "./passing.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const silent = Service.respond(lines, () => Effect.succeed(Service.noReply))
/** Answers after so many milliseconds. */
const after = (millis: number, concurrency = 1): Service.Service =>
  Service.respond(lines, (line) => Effect.as(Effect.sleep(millis), line), { concurrency })

/** Serves with these options and no other deadline, and connects. */
const connected = Effect.fnUntraced(function* (
  { deadlines, ...options }: Server.Tunables,
  service: Service.Service = echo,
) {
  const harness = yield* serve(service, { ...options, deadlines: { idle: Infinity, ...deadlines } })
  return { harness, peer: harness.script.connect() }
})

/** A service that only speaks when it is told to. */
const pushing = () => {
  const connections: Array<PlainConnection<string>> = []
  const service = Service.plain(lines, (_, connection) => {
    connections.push(connection)
  })
  return { service, push: (line: string) => void connections[0]?.send(line) }
}

/** Sends so many bytes, one chunk a second, none of which ends a line. */
const drip = Effect.fnUntraced(function* (peer: Peer, seconds: number, bytesPerSecond: number) {
  for (let second = 0; second < seconds && !ends(peer); second++) {
    peer.send("x".repeat(bytesPerSecond))
    yield* pass(1_000)
  }
})

/** Takes so many bytes a second. */
const sip = Effect.fnUntraced(function* (peer: Peer, seconds: number, bytes: number, every = 1) {
  for (let second = 0; second < seconds && !ends(peer); second += every) {
    yield* pass(every * 1_000)
    if (!ends(peer)) peer.drain(bytes)
  }
})

describe("silence of the peer alone", () => {
  it.effect("ends as IdleTimeout by readIdle, whatever is sent to it", () =>
    Effect.gen(function* () {
      const { service, push } = pushing()
      const { harness, peer } = yield* connected({ deadlines: { readIdle: "60 seconds" } }, service)
      peer.send("hello\n")
      for (let second = 0; second < 59; second++) {
        push("news")
        yield* pass(1_000)
      }
      expect(ends(peer)).toBe(false)
      yield* pass(1_000 + late)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "IdleTimeout", deadline: "readIdle" }])
    }))

  it.effect("is none while it sends", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { readIdle: "60 seconds" } }, silent)
      for (let minute = 0; minute < 5; minute++) {
        peer.send("half a line")
        yield* pass(59_000)
      }
      expect(ends(peer)).toBe(false)
    }))
})

describe("silence of the server alone", () => {
  it.effect("ends as IdleTimeout by writeIdle, whatever the peer sends", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { writeIdle: "60 seconds" } }, silent)
      for (let second = 0; second < 59; second++) {
        peer.send("hello\n")
        yield* pass(1_000)
      }
      expect(ends(peer)).toBe(false)
      yield* pass(1_000 + late)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "IdleTimeout", deadline: "writeIdle" }])
    }))

  it.effect("is none while it sends", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { writeIdle: "60 seconds" } })
      for (let minute = 0; minute < 5; minute++) {
        peer.send("hello\n")
        yield* pass(59_000)
      }
      expect(ends(peer)).toBe(false)
    }))
})

describe("what the peer does not take", () => {
  it.effect("is no silence of the server, but a stalled write", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { writeIdle: "20 seconds", writeStall: "30 seconds" } })
      peer.room = 3
      peer.send("hello\n")
      yield* endsAfter(peer, 30_000)
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "WriteStalled" }])
    }))
})

describe("silence of both", () => {
  it.effect("ends as IdleTimeout by idle", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { idle: "60 seconds" } })
      peer.send("hello\n")
      yield* endsAfter(peer, 60_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "IdleTimeout", deadline: "idle" }])
    }))

  it.effect("of a peer of which the kernel has not taken all is a stalled write", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { idle: "20 seconds", writeStall: "30 seconds" } })
      let sending = 0
      Object.defineProperty(peer.transport, "sending", { get: () => sending })
      sending = 6 // as a transport that takes everything and has not handed it on
      peer.send("hello\n")
      yield* endsAfter(peer, 30_000)
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "WriteStalled" }])
    }))
})

describe("a peer has its whole time from when the service waits for it:", () => {
  it.effect("49: after a handler that took long", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { readIdle: "60 seconds" } }, after(59_000))
      peer.send("hello\n")
      yield* pass(59_000)
      expect(peer.received).toBe("hello\n")
      yield* endsAfter(peer, 60_000)
    }))

  it.effect("49: after one of several that run at once", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { readIdle: "60 seconds" } }, after(59_000, 4))
      peer.send("hello\n")
      yield* pass(59_000)
      expect(peer.received).toBe("hello\n")
      yield* endsAfter(peer, 60_000)
    }))

  it.effect("after what a session did with its last frame", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          yield* connection.receive
          yield* Effect.sleep("59 seconds")
          yield* connection.receive
        }))
      const { peer } = yield* connected({ deadlines: { readIdle: "60 seconds" } }, service)
      peer.send("hello\n")
      yield* pass(59_000)
      yield* endsAfter(peer, 60_000)
    }))

  it.effect("after it was opened", () =>
    Effect.gen(function* () {
      const service = Service.respond(lines, (line) => Effect.succeed(line), { open: () => Effect.sleep("9 seconds") })
      const { harness, peer } = yield* connected({ deadlines: { firstFrame: "10 seconds" } }, service)
      yield* pass(9_000)
      yield* endsAfter(peer, 10_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "FirstFrameTimeout" }])
    }))

  it.effect("but not anew each time a session asks for a frame", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, (connection) =>
        Effect.forever(Effect.timeoutOption(connection.receive, "1 second")))
      const { peer } = yield* connected({ deadlines: { idle: "60 seconds" } }, service)
      yield* pass(10_000)
      peer.send("hello\n")
      yield* endsAfter(peer, 60_000)
    }))
})

describe("the least rate of what is received", () => {
  const options = { limits: { minRate: 100 }, deadlines: { idle: 20_000, grace: 5_000 } }

  it.effect("39: a byte now and then, under the idle timeout, ends as TooSlow", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected(options)
      peer.send("x")
      yield* endsAfter(peer, 5_010)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "TooSlow" }])
    }))

  it.effect("39: also in the middle of a long life, however long the other deadlines are", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ ...options, deadlines: { ...options.deadlines, idle: Infinity } })
      yield* pass(100_000)
      peer.send("whole\n")
      yield* pass(100_000)
      peer.send("whole\nand")
      yield* pass(4_000)
      peer.send("x")
      yield* endsAfter(peer, 1_040)
    }))

  it.effect("gives a frame as long as its bytes are worth, and the grace", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected(options)
      peer.send("x".repeat(700))
      yield* endsAfter(peer, 12_000)
    }))

  it.effect("is held by who sends as much, for as long as it takes", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected(options)
      yield* drip(peer, 200, 101)
      expect(ends(peer)).toBe(false)
      peer.send("\n")
      yield* turns
      expect(peer.received.length).toBe(200 * 101 + 1)
    }))

  it.effect("is not held by who sends less", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected(options)
      yield* drip(peer, 200, 50)
      expect(ends(peer)).toBe(true)
      expect(peer.received).toBe("")
    }))

  it.effect("holds for a line that is skipped, by all that came of it", () =>
    Effect.gen(function* () {
      const skipping = Service.respond(Lines.make({ maxLength: 10, overlong: "skip" }), (line) => Effect.succeed(line))
      const { harness, peer } = yield* connected(options, skipping)
      yield* drip(peer, 60, 200)
      expect(ends(peer)).toBe(false)
      peer.send("\n")
      const other = harness.script.connect()
      yield* drip(other, 60, 1)
      expect([ends(peer), ends(other)]).toEqual([false, true])
      expect(yield* reasonsOf(harness, other)).toMatchObject([{ _tag: "TooSlow" }])
    }))

  it.effect("does not hold while the peer is not read, and the grace begins anew behind that", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected(options, after(60_000))
      peer.send("request\nand a part")
      yield* pass(60_000)
      expect(peer.received).toBe("request\n")
      yield* endsAfter(peer, 5_100)
    }))

  it.effect("61: does not hold while the process is stopped", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const { peer } = yield* provide(connected(options))
      peer.send("a part")
      leap(600_000)
      yield* pass(3_900)
      expect(ends(peer)).toBe(false)
      peer.send("\n")
      yield* turns
      expect(peer.received).toBe("a part\n")
    }))

  it.effect("can be set while there is a part already", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { idle: "1 hour" } })
      peer.send("a part")
      yield* pass(600_000)
      const newer = harness.script.connect()
      newer.send("another")
      yield* harness.server.update({ limits: { minRate: 100 }, deadlines: { grace: 5_000 } })
      yield* turns
      expect([ends(peer), ends(newer)]).toEqual([true, false])
      yield* endsAfter(newer, 5_070)
    }))
})

describe("skipping", () => {
  it.effect("24: a line that never ends, byte by byte, is ended by deadlines.frame", () =>
    Effect.gen(function* () {
      const skipping = Service.respond(Lines.make({ maxLength: 10, overlong: "skip" }), (line) => Effect.succeed(line))
      const { harness, peer } = yield* connected({ deadlines: { frame: "30 seconds" } }, skipping)
      peer.send("whole\n")
      yield* drip(peer, 29, 1)
      expect(ends(peer)).toBe(false)
      yield* drip(peer, 2, 1)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "FrameTimeout" }])
    }))
})

describe("a stalled write", () => {
  it.effect("37: a peer that takes nothing is reset as WriteStalled, to the tick", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { writeStall: "30 seconds" } })
      yield* pass(100_000)
      peer.room = 0
      peer.send("hello\n")
      yield* endsAfter(peer, 30_000)
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "WriteStalled" }])
      expect(harness.of("Closed")[0]?.unsent).toBe(6)
    }))

  it.effect("36: has its time from when the peer last took something, up to an eighth more", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { writeStall: "30 seconds" } })
      peer.room = 0
      peer.send(`${"x".repeat(999)}\n`)
      for (let third = 0; third < 10; third++) {
        yield* pass(29_000)
        peer.drain(1)
      }
      yield* endsAfter(peer, 30_000, 30_000 / 8 + late)
    }))

  it.effect("is none of a peer that took all in the meantime", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected({ deadlines: { writeStall: "30 seconds" } })
      for (let round = 0; round < 10; round++) {
        peer.room = 0
        peer.send("hello\n")
        yield* pass(29_000)
        peer.drain()
      }
      peer.room = 0
      peer.send("hello\n")
      yield* endsAfter(peer, 30_000)
    }))

  it.effect("61: is none of a process that was stopped", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const { peer } = yield* provide(connected({ deadlines: { writeStall: "30 seconds" } }))
      peer.room = 0
      peer.send("hello\n")
      leap(600_000)
      yield* pass(28_000)
      expect(ends(peer)).toBe(false)
    }))

  it.effect("can be made shorter while it is one", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected({ deadlines: { writeStall: "10 minutes" } })
      peer.room = 0
      peer.send("hello\n")
      yield* pass(40_000)
      yield* harness.server.update({ deadlines: { writeStall: "60 seconds" } })
      yield* endsAfter(peer, 20_000)
    }))
})

describe("the least rate of what is sent", () => {
  const options = {
    limits: { minRate: 100, outboxHigh: 2_000_000 },
    deadlines: { grace: 5_000, writeStall: "30 seconds" },
  } as const

  it.effect("36: a peer that takes a little every now and then is reset as TooSlow", () =>
    Effect.gen(function* () {
      const { harness, peer } = yield* connected(options)
      peer.room = 0
      peer.send(`${"x".repeat(60_000)}\n`)
      yield* sip(peer, 34, 1)
      expect(ends(peer)).toBe(false)
      yield* sip(peer, 10, 1)
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "TooSlow" }])
    }))

  it.effect("is held by who takes as much, also when much is taken at once and then nothing for long", () =>
    Effect.gen(function* () {
      for (const every of [1, 5, 25]) {
        const { peer } = yield* connected(options)
        peer.room = 0
        peer.send(`${"x".repeat(60_000)}\n`)
        yield* sip(peer, 300, 110 * every, every)
        expect(ends(peer)).toBe(false)
      }
    }))

  it.effect("is not saved up: who took much and then next to nothing is reset", () =>
    Effect.gen(function* () {
      const { peer } = yield* connected(options)
      peer.room = 0
      peer.send(`${"x".repeat(60_000)}\n`)
      yield* pass(1_000)
      peer.drain(50_000)
      yield* sip(peer, 45, 1)
      expect(ends(peer)).toBe(true)
    }))

  it.effect("is not missed by who takes all that there is, however little that is", () =>
    Effect.gen(function* () {
      const { service, push } = pushing()
      const { peer } = yield* connected(options, service)
      peer.send("hello\n")
      peer.room = 0
      for (let second = 0; second < 300; second++) {
        push("x") // always something is waiting
        yield* pass(1_000)
        peer.drain(2)
      }
      expect(ends(peer)).toBe(false)
      expect(peer.received.length).toBeGreaterThan(590)
    }))

  it.effect("begins anew when nothing was waiting", () =>
    Effect.gen(function* () {
      const { service, push } = pushing()
      const { peer } = yield* connected(options, service)
      peer.send("hello\n")
      for (let round = 0; round < 10; round++) {
        peer.room = 0
        push("x")
        yield* pass(25_000)
        peer.drain()
        yield* pass(10_000)
      }
      expect(ends(peer)).toBe(false)
    }))
})
