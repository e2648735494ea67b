/** Frames and bytes a second, of a connection and of a client address: who is over them waits, or is ended. */
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { Meter, Meters } from "../../core/Meter.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"
import { ends, leaping, pass, reasonsOf } from "./passing.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const session = Service.session(lines, (connection) =>
  Effect.gen(function* () {
    for (let line = yield* connection.receive; line !== undefined; line = yield* connection.receive) {
      yield* connection.send(line)
    }
  }))

const limited = (limits: Server.LimitOptions, service: Service.Service = echo) =>
  serve(service, { limits, deadlines: { idle: Infinity } })

/** How many lines came back. */
const answered = (peer: Peer): number => peer.received.split("\n").length - 1

/** So many numbered lines. */
const numbered = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, index) => `${from + index}\n`).join("")

describe("frames of a connection over their rate wait", () => {
  it.effect("behind a burst; then exactly so many a second come through, all of them and in order", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRate: { perSecond: 10, burst: 5 } })
      const peer = script.connect()
      peer.send(numbered(1_000))
      yield* turns
      expect(answered(peer)).toBe(5)
      yield* pass(50_000)
      expect(answered(peer)).toBeGreaterThanOrEqual(5 + 10 * 50 - 1)
      expect(answered(peer)).toBeLessThanOrEqual(5 + 10 * 50)
      yield* pass(50_000)
      expect(peer.received).toBe(numbered(1_000))
    }))

  for (
    const rate of [
      { perSecond: 1, burst: 1 },
      { perSecond: 0.3, burst: 1 },
      { perSecond: 7, burst: 1 },
      { perSecond: 100, burst: 1 },
      { perSecond: 1_000, burst: 2 },
      { perSecond: 999.5, burst: 500 },
    ]
  ) {
    it.effect(`of ${rate.perSecond} a second with a burst of ${rate.burst}, for as long as it takes`, () =>
      Effect.gen(function* () {
        for (const service of [echo, session]) {
          const { script } = yield* limited({ frameRate: rate }, service)
          const peer = script.connect()
          // As much as the kernel would hold for it: the rest follows when it is read.
          const most = rate.perSecond * 120 + rate.burst + 10
          let sent = 0
          for (let step = 0; step < 2_000; step++) {
            while (!peer.paused && sent < most) {
              peer.send(numbered(5_000, sent))
              sent += 5_000
            }
            yield* TestClock.adjust(50)
          }
          yield* turns
          const allowed = rate.burst + rate.perSecond * 100
          expect(answered(peer)).toBeLessThanOrEqual(allowed + 1e-6)
          // One step behind.
          expect(answered(peer)).toBeGreaterThanOrEqual(Math.floor(allowed - rate.perSecond * 0.2) - 1)
          expect(peer.received.startsWith(numbered(Math.min(answered(peer), 1_000)))).toBe(true)
        }
      }))
  }

  it.effect("also when their time comes between two looks at the clock", () =>
    Effect.gen(function* () {
      // Elsewhere here it stands still while the server runs; on a machine a look is later than the one before.
      const clock = yield* Clock.Clock
      let passed = 0n
      let looks = 0n
      const running: Clock.Clock = {
        ...clock,
        sleep: (duration) => clock.sleep(duration),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + (passed += ++looks % 13n * 200_000n),
      }
      for (const service of [echo, session]) {
        const { script } = yield* Effect.provideService(
          limited({ frameRate: { perSecond: 50, burst: 10 } }, service),
          Clock.Clock,
          running,
        )
        const peer = script.connect()
        peer.send(numbered(500))
        yield* pass(15_000)
        expect(peer.received).toBe(numbered(500))
      }
    }))

  it.effect("unread, and reading goes on afterwards", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRate: { perSecond: 1, burst: 2 } })
      const peer = script.connect()
      peer.send("a\nb\nc\n")
      expect([peer.received, peer.calls]).toEqual(["a\nb\n", []])
      peer.send("d\n")
      expect([peer.received, peer.calls]).toEqual(["a\nb\n", ["pause"]])
      yield* pass(1_100)
      expect([peer.received, peer.calls]).toEqual(["a\nb\nc\n", ["pause"]])
      yield* pass(1_000)
      expect([peer.received, peer.calls]).toEqual(["a\nb\nc\nd\n", ["pause", "resume"]])
      yield* pass(60_000)
      expect(ends(peer)).toBe(false)
    }))

  it.effect("as long as they have to, though nothing else is armed and the peer is slow itself", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRate: { perSecond: 0.1, burst: 3 } })
      const peer = script.connect()
      for (let count = 1; count <= 10; count++) {
        peer.send("a\n")
        expect(answered(peer)).toBe(count)
        yield* pass(10_000)
      }
    }))

  it.effect("a line that is not whole waits with them, and is not blamed for that", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, {
        limits: { frameRate: { perSecond: 0.1, burst: 1 }, minRate: 100 },
        deadlines: { idle: "5 seconds", frame: "2 seconds", readIdle: "5 seconds", firstFrame: "2 seconds" },
      })
      const peer = harness.script.connect()
      peer.send("whole\nhalf a ")
      yield* pass(10_100)
      peer.send("line\n")
      yield* turns
      expect([peer.received, ends(peer)]).toEqual(["whole\nhalf a line\n", false])
    }))

  it.effect("the end of what the peer sends waits for no frame", () =>
    Effect.gen(function* () {
      const harness = yield* limited({ frameRate: { perSecond: 0.001, burst: 1 } })
      const peer = harness.script.connect()
      peer.send("a\n")
      peer.fin()
      yield* turns
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "PeerClosed" }])
    }))

  it.effect("the end behind what waits is seen when that has its answers", () =>
    Effect.gen(function* () {
      const harness = yield* limited({ frameRate: { perSecond: 1, burst: 1 } })
      const peer = harness.script.connect()
      peer.send("a\nb\nc\n")
      peer.fin()
      yield* pass(2_200)
      expect([peer.received, harness.of("Closed").map(({ reason }) => reason._tag)]).toEqual(["a\nb\nc\n", [
        "PeerClosed",
      ]])
    }))
})

