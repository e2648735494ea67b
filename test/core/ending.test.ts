import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as CloseReason from "../../core/CloseReason.ts"
import * as LengthPrefixed from "../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"
import { Script } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const never = Service.respond(lines, () => Effect.never)

const reasons = (harness: { of(tag: "Closed"): Array<{ reason: CloseReason.CloseReason }> }): Array<string> =>
  harness.of("Closed").map(({ reason }) => reason._tag)

describe("how a connection ends", () => {
  it.effect("18: a peer that half-closes gets its whole reply, then FIN, and it ends as PeerClosed", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.room = 3
      peer.send("question\n")
      peer.fin()
      expect(peer.gotFin).toBe(false)
      peer.drain()
      yield* turns
      expect(peer.received).toBe("question\n")
      expect(peer.gotFin).toBe(true)
      expect(reasons(harness)).toEqual(["PeerClosed"])
    }))

  it.effect("a peer that half-closes waits for handlers that are still at work", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line)))
      const peer = harness.script.connect()
      peer.send("a\nb\n")
      peer.fin()
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.received).toBe("a\nb\n")
      expect(reasons(harness)).toEqual(["PeerClosed"])
    }))

  it.effect("17: FIN in the middle of a frame ends it as TruncatedFrame; the handler is not given the part", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.send("whole\npa")
      peer.fin()
      yield* turns
      expect(peer.received).toBe("whole\n")
      expect(harness.of("Closed").map(({ reason }) => reason)).toEqual([CloseReason.truncatedFrame(2)])
    }))

  it.effect("19: what the peer sends after our FIN is discarded up to a bound, then it is reset", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, () => Effect.succeed(Service.last("bye"))))
      const peer = harness.script.connect()
      peer.send("x\n")
      expect(peer.gotFin).toBe(true)
      const garbage = new Uint8Array(1024 * 1024)
      for (let sent = 0; sent < 16; sent++) peer.send(garbage)
      expect(peer.calls).not.toContain("abort")
      peer.send(garbage)
      yield* turns
      expect(peer.calls).toContain("abort")
      expect(reasons(harness)).toEqual(["LocalClosed"])
    }))

  it.effect("a peer that does not finish after our FIN is reset after deadlines.linger", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, () => Effect.succeed(Service.last("bye"))), {
        deadlines: { linger: "10 seconds" },
      })
      const peer = harness.script.connect()
      peer.send("x\n")
      yield* TestClock.adjust("9 seconds")
      expect(peer.calls).not.toContain("abort")
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.calls).toContain("abort")
      expect(harness.server.connections.size).toBe(0)
    }))

  it.effect("36: a peer that takes nothing of its reply is reset as WriteStalled; one that takes a little is not", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { deadlines: { writeStall: "30 seconds" } })
      const [frozen, slow] = [harness.script.connect(), harness.script.connect()]
      for (const peer of [frozen, slow]) {
        peer.room = 10
        peer.send("x".repeat(1_000) + "\n")
      }
      for (let second = 0; second < 70; second += 10) {
        yield* TestClock.adjust("10 seconds")
        slow.drain(1)
      }
      yield* turns
      expect(frozen.ended).toBe("Aborted")
      expect(slow.ended).toBeUndefined()
      expect(reasons(harness)).toEqual(["WriteStalled"])
      expect(harness.of("Closed")[0]?.unsent).toBe(991)
    }))

  it.effect("35: a peer that sends requests and never reads is not read any more", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { outboxHigh: 100_000, outboxLow: 10_000 } })
      const peer = harness.script.connect()
      peer.room = 0
      let sent = 0
      while (!peer.paused && sent < 10_000_000) {
        peer.send("x".repeat(999) + "\n")
        sent += 1_000
      }
      expect(sent).toBeLessThan(200_000)
      const [connection] = harness.server.connections.values()
      expect(connection!.unsent).toBeLessThan(200_000)
      peer.drain()
      yield* turns
      expect(peer.received.length).toBe(sent)
      expect(peer.paused).toBe(false)
    }))

  it.effect("a handler that does not end holds the end of its connection back for deadlines.close and no longer", () =>
    Effect.gen(function* () {
      const harness = yield* serve(never, { deadlines: { close: "5 seconds" } })
      const peer = harness.script.connect()
      peer.send("x\n")
      const [connection] = harness.server.connections.values()
      yield* connection!.close(CloseReason.kicked)
      yield* TestClock.adjust("4 seconds")
      expect(peer.gotFin).toBe(false)
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.gotFin).toBe(true)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["Kicked"])
    }))

  it.effect("a reset while replies are queued frees them and is reported as PeerReset", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("x".repeat(500) + "\n")
      peer.reset()
      expect(harness.of("Closed").map(({ reason, unsent }) => [reason._tag, unsent])).toEqual([["PeerReset", 501]])
    }))

  it.effect("40: closing and aborting twice, and sending after the end, does nothing or says why", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      const [connection] = harness.server.connections.values()
      yield* connection!.abort()
      yield* connection!.abort()
      yield* connection!.close()
      yield* turns
      peer.reset()
      expect(reasons(harness)).toEqual(["Kicked"])
      expect(harness.of("Opened").length).toBe(1)
    }))

  it.effect("51: a failing or throwing open ends exactly that connection and releases what it acquired", () =>
    Effect.gen(function* () {
      let released = 0
      const acquire = Effect.acquireRelease(Effect.void, () => Effect.sync(() => void released++))
      const harness = yield* serve(Service.respond(lines, (line) => Effect.succeed(line), {
        open: (connection) =>
          Effect.andThen(acquire, connection.id === 1 ? Effect.die("boom") : Effect.succeed(undefined)),
      }))
      const [broken, other] = [harness.script.connect(), harness.script.connect()]
      broken.fin()
      yield* turns
      expect(released).toBe(1)
      expect(reasons(harness)).toEqual(["HandlerFailed"])
      other.send("fine\n")
      expect(other.received).toBe("fine\n")
    }))

  it.effect("41: a reply that the codec cannot write ends the connection as EncodeFailed, after those in front of it", () =>
    Effect.gen(function* () {
      const codec = LengthPrefixed.make({ width: 1, maxLength: 100 })
      const harness = yield* serve(Service.respond(codec, (frame) => Effect.succeed(new Uint8Array(frame[0]!))))
      const peer = harness.script.connect()
      peer.send(new Uint8Array([1, 2, 1, 101, 1, 3]))
      peer.fin()
      yield* turns
      expect(peer.received).toBe("\x02\x00\x00")
      expect(reasons(harness)).toEqual(["EncodeFailed"])
    }))

  it.effect("a connection that the system fails ends as TransportFailed with the cause", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      harness.script.connect().fail(new Error("no route"))
      const [closed] = harness.of("Closed")
      expect(closed?.reason._tag === "TransportFailed" && String(closed.reason.cause)).toBe("Error: no route")
    }))
})

