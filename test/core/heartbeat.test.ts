/** Signs of life: what is sent for them, what counts as one, and what becomes of a peer that gives none. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Connection } from "../../core/Connection.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import { ends, endsAfter, late, leaping, pass, reasonsOf } from "./passing.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const heartbeat: Service.Heartbeat<string, string> = { ping: () => "ping", isPong: (line) => line === "pong" }

/** Echoes, keeps what it was given, and says how it sees the connection. */
const listening = (
  options: { heartbeat?: Service.Heartbeat<string, string>; millis?: number; concurrency?: number },
) => {
  const seen: Array<string> = []
  const connections: Array<Connection<string>> = []
  const service = Service.respond(lines, (line, connection) => {
    seen.push(line)
    connections.push(connection)
    const reply = Effect.succeed(`echo: ${line}`)
    return options.millis === undefined ? reply : Effect.delay(reply, options.millis)
  }, { heartbeat: options.heartbeat ?? heartbeat, concurrency: options.concurrency ?? 1 })
  return { service, seen, connection: () => connections[0]! }
}

const served = (service: Service.Service, options: Server.Tunables = {}) =>
  serve(service, { ...options, deadlines: { idle: Infinity, writeStall: Infinity, ...options.deadlines } })

/** How often it was pinged. */
const pings = (peer: Peer): number => peer.received.split("ping\n").length - 1

/** Lets so many seconds pass, in which all pings are answered after some milliseconds. */
const answering = Effect.fnUntraced(function* (peer: Peer, seconds: number, after = 0) {
  let answered = pings(peer)
  for (let second = 0; second < seconds; second++) {
    yield* pass(1_000)
    if (pings(peer) === answered) continue
    if (after > 0) yield* pass(after)
    for (; answered < pings(peer); answered++) peer.send("pong\n")
  }
})

const server = (harness: Harness): Connection => harness.server.connections.get(1)!

describe("a ping", () => {
  it.effect("is sent in each interval, also to a peer that talks all the time", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const { script } = yield* served(service)
      const [quiet, loud] = [script.connect(), script.connect()]
      yield* pass(29_950)
      expect(pings(quiet)).toBe(0)
      yield* pass(100)
      expect(pings(quiet)).toBe(1)
      quiet.send("pong\n")
      for (let second = 0; second < 300; second++) {
        loud.send("news\n")
        if (pings(quiet) > 1) quiet.send("pong\n")
        yield* pass(1_000)
      }
      for (const peer of [quiet, loud]) expect([10, 11]).toContain(pings(peer))
    }))

  it.effect("does not come to a connection of a service without a heartbeat, which has no suspicion either", () =>
    Effect.gen(function* () {
      const harness = yield* served(Service.respond(lines, (line) => Effect.succeed(line)))
      const peer = harness.script.connect()
      yield* pass(300_000)
      expect([peer.received, ends(peer), harness.of("Advised")]).toEqual(["", false, []])
      expect([server(harness).suspicion, server(harness).roundTrip]).toEqual([undefined, undefined])
    }))

  it.effect("that throws ends its connection as EncodeFailed, and no other", () =>
    Effect.gen(function* () {
      let broken = true
      const { service } = listening({
        heartbeat: {
          ping: () => {
            if (broken) throw new Error("no")
            return "ping"
          },
        },
      })
      const harness = yield* served(service)
      const first = harness.script.connect()
      yield* pass(30_000 + late)
      broken = false
      const second = harness.script.connect()
      yield* pass(30_000 + late)
      const [reason] = yield* reasonsOf(harness, first)
      expect(reason).toMatchObject({
        _tag: "EncodeFailed",
        error: { message: "The heartbeat's ping threw: Error: no" },
      })
      expect([ends(first), ends(second), pings(second)]).toEqual([true, false, 1])
    }))

  it.effect("that the codec cannot write ends its connection as EncodeFailed", () =>
    Effect.gen(function* () {
      const { service } = listening({ heartbeat: { ping: () => "two\nlines" } })
      const harness = yield* served(service)
      const peer = harness.script.connect()
      yield* pass(30_000 + late)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "EncodeFailed" }])
    }))

  it.effect("is not put behind what a peer does not take, whom writeStall is for", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service, {
        limits: { outboxHigh: 4, outboxLow: 0 },
        deadlines: { writeStall: "150 seconds" },
      })
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("hello\n")
      yield* pass(149_000)
      expect([ends(peer), server(harness).counters.framesSent]).toEqual([false, 1])
      yield* pass(1_000 + late)
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "WriteStalled" }])
    }))
})