describe("bytes of a connection over their rate", () => {
  it.effect("wait until none are owed, and none are lost", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ byteRate: { perSecond: 100, burst: 1_000 } })
      const peer = script.connect()
      peer.send(`${"x".repeat(999)}\n`)
      expect([answered(peer), peer.paused]).toEqual([1, false]) // the burst to its last byte
      peer.send(`${"y".repeat(499)}\n`)
      expect([answered(peer), peer.paused]).toEqual([1, true])
      yield* pass(4_900)
      expect(answered(peer)).toBe(1)
      yield* pass(200)
      expect([answered(peer), peer.paused]).toEqual([2, false])
    }))

  it.effect("come at that rate in the long run", () =>
    Effect.gen(function* () {
      for (const burst of [1, 1_000, 100_000]) {
        const { script } = yield* limited({ byteRate: { perSecond: 10_000, burst } })
        const peer = script.connect()
        let sent = 0
        for (let step = 0; step < 1_000; step++) {
          while (!peer.paused && !ends(peer)) {
            peer.send(`${"x".repeat(999)}\n`)
            sent += 1_000
          }
          yield* TestClock.adjust(100)
        }
        // One chunk has always come before it is counted.
        expect(sent).toBeLessThanOrEqual(burst + 10_000 * 100 + 1_000)
        expect(sent).toBeGreaterThanOrEqual(burst + 10_000 * 100 - 3_000)
      }
    }))

  it.effect("count also where they are no frames yet", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ byteRate: { perSecond: 100, burst: 1_000 } })
      const peer = script.connect()
      for (let chunk = 0; chunk < 20 && !peer.paused; chunk++) peer.send("x".repeat(100))
      expect(peer.paused).toBe(true)
      yield* pass(1_200)
      expect(peer.paused).toBe(false)
    }))
})