describe("handlers that touch other connections", () => {
  it.effect("may send to, close and abort any of them from inside a frame, also their own", () =>
    Effect.gen(function* () {
      const harness: { server?: Server.Server } = {}
      const service = Service.respond(lines, (line, self) => {
        const [verb, id] = line.split(" ")
        const target = verb === "self" ? self : harness.server!.connections.get(Number(id))!
        if (verb === "close") target.closeUnsafe(CloseReason.kicked)
        if (verb === "abort") target.abortUnsafe()
        if (verb === "self") self.sendUnsafe("push")
        return Effect.succeed(line)
      })
      const { script, server, of } = yield* serve(service)
      harness.server = server
      const [one, two, three] = [script.connect(), script.connect(), script.connect()]
      one.send("close 2\nabort 3\nself\nclose 1\nnever\n")
      yield* turns
      expect(one.received).toBe("close 2\nabort 3\npush\nself\nclose 1\n")
      expect([one, two].map((peer) => peer.gotFin)).toEqual([true, true])
      expect(three.ended).toBe("Aborted")
      one.fin()
      two.fin()
      yield* turns
      expect(of("Closed").map(({ connection, reason }) => [connection, reason._tag]).sort()).toEqual([
        [1, "Kicked"],
        [2, "Kicked"],
        [3, "Kicked"],
      ])
    }))
})