describe("an answer to a ping", () => {
  it.effect("is not seen by the handler, alone and among frames and in pieces", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      for (const chunk of ["pong\n", "pong\npong\n", "a\npong\nb\npong\n", "po", "ng\nc", "\n", "pong\nd\n"]) {
        peer.send(chunk)
      }
      yield* turns
      expect(seen).toEqual(["a", "b", "c", "d"])
      expect(peer.received).toBe("echo: a\necho: b\necho: c\necho: d\n")
    }))

  it.effect("is not seen under pipelining, nor lets anything in front of it or behind be lost", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      const all = Array.from({ length: 5_000 }, (_, index) => index)
      peer.send(all.map((index) => `${"pong\n".repeat(index % 4)}${index}\n`).join(""))
      yield* turns
      expect(seen).toEqual(all.map(String))
      expect(peer.received).toBe(all.map((index) => `echo: ${index}\n`).join(""))
    }))

  it.effect("15: a flood of them leaves the others their turns", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({})
      const { script } = yield* served(service)
      const [flooding, other] = [script.connect(), script.connect()]
      flooding.send(`${"pong\n".repeat(20_000)}last\n`)
      expect(seen).toEqual([])
      other.send("hello\n")
      expect(seen).toEqual(["hello"])
      yield* turns
      yield* turns
      yield* turns
      expect(seen).toEqual(["hello", "last"])
    }))

  it.effect("is not seen by a session, whichever way it receives", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          seen.push(yield* connection.receive)
          yield* Effect.sleep("10 seconds")
          seen.push(...(yield* connection.receiveAll)) // what was decoded with the first
          seen.push(...(yield* connection.receiveAll))
          seen.push(yield* connection.receive)
          seen.push(yield* connection.receive)
        }), { heartbeat })
      const { script } = yield* served(service)
      const peer = script.connect()
      peer.send("pong\n")
      yield* turns
      peer.send("pong\na\npong\nb\n")
      yield* turns
      peer.send("pong\nc\npong\n")
      yield* pass(10_000)
      peer.send("pong\n")
      yield* turns
      peer.send("d\n")
      yield* turns
      peer.fin()
      yield* turns
      expect(seen).toEqual(["a", "b", "c", "d", undefined])
    }))

  it.effect("may be a question that throws: then it is none", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({
        heartbeat: {
          isPong: () => {
            throw new Error("no")
          },
        },
      })
      const { script } = yield* served(service)
      const peer = script.connect()
      peer.send("pong\n")
      yield* turns
      expect([seen, peer.received]).toEqual([["pong"], "echo: pong\n"])
    }))

  it.effect("tells the round trip, from the ping that it answers", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      peer.send("pong\n") // of nothing
      yield* pass(30_100)
      expect([pings(peer), server(harness).roundTrip]).toEqual([1, undefined])
      yield* TestClock.adjust(240)
      peer.send("pong\n")
      expect(server(harness).roundTrip).toBeGreaterThanOrEqual(240)
      expect(server(harness).roundTrip).toBeLessThan(400)
      yield* pass(60_000) // two more pings
      expect(pings(peer)).toBe(3)
      peer.send("pong\n")
      expect(server(harness).roundTrip).toBeGreaterThanOrEqual(30_000)
    }))

  it.effect("tells nothing of a ping that was never sent", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service, { limits: { outboxHigh: 4, outboxLow: 0 } })
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("hello\n")
      yield* pass(60_000 + late)
      peer.drain()
      peer.send("pong\n")
      yield* turns
      expect([pings(peer), server(harness).roundTrip]).toEqual([0, undefined])
    }))
})