describe("all connections of one address", () => {
  it.effect("share its rate, and no other address has less for that", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRatePerAddress: { perSecond: 10, burst: 10 } })
      const [one, two] = [script.connect(), script.connect()]
      const other = script.connect(undefined, "192.0.2.2")
      one.send(numbered(8))
      two.send(numbered(8))
      other.send(numbered(10))
      expect([one, two, other].map(answered)).toEqual([8, 2, 10])
      yield* pass(1_000)
      expect([one, two, other].map(answered)).toEqual([8, 8, 10])
    }))

  it.effect("are one where they are of one IPv6 network, or IPv4 in IPv6", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRatePerAddress: { perSecond: 1, burst: 2 } })
      const hosts = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "192.0.2.7", "::ffff:192.0.2.7"]
      const peers = hosts.map((host) => script.connect(undefined, host))
      for (const peer of peers) peer.send("a\nb\n")
      expect(peers.map(answered)).toEqual([2, 0, 2, 2, 0])
    }))

  it.effect("have their turn one after the other, however much one of them sends", () =>
    Effect.gen(function* () {
      for (const rate of [{ perSecond: 2, burst: 1 }, { perSecond: 100, burst: 1 }, { perSecond: 100, burst: 50 }]) {
        const { script } = yield* limited({ frameRatePerAddress: rate })
        const peers = [script.connect(), script.connect(), script.connect()]
        for (const peer of peers) peer.send(numbered(5_000))
        yield* pass(60_000)
        const counts = peers.map(answered)
        const all = counts.reduce((sum, count) => sum + count)
        expect(all).toBeLessThanOrEqual(rate.burst + rate.perSecond * 60)
        expect(all).toBeGreaterThanOrEqual(rate.burst + rate.perSecond * 59)
        for (const count of counts) expect(count).toBeGreaterThan(all / 3 * 0.7)
      }
    }))

  it.effect("share its rate of bytes", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ byteRatePerAddress: { perSecond: 100, burst: 100 } })
      const [one, two] = [script.connect(), script.connect()]
      const other = script.connect(undefined, "192.0.2.2")
      const line = `${"x".repeat(59)}\n`
      for (const peer of [one, two, other]) peer.send(line)
      expect([one, two, other].map(answered)).toEqual([1, 0, 1])
      yield* pass(300)
      expect([one, two, other].map(answered)).toEqual([1, 1, 1])
    }))

  it.effect("do not come in front of those who wait", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({ frameRatePerAddress: { perSecond: 1, burst: 1 } })
      const [waiting, late] = [script.connect(), script.connect()]
      waiting.send("a\nb\n")
      yield* TestClock.adjust(1_001) // the next is there, and nobody was told yet
      late.send("c\n")
      expect([waiting, late].map(answered)).toEqual([1, 0])
      yield* pass(100)
      expect([waiting, late].map(answered)).toEqual([2, 0])
      yield* pass(1_000)
      expect([waiting, late].map(answered)).toEqual([2, 1])
    }))

  it.effect("do not wait for one that cannot take its turn", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({
        frameRatePerAddress: { perSecond: 1, burst: 1 },
        outboxHigh: 1,
        outboxLow: 0,
      })
      const [full, other] = [script.connect(), script.connect()]
      full.room = 0
      full.send(numbered(10))
      other.send(numbered(100))
      yield* pass(20_000) // in which nobody takes the first answer
      expect(answered(other)).toBeGreaterThanOrEqual(18)
      full.drain()
      yield* pass(20_000)
      expect(answered(full)).toBeGreaterThanOrEqual(9)
    }))

  it.effect("are held to their own rates besides", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({
        frameRate: { perSecond: 1, burst: 3 },
        frameRatePerAddress: { perSecond: 1, burst: 5 },
      })
      const [one, two] = [script.connect(), script.connect()]
      one.send(numbered(10))
      two.send(numbered(10))
      expect([one, two].map(answered)).toEqual([3, 2])
    }))

  it.effect("keep what they used when they come again: nobody has a new burst by reconnecting", () =>
    Effect.gen(function* () {
      const harness = yield* limited({
        frameRatePerAddress: { perSecond: 1, burst: 5 },
        byteRatePerAddress: { perSecond: 1, burst: 100 },
      })
      const first = harness.script.connect()
      first.send(numbered(5))
      first.reset()
      yield* turns
      const second = harness.script.connect()
      second.send(numbered(5))
      expect(answered(second)).toBe(0)
      second.reset()
      yield* pass(20_000)
      const third = harness.script.connect()
      third.send(numbered(5))
      expect(answered(third)).toBe(5)
    }))
})