describe("server", () => {
  it.effect("7: refuses connections beyond maxConnections, and accepts again below it", () =>
    Effect.gen(function* () {
      const { script, server, of } = yield* serve(echo, { limits: { maxConnections: 2 } })
      const [one] = [script.connect(), script.connect()]
      const refused = script.connect()
      yield* turns
      expect(refused.calls).toEqual(["abort"])
      expect(of("Refused").map(({ limit }) => limit)).toEqual(["maxConnections"])
      expect(server.connections.size).toBe(2)
      one!.reset()
      const next = script.connect()
      next.send("x\n")
      expect(next.received).toBe("x\n")
    }))

  it.effect("every connection has one Opened and one Closed, and its counters", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(echo)
      const peer = script.connect()
      peer.send("ab\ncd\n")
      peer.fin()
      yield* turns
      expect(of("Opened").length).toBe(1)
      expect(of("Closed").map(({ counters }) => counters)).toEqual([
        { bytesReceived: 6, bytesSent: 6, framesReceived: 2, framesSent: 2 },
      ])
    }))

  it.effect("drains: idle connections end, busy ones are answered first, what is left is reset; the report says so", () =>
    Effect.gen(function* () {
      const slow = Service.respond(
        lines,
        (line) => line === "stuck" ? Effect.never : Effect.as(Effect.sleep("1 second"), line),
      )
      const { script, server, of } = yield* serve(slow, { deadlines: { drain: "10 seconds", close: "20 seconds" } })
      const [idle, busy, stuck] = [script.connect(), script.connect(), script.connect()]
      busy.send("request\n")
      stuck.send("stuck\n")
      const draining = yield* Effect.forkChild(server.drain)
      yield* turns
      yield* TestClock.adjust("100 millis")
      yield* turns
      expect(idle.gotFin).toBe(true)
      expect(busy.gotFin).toBe(false)
      idle.fin()
      yield* TestClock.adjust("1500 millis")
      yield* turns
      expect(busy.received).toBe("request\n")
      expect(busy.gotFin).toBe(true)
      busy.fin()
      yield* TestClock.adjust("10 seconds")
      yield* turns
      expect(stuck.ended).toBe("Aborted")
      void draining
      expect(yield* server.drain).toEqual({ served: 0, drained: 2, forced: 1, unsent: 0 })
      expect(of("Drained").length).toBe(1)
      expect(server.state).toBe("Stopped")
    }))

  it.effect("a drained peer that does not finish is reset after 5 s, and counts as drained", () =>
    Effect.gen(function* () {
      const { script, server } = yield* serve(echo)
      const peer = script.connect()
      const draining = yield* Effect.forkChild(server.drain)
      yield* TestClock.adjust("4 seconds")
      expect(peer.gotFin).toBe(true)
      expect(peer.ended).toBeUndefined()
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.ended).toBe("Aborted")
      expect(yield* Fiber.join(draining)).toEqual({ served: 0, drained: 1, forced: 0, unsent: 0 })
    }))

  it.effect("16: a request of which only a part had come when the drain began is answered", () =>
    Effect.gen(function* () {
      const { script, server } = yield* serve(echo)
      const peer = script.connect()
      peer.send("half")
      yield* Effect.forkChild(server.drain)
      yield* TestClock.adjust("1 second")
      yield* turns
      expect(peer.gotFin).toBe(false)
      peer.send(" and half\n")
      yield* TestClock.adjust("1 second")
      yield* turns
      expect(peer.received).toBe("half and half\n")
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("acquires what services need before it listens, releases it after the last connection", () =>
    Effect.gen(function* () {
      class Store extends Context.Service<Store, { readonly get: (key: string) => string }>()("test/Store") {}
      const log: Array<string> = []
      const store = Layer.effect(
        Store,
        Effect.acquireRelease(
          Effect.sync(() => {
            log.push("acquired")
            return Store.of({ get: (key) => `value of ${key}` })
          }),
          () => Effect.sync(() => log.push("released")),
        ),
      )
      const service = Service.provide(
        Service.respond(lines, (key) => Effect.map(Store, ({ get }) => get(key))),
        store,
      )
      const script = new Script()
      yield* Effect.scoped(Effect.gen(function* () {
        yield* Server.make({
          listeners: [{ address: "127.0.0.1:9000", service }],
          observers: [({ _tag }) => log.push(_tag)],
        }).pipe(Effect.provide(script.layer))
        const peer = script.connect()
        peer.send("a\n")
        yield* turns
        expect(peer.received).toBe("value of a\n")
        peer.reset()
      }))
      expect(log).toEqual(["acquired", "Listening", "Opened", "Closed", "Draining", "Drained", "released"])
      expect(script.closed).toEqual(["127.0.0.1:9000"])
    }))

  it.effect("an observer that throws harms no connection; what it threw is thrown outside", () =>
    Effect.gen(function* () {
      const thrown: Array<unknown> = []
      const listeners = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException").once("uncaughtException", (error) => thrown.push(error))
      const script = new Script()
      const server = yield* Server.make({
        listeners: [{ address: "127.0.0.1:9000", service: echo }],
        observers: [({ _tag }) => {
          if (_tag === "Opened") throw new Error("observer")
        }],
      }).pipe(Effect.provide(script.layer))
      const peer = script.connect()
      peer.send("x\n")
      yield* turns
      for (const listener of listeners) process.on("uncaughtException", listener)
      expect(peer.received).toBe("x\n")
      expect(thrown.map(String)).toEqual(["Error: observer"])
      server.abort()
    }))

  it.effect("localhost is both loopbacks with one port", () =>
    Effect.gen(function* () {
      const script = new Script()
      const server = yield* Server.make({ listeners: [{ address: "localhost:9000", service: echo }] }).pipe(
        Effect.provide(script.layer),
      )
      expect(server.addresses).toEqual([
        { _tag: "Tcp", host: "127.0.0.1", port: 9_000 },
        { _tag: "Tcp", host: "::1", port: 9_000 },
      ])
      const peer = script.connect("[::1]:9000")
      peer.send("x\n")
      expect(peer.received).toBe("x\n")
      server.abort()
    }))

  it.effect("an address that cannot be is a ListenError that names it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Server.make({ listeners: [{ address: "127.0.0.1:99999", service: echo }] }).pipe(
          Effect.provide(new Script().layer),
        ),
      )
      expect(error.message).toContain("127.0.0.1:99999")
    }))
})