describe("a peer that gives no sign of life", () => {
  it.effect("12: is ended as HeartbeatLost after so many intervals, not before", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      yield* endsAfter(peer, 90_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "HeartbeatLost" }])
      expect(pings(peer)).toBe(2)
    }))

  it.effect("is ended so long after the last thing that came from it", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      yield* answering(peer, 200)
      yield* pass(17_000)
      peer.send("half a li")
      yield* endsAfter(peer, 90_000)
    }))

  it.effect("is reset where something waits for it, since nobody takes that", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("hello\n")
      yield* pass(90_000 + late)
      expect(peer.calls).toContain("abort")
      expect(yield* reasonsOf(harness)).toMatchObject([{ _tag: "HeartbeatLost" }])
    }))

  it.effect("is waited for as `missed` says, also when that is changed", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service, { heartbeat: { interval: "20 seconds", missed: 5 } })
      const peer = harness.script.connect()
      yield* pass(70_000)
      expect(ends(peer)).toBe(false)
      yield* harness.server.update({ heartbeat: { missed: 4 } })
      yield* endsAfter(peer, 10_000)
    }))

  it.effect("ends sooner by loseAt", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service, { heartbeat: { loseAt: 12 } })
      const peer = harness.script.connect()
      yield* answering(peer, 301)
      yield* pass(59_000)
      expect(ends(peer)).toBe(false)
      yield* pass(25_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "HeartbeatLost" }])
    }))

  it.effect("is suspected before, with one event for each time", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      yield* answering(peer, 301)
      expect(server(harness).suspicion).toBe(0)
      yield* pass(85_000)
      const [event] = harness.of("Suspected")
      expect(harness.of("Suspected").length).toBe(1)
      expect(event).toMatchObject({ connection: 1, remoteAddress: peer.transport.remoteAddress })
      expect(event?.level).toBeGreaterThanOrEqual(8)
      expect(event?.silence).toBeGreaterThan(60_000)
      expect(event?.silence).toBeLessThan(85_000)
      expect(server(harness).suspicion).toBeGreaterThan(event?.level ?? NaN)
      peer.send("pong\n")
      expect(server(harness).suspicion).toBe(0)
      yield* pass(89_000)
      expect(harness.of("Suspected").length).toBe(2)
    }))

  it.effect("does not by its own regular lateness become suspect", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      yield* answering(peer, 300, 9_000)
      expect([harness.of("Suspected"), ends(peer)]).toEqual([[], false])
    }))
})