describe("over the rate, with overRate: close,", () => {
  it.effect("a connection ends as RateExceeded at the first frame beyond, with all before answered", () =>
    Effect.gen(function* () {
      const harness = yield* limited({ frameRate: { perSecond: 10, burst: 5 }, overRate: "close" })
      const [exact, over, later] = [harness.script.connect(), harness.script.connect(), harness.script.connect()]
      exact.send(`${numbered(5)}a part of the next`)
      over.send(numbered(6))
      later.send(numbered(5))
      yield* turns
      expect([exact, over, later].map(ends)).toEqual([false, true, false])
      expect(over.received).toBe(numbered(5))
      later.send("one more\n")
      yield* pass(100)
      exact.send("\n")
      yield* turns
      expect([exact, later].map(ends)).toEqual([false, true])
      expect(answered(exact)).toBe(6)
      expect(yield* reasonsOf(harness, over)).toMatchObject([{ _tag: "RateExceeded" }])
    }))

  it.effect("a connection ends as RateExceeded at the first byte beyond, not at the last allowed", () =>
    Effect.gen(function* () {
      const harness = yield* limited({ byteRate: { perSecond: 10, burst: 100 }, overRate: "close" })
      const [exact, over] = [harness.script.connect(), harness.script.connect()]
      exact.send(`${"x".repeat(99)}\n`)
      over.send("x".repeat(101))
      yield* turns
      expect([ends(exact), ends(over)]).toEqual([false, true])
      expect(yield* reasonsOf(harness, over)).toMatchObject([{ _tag: "RateExceeded" }])
      yield* pass(1_000)
      exact.send("x".repeat(10))
      expect(ends(exact)).toBe(false)
      exact.send("x")
      yield* turns
      expect(ends(exact)).toBe(true)
    }))

  it.effect("nobody ends who keeps to it, for as long as it takes, also where nothing else is armed", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({
        frameRate: { perSecond: 0.5, burst: 10 },
        byteRate: { perSecond: 1, burst: 20 },
        overRate: "close",
      })
      const peer = script.connect()
      for (let round = 0; round < 50; round++) {
        peer.send(numbered(10))
        yield* pass(20_000)
      }
      expect([ends(peer), answered(peer)]).toEqual([false, 500])
    }))

  it.effect("61: nobody ends for what he sent while the process was stopped", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const { script } = yield* provide(serve(echo, {
        limits: {
          frameRate: { perSecond: 10, burst: 10 },
          byteRate: { perSecond: 100, burst: 100 },
          overRate: "close",
        },
      }))
      const [peer, liar] = [script.connect(), script.connect()]
      for (let second = 0; second < 30; second++) {
        peer.send(numbered(10))
        yield* pass(1_000)
      }
      leap(30_000)
      peer.send(numbered(300).replaceAll(/\d+/g, "7"))
      liar.send(numbered(450).replaceAll(/\d+/g, "7"))
      yield* turns
      expect([ends(peer), ends(liar)]).toEqual([false, true])
      // What was made up for is not had twice.
      yield* pass(2_000)
      peer.send(numbered(32))
      yield* turns
      expect(ends(peer)).toBe(true)
    }))
})

