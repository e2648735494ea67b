import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { Address } from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { ListenError, type ListenProblem, Sockets } from "../../core/Sockets.ts"
import { serve, turns } from "./harness.ts"
import { type Peer, Script } from "./scripted.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))

describe("server", () => {
  it.effect("9: one address at its bound is refused, and let in again once it has fewer", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(echo, { limits: { maxConnectionsPerAddress: 2 } })
      const [first, second, third] = [script.connect(), script.connect(), script.connect()]
      yield* turns
      expect([first, second, third].map(({ gotFin }) => gotFin)).toEqual([false, false, true])
      expect(of("Refused").map(({ limit }) => limit)).toEqual(["maxConnectionsPerAddress"])
      first.reset()
      yield* turns
      const fourth = script.connect()
      fourth.send("hello\n")
      expect(fourth.received).toBe("hello\n")
      expect(of("Refused").length).toBe(1)
    }))

  it.effect("who enters too often is refused, until time has passed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(echo, { limits: { acceptRate: { perSecond: 10, burst: 2 } } })
      for (let count = 0; count < 4; count++) script.connect()
      expect(of("Refused").map(({ limit }) => limit)).toEqual(["acceptRate", "acceptRate"])
      yield* TestClock.adjust("100 millis")
      for (let count = 0; count < 2; count++) script.connect()
      expect(of("Opened").length).toBe(3)
      expect(of("Refused").length).toBe(3)
    }))

  it.effect("7: refuses connections beyond maxConnections, and accepts again below it", () =>
    Effect.gen(function* () {
      const { script, server, of } = yield* serve(echo, { limits: { maxConnections: 2 } })
      const [one] = [script.connect(), script.connect()]
      const refused = script.connect()
      yield* turns
      expect(refused.calls).toEqual(["shutdown"])
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
        { bytesReceived: 6, bytesSent: 6, framesReceived: 2, framesSent: 2, framesDropped: 0 },
      ])
    }))

  it.effect("55: what lies in the kernel when a starved process begins to drain is answered", () =>
    Effect.gen(function* () {
      const { script, server, of } = yield* serve(echo)
      const peer = script.connect()
      // Time leaps: each sleep is over after one turn of the loop, and the sockets are asked in the third.
      let turns = 0
      const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      const starved: Clock.Clock = {
        ...(yield* Clock.Clock),
        monotonicTimeNanosUnsafe: () => BigInt(turns * 60_000_000),
        sleep: () =>
          Effect.map(turn, () => {
            if (++turns === 3) {
              peer.send("asked before the drain\n")
              peer.fin()
            }
          }),
      }
      yield* Effect.provideService(server.drain, Clock.Clock, starved)
      expect(peer.received).toBe("asked before the drain\n")
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerClosed"])
    }))

  it.effect("drains: idle connections end, busy ones are answered first, what is left is reset; the report says so", () =>
    Effect.gen(function* () {
      const slow = Service.respond(
        lines,
        (line) => line === "stuck" ? Effect.never : Effect.as(Effect.sleep("1 second"), line),
      )
      const { script, server, of } = yield* serve(slow, {
        drain: { timeout: "10 seconds" },
        deadlines: { close: "20 seconds" },
      })
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
      expect(yield* server.drain).toMatchObject({ served: 0, drained: 2, forced: 1, unsent: 0 })
      expect(of("Drained").length).toBe(1)
      expect(server.state).toBe("Stopped")
    }))

  it.effect("who was told goodbye and stays is ended in time, also in a drain that is shorter than that courtesy", () =>
    Effect.gen(function* () {
      const polite = Service.respond(lines, (line) => Effect.succeed(line), { goodbye: () => "bye" })
      const { script, server } = yield* serve(polite, { drain: { spread: "1 minute", timeout: "1 second" } })
      const peers = Array.from({ length: 8 }, () => script.connect())
      const draining = yield* Effect.forkChild(server.drain)
      yield* TestClock.adjust("950 millis")
      yield* turns
      expect(peers.map(({ received, gotFin }) => [received, gotFin])).toEqual(peers.map(() => ["bye\n", true]))
      for (const peer of peers) peer.fin()
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 8, forced: 0 })
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
      expect(yield* Fiber.join(draining)).toMatchObject({ served: 0, drained: 1, forced: 0, unsent: 0 })
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

  it.live("acquires what services need before it listens, releases it after the last connection", () =>
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
      expect(log).toEqual([
        "acquired",
        "Listening",
        "Opened",
        "Closed",
        ...Array(4).fill("Draining"),
        "Drained",
        "released",
      ])
      expect(script.closed).toEqual(["127.0.0.1:9000"])
    }))

  it.effect("an observer that throws harms no connection; what it threw is thrown outside", () =>
    Effect.gen(function* () {
      const thrown: Array<unknown> = []
      const listeners = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => thrown.push(error))
      const script = new Script()
      const server = yield* Server.make({
        listeners: [{ address: "127.0.0.1:9000", service: echo }],
        observers: [({ _tag }) => {
          if (_tag === "Opened") throw new Error("observer")
        }],
      }).pipe(Effect.provide(script.layer))
      const peer = script.connect()
      peer.send("x\n")
      script.connect()
      // What waits for the next turn is not lost with what is thrown there.
      server.connections.get(1)!.sendUnsafe("pushed" as never)
      yield* turns
      process.removeAllListeners("uncaughtException")
      for (const listener of listeners) process.on("uncaughtException", listener)
      expect(peer.received).toBe("x\npushed\n")
      expect(thrown.map(String)).toEqual(["Error: observer", "Error: observer"])
      server.abort()
    }))

  it.effect("a codec that throws instead of making a decoder refuses its connections, and harms no other listener", () =>
    Effect.gen(function* () {
      const script = new Script()
      const events: Array<string> = []
      const broken = Service.respond({
        ...lines,
        decoder: () => {
          throw new Error("no decoder")
        },
      }, () => Effect.succeed(""))
      const server = yield* Server.make({
        listeners: [{ address: "127.0.0.1:9000", service: broken }, { address: "127.0.0.1:9001", service: echo }],
        observers: [({ _tag }) => events.push(_tag)],
      }).pipe(Effect.provide(script.layer))
      const [refused, served] = [script.connect("127.0.0.1:9000"), script.connect("127.0.0.1:9001")]
      served.send("x\n")
      expect(served.received).toBe("x\n")
      expect(refused.calls).toEqual(["abort"])
      expect(events).toEqual(["Listening", "Listening", "AcceptFailed", "Opened"])
      expect(server.connections.size).toBe(1)
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

  it.live("localhost asks for another port when the one it was given is taken on the other loopback", () =>
    Effect.gen(function* () {
      const script = new Script()
      let asked = 0
      const server = yield* Server.make({ listeners: [{ address: "localhost:0", service: echo }] }).pipe(
        Effect.provide(overriding(script, (address) => {
          if (address._tag === "Tcp" && address.host === "127.0.0.1") asked++
          return address._tag === "Tcp" && address.host === "::1" && asked < 3 ? "AddressInUse" : undefined
        })),
      )
      expect(asked).toBe(3)
      expect(server.addresses.length).toBe(2)
      expect(script.closed).toEqual(["127.0.0.1:0", "127.0.0.1:0"])
    }))

  it.effect("localhost is IPv4 alone where there is no IPv6", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ listeners: [{ address: "localhost:9000", service: echo }] }).pipe(
        Effect.provide(overriding(new Script(), (address) =>
          address._tag === "Tcp" && address.host === "::1" ? "AddressUnavailable" : undefined)),
      )
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => server.abort())
      )
      expect(server.addresses).toEqual([{ _tag: "Tcp", host: "127.0.0.1", port: 9_000 }])
    }))

  it.effect("10: a start that fails unbinds what was bound and resets who had come", () =>
    Effect.gen(function* () {
      const script = new Script()
      const events: Array<string> = []
      let peer: Peer | undefined
      const error = yield* Effect.flip(Effect.scoped(
        Server.make({
          listeners: [{ address: "127.0.0.1:9000", service: echo }, { address: "127.0.0.1:9001", service: echo }],
          observers: [({ _tag }) => events.push(_tag)],
        }).pipe(Effect.provide(overriding(script, (address) => {
          if (address._tag !== "Tcp" || address.port !== 9_001) return undefined
          peer = script.connect()
          return "AddressInUse"
        }))),
      ))
      expect(error.message).toBe(
        "Cannot listen on 127.0.0.1:9001: another process is listening there; end it, or choose another address",
      )
      expect(peer?.ended).toBe("Aborted")
      expect(script.closed).toEqual(["127.0.0.1:9000"])
      expect(events).toEqual(["Opened", "Closed"])
    }))

  it.effect("an address that cannot be is a ListenError that names it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Server.make({ listeners: [{ address: "127.0.0.1:99999", service: echo }] }).pipe(
          Effect.provide(new Script().layer),
        ),
      )
      expect(error.message).toContain(
        "Cannot listen on 127.0.0.1:99999: it is not an address that can be bound; wanted is",
      )
    }))
})

/** A script on which some addresses cannot be listened on. */
const overriding = (script: Script, problem: (address: Address) => ListenProblem | undefined): Layer.Layer<Sockets> =>
  Layer.effect(
    Sockets,
    Effect.map(Sockets, (sockets) =>
      Sockets.of({
        ...sockets,
        listen: (options, accept) =>
          Effect.suspend(() => {
            const found = problem(options.address)
            return found === undefined
              ? sockets.listen(options, accept)
              : Effect.fail(new ListenError({ problem: found, address: options.address }))
          }),
      })),
  ).pipe(Layer.provide(script.layer))