describe("life is", () => {
  it.effect("whatever comes, also a part of a frame", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      for (let minute = 0; minute < 10; minute++) {
        yield* pass(80_000)
        peer.send("x")
      }
      expect(ends(peer)).toBe(false)
    }))

  it.effect("what the client sends by itself, where the service sends no pings", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({ heartbeat: { isPong: (line) => line === "alive" } })
      const harness = yield* served(service)
      const peer = harness.script.connect()
      for (let beat = 0; beat < 20; beat++) {
        yield* pass(30_000)
        peer.send("alive\n")
      }
      expect([seen, peer.received, harness.of("Suspected"), server(harness).roundTrip]).toEqual([[], "", [], undefined])
      yield* endsAfter(peer, 90_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "HeartbeatLost" }])
    }))

  it.effect("not wanted of a peer while the handler is busy and reads nothing; then all of its time begins", () =>
    Effect.gen(function* () {
      const { service } = listening({ millis: 200_000 })
      const harness = yield* served(service)
      const peer = harness.script.connect()
      peer.send("hello\n")
      yield* pass(200_000)
      expect([ends(peer), peer.received.endsWith("echo: hello\n")]).toEqual([false, true])
      yield* endsAfter(peer, 90_000)
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "HeartbeatLost" }])
    }))

  it.effect("not wanted just behind a handler that was busy for almost as long", () =>
    Effect.gen(function* () {
      const { service } = listening({ millis: 89_800 })
      const { script } = yield* served(service)
      const peer = script.connect()
      peer.send("hello\n")
      yield* pass(89_800)
      yield* endsAfter(peer, 90_000)
    }))

  it.effect("wanted while a handler is busy beside which others are read", () =>
    Effect.gen(function* () {
      const { service } = listening({ millis: 600_000, concurrency: 8 })
      const harness = yield* served(service)
      const peer = harness.script.connect()
      peer.send("hello\n")
      yield* endsAfter(peer, 95_000, 2 * late) // the handler has 5 s to finish
      expect(yield* reasonsOf(harness, peer)).toMatchObject([{ _tag: "HeartbeatLost" }])
    }))

  it.effect("wanted of a peer whose session asks for nothing", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, () => Effect.never, { heartbeat })
      const { script } = yield* served(service)
      const [peer, dead] = [script.connect(), script.connect()]
      yield* answering(peer, 89)
      expect(ends(dead)).toBe(false)
      yield* answering(peer, 90)
      expect([ends(peer), ends(dead)]).toEqual([false, true])
    }))

  it.effect("not wanted of a peer that is held back by a rate", () =>
    Effect.gen(function* () {
      const { service, seen } = listening({})
      const { script } = yield* served(service, { limits: { frameRate: { perSecond: 0.005, burst: 1 } } })
      const peer = script.connect()
      peer.send("a\nb\n")
      yield* pass(200_000 + late)
      expect([seen, ends(peer)]).toEqual([["a", "b"], false])
    }))
})

describe("a process that did not run", () => {
  for (const [name, millis] of [["10 s", 10_000], ["10 min", 600_000], ["2 s, again and again", 2_000]] as const) {
    it.effect(`50, 61: for ${name} loses nobody who still answers, and suspects nobody`, () =>
      Effect.gen(function* () {
        const { provide, leap } = yield* leaping
        const { service } = listening({})
        const harness = yield* provide(served(service, { deadlines: { idle: "40 seconds", readIdle: "40 seconds" } }))
        const peers = Array.from({ length: 100 }, () => harness.script.connect())
        const answered = new Map<Peer, number>()
        for (let second = 0; second < 240; second++) {
          yield* pass(1_000)
          if (second % (millis === 2_000 ? 2 : 70) === 0) leap(millis)
          for (const peer of peers) {
            for (let count = answered.get(peer) ?? 0; count < pings(peer); count++) peer.send("pong\n")
            answered.set(peer, pings(peer))
          }
        }
        expect(peers.filter(ends).length).toBe(0)
        expect([harness.of("Suspected"), harness.of("Closed")]).toEqual([[], []])
      }))
  }

  it.effect("61: still ends who is gone, by the time in which it ran", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const { service } = listening({})
      const { script } = yield* provide(served(service))
      const peer = script.connect()
      yield* pass(50_000)
      leap(600_000)
      yield* pass(39_000)
      expect(ends(peer)).toBe(false)
      yield* pass(1_000 + late)
      expect(ends(peer)).toBe(true)
    }))
})