describe("rates of a running server", () => {
  it.effect("hold for open connections from when they are set", () =>
    Effect.gen(function* () {
      const { script, server } = yield* limited({})
      const [one, two] = [script.connect(), script.connect()]
      one.send(numbered(100))
      expect(answered(one)).toBe(100)
      yield* server.update({
        limits: { frameRate: { perSecond: 1, burst: 3 }, frameRatePerAddress: { perSecond: 1, burst: 5 } },
      })
      one.send(numbered(10))
      two.send(numbered(10))
      expect([one, two].map(answered)).toEqual([103, 2])
    }))

  it.effect("let go on who waits when they are taken back", () =>
    Effect.gen(function* () {
      const { script, server } = yield* limited({ frameRate: { perSecond: 0.001, burst: 1 } })
      const peer = script.connect()
      peer.send(numbered(10))
      peer.send(numbered(10, 10))
      expect([answered(peer), peer.paused]).toEqual([1, true])
      yield* server.update({ limits: { frameRate: "off" } })
      yield* turns
      expect([peer.received, peer.paused]).toEqual([numbered(20), false])
    }))

  it.effect("let go on sooner who waits when they are raised, and later when they are lowered", () =>
    Effect.gen(function* () {
      const { script, server } = yield* limited({ frameRate: { perSecond: 0.01, burst: 1 } })
      const peer = script.connect()
      peer.send(numbered(100))
      yield* server.update({ limits: { frameRate: { perSecond: 1, burst: 1 } } })
      yield* pass(10_200)
      expect(answered(peer)).toBe(11)
      yield* server.update({ limits: { frameRate: { perSecond: 0.01, burst: 1 } } })
      yield* pass(70_000)
      expect(answered(peer)).toBe(11)
      yield* pass(20_000)
      expect(answered(peer)).toBe(12)
    }))

  it.effect("end who is over them from when overRate says so", () =>
    Effect.gen(function* () {
      const { script, server } = yield* limited({ frameRate: { perSecond: 1, burst: 1 } })
      const peer = script.connect()
      peer.send(numbered(10))
      yield* server.update({ limits: { overRate: "close" } })
      yield* pass(1_200)
      expect([answered(peer), ends(peer)]).toEqual([2, true])
    }))
})

describe("who waits for a rate", () => {
  for (const [name, service] of [["requests", echo], ["a session", session]] as const) {
    it.effect(`is answered before the server is gone: ${name}`, () =>
      Effect.gen(function* () {
        const harness = yield* limited({ frameRate: { perSecond: 1, burst: 1 } }, service)
        const peer = harness.script.connect()
        peer.send(numbered(10))
        yield* turns
        const draining = yield* Effect.forkChild(harness.server.drain)
        yield* pass(9_200)
        expect(peer.received).toBe(numbered(10))
        yield* pass(1_000)
        peer.fin()
        yield* pass(1_000)
        expect(yield* Fiber.join(draining)).toMatchObject({ drained: 1, forced: 0, unsent: 0 })
      }))
  }

  it.effect("and for too long, is reset when the drain's time is up", () =>
    Effect.gen(function* () {
      const harness = yield* limited({ frameRate: { perSecond: 0.001, burst: 1 } })
      const peer = harness.script.connect()
      peer.send(numbered(10))
      yield* turns
      const draining = yield* Effect.forkChild(harness.server.drain)
      yield* pass(26_000)
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 0, forced: 1 })
    }))

  it.effect("and is ended meanwhile, leaves nothing behind", () =>
    Effect.gen(function* () {
      const harness = yield* limited({
        frameRate: { perSecond: 1, burst: 1 },
        frameRatePerAddress: { perSecond: 1, burst: 1 },
      })
      const peer = harness.script.connect()
      peer.send(numbered(10))
      harness.server.connections.get(1)?.closeUnsafe()
      yield* turns
      peer.fin()
      yield* pass(20_000)
      expect([peer.received, harness.server.connections.size, harness.server.usage.memory]).toEqual(["0\n", 0, 0])
    }))

  it.effect("and goes, or is ended, leaves its place in the line of its address", () =>
    Effect.gen(function* () {
      const { script, server } = yield* limited({ frameRatePerAddress: { perSecond: 1, burst: 1 } })
      const [stays, gone, ended] = [script.connect(), script.connect(), script.connect()]
      for (const peer of [stays, gone, ended]) peer.send(numbered(1_000))
      yield* pass(30_500)
      expect([stays, gone, ended].map(answered)).toEqual([11, 10, 10])
      gone.reset()
      server.connections.get(3)?.closeUnsafe()
      const before = answered(stays)
      yield* pass(20_000) // in which the peer does not finish behind the FIN
      expect(ended.ended).toBe(undefined)
      expect(answered(stays) - before).toBeGreaterThanOrEqual(19)
    }))

  it.effect("because of its own rate keeps nobody else of its address waiting", () =>
    Effect.gen(function* () {
      const { script } = yield* limited({
        frameRate: { perSecond: 1, burst: 1 },
        frameRatePerAddress: { perSecond: 100, burst: 1 },
      })
      const peers = [script.connect(), script.connect(), script.connect()]
      for (const peer of peers) peer.send(numbered(1_000))
      yield* pass(20_000)
      for (const peer of peers) expect(answered(peer)).toBeGreaterThanOrEqual(20)
    }))
})