describe("an interval of its own", () => {
  it.effect("holds for one connection, from when it is set", () =>
    Effect.gen(function* () {
      const { service, connection } = listening({})
      const { script } = yield* served(service)
      const [own, other] = [script.connect(), script.connect()]
      own.send("login\n")
      yield* pass(25_000)
      connection().heartbeatEvery("5 seconds")
      yield* pass(5_000 + 100)
      expect([pings(own), pings(other)]).toEqual([1, 1])
      yield* pass(5_000)
      expect([pings(own), pings(other)]).toEqual([2, 1])
      yield* pass(5_000 - 150)
      expect(ends(own)).toBe(false) // silent for 40 s, of which 15 count
      yield* pass(150 + late)
      expect([ends(own), ends(other)]).toEqual([true, false])
    }))

  it.effect("can be longer, none at all, or the server's again", () =>
    Effect.gen(function* () {
      const { service, connection } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      peer.send("login\n")
      connection().heartbeatEvery(Infinity)
      yield* pass(600_000)
      expect([pings(peer), ends(peer)]).toEqual([0, false])
      connection().heartbeatEvery("2 minutes")
      yield* pass(120_000 + late)
      expect([pings(peer), ends(peer)]).toEqual([1, false])
      connection().heartbeatEvery(undefined)
      yield* endsAfter(peer, 90_000)
    }))

  it.effect("has to be more than 0", () =>
    Effect.gen(function* () {
      const { service, connection } = listening({})
      const { script } = yield* served(service)
      const peer = script.connect()
      peer.send("login\n")
      for (const none of [0, -1, NaN]) {
        expect(() => connection().heartbeatEvery(none)).toThrow(
          /Cannot set the interval of a heartbeat to .*: accepted is/,
        )
      }
      yield* pass(60_000 + late)
      expect([pings(peer), ends(peer)]).toEqual([2, false])
    }))

  it.effect("outlives a change of the server's", () =>
    Effect.gen(function* () {
      const { service, connection } = listening({})
      const harness = yield* served(service)
      const peer = harness.script.connect()
      peer.send("login\n")
      connection().heartbeatEvery("50 seconds")
      yield* harness.server.update({ heartbeat: { interval: "20 seconds" } })
      yield* pass(50_000 + 100)
      expect(pings(peer)).toBe(1)
    }))
})

describe("the server's interval", () => {
  it.effect("can be changed while it runs: nobody is lost for what was not wanted before", () =>
    Effect.gen(function* () {
      const { service } = listening({})
      const harness = yield* served(service, { heartbeat: { interval: "60 seconds" } })
      const peer = harness.script.connect()
      yield* pass(55_000)
      yield* harness.server.update({ heartbeat: { interval: "20 seconds", missed: 2 } })
      yield* pass(19_950)
      expect([pings(peer), ends(peer)]).toEqual([0, false])
      yield* pass(100)
      expect([pings(peer), ends(peer)]).toEqual([1, false])
      yield* endsAfter(peer, 19_900)
    }))

  for (const [interval, count] of [[19_999, 1], [20_000, 0], [60_000, 0], [60_001, 1], [Infinity, 0]] as const) {
    it.effect(`of ${interval} ms ${count === 0 ? "is no reason for advice" : "is advised against"}`, () =>
      Effect.gen(function* () {
        const harness = yield* served(listening({}).service, { heartbeat: { interval } })
        expect(harness.of("Advised").map(({ setting }) => setting)).toEqual(count === 0 ? [] : ["heartbeat.interval"])
        yield* harness.server.update({ heartbeat: { interval: 5_000 } })
        yield* harness.server.update({ heartbeat: { interval: 90_000 } })
        expect(harness.of("Advised").length).toBe(1)
      }))
  }

  it.effect("is nobody's business as long as nobody says anything", () =>
    Effect.gen(function* () {
      for (const preset of ["local", "internal", "internet", "edge"] as const) {
        const harness = yield* served(listening({}).service, { preset })
        expect(harness.of("Advised")).toEqual([])
      }
    }))

  for (const setting of ["suspectAt", "loseAt"] as const) {
    it.effect(`${setting} has to be above 0, or everybody would be at once`, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(served(listening({}).service, { heartbeat: { [setting]: 0 } }))
        expect(failure.message).toBe(`Cannot set heartbeat.${setting} to 0: accepted is a number above 0`)
      }))
  }
})