describe("a meter", () => {
  const rates = { frames: { perSecond: 1, burst: 5 }, bytes: { perSecond: 10, burst: 20 } }

  it("is kept while somebody uses it, and then until it is full again", () => {
    const meters = new Meters()
    const meter = meters.acquire("a", 0)
    expect(meters.acquire("a", 0)).toBe(meter)
    meter.takeFrames(rates, 0, 0, 3)
    meter.takeBytes(rates, 0, 0, 100)
    meters.release("a", 100)
    meters.release("a", 200)
    expect(meters.size).toBe(1)
    expect(meters.acquire("a", 300)).toBe(meter)
    meters.release("a", 10_000)
    expect(meters.size).toBe(0)
    expect(meters.acquire("a", 10_000)).not.toBe(meter)
  })

  it("of somebody who never comes again is forgotten when somebody else comes", () => {
    const meters = new Meters()
    for (let key = 0; key < 1_000; key++) {
      meters.acquire(String(key), key).takeFrames(rates, key, key, 5)
      meters.release(String(key), key)
    }
    expect(meters.size).toBe(1_000)
    const used = meters.acquire("used", 1_000)
    meters.acquire("another", 20_000)
    expect(meters.size).toBe(2)
    expect(meters.acquire("used", 20_000)).toBe(used)
  })

  it("begins full, and never has more", () => {
    for (const now of [0, 1, 1e9]) {
      const meter = new Meter()
      expect(meter.frames(rates, now, now)).toBe(5)
      expect(meter.frames(rates, now + 1e6, now + 1e6)).toBe(5)
      meter.takeFrames(rates, now, now, 5)
      expect([meter.frames(rates, now, now), meter.frameWait(rates, now)]).toEqual([0, 1_000])
      expect(meter.frames(rates, now + 3_500, now + 3_500)).toBe(3)
    }
  })

  it("saves nothing up from before it was one", () => {
    const meter = new Meter()
    expect(meter.frames(rates, 1_000, 0)).toBe(5)
    meter.takeBytes(rates, 1_000, 0, 21)
    expect(meter.byteWait(rates, 1_000)).toBe(100)
  })

  it("owes no byte as long as there was one for each", () => {
    const meter = new Meter()
    meter.takeBytes(rates, 0, 0, 20)
    expect(meter.byteWait(rates, 0)).toBe(0)
    meter.takeBytes(rates, 0, 0, 1)
    expect(meter.byteWait(rates, 0)).toBe(100)
    expect(meter.byteWait(rates, 100)).toBe(0)
  })

  it("has a frame exactly when there is nothing to wait for", () => {
    for (let perSecond = 0.1; perSecond < 3_000; perSecond *= 1.37) {
      for (const burst of [1, 2, 3.7, 50]) {
        const odd = { frames: { perSecond, burst }, bytes: undefined }
        const meter = new Meter()
        let now = 0
        for (let step = 0; step < 100; step++) {
          expect(meter.frames(odd, now, now) > 0).toBe(meter.frameWait(odd, now) === 0)
          meter.takeFrames(odd, now, now, meter.frames(odd, now, now))
          now += meter.frameWait(odd, now)
        }
      }
    }
  })
})
