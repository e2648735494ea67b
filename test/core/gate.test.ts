import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Scope } from "effect/Scope"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Event } from "../../core/Event.ts"
import type { Admit, Peer, Tunables } from "../../core/Options.ts"
import { type Door, Registry } from "../../core/Registry.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { Sockets } from "../../core/Sockets.ts"
import { turns } from "./harness.ts"
import { randomFrom, seeds } from "./random.ts"
import { echo, open, pass, Town, type Visitor } from "./visitors.ts"

const lines = Lines.make({ maxLength: 65_536 })
const both = [{ address: "127.0.0.1:9000", service: echo, maxConnections: 1 }, {
  address: "127.0.0.1:9001",
  service: echo,
}]
const one = { to: "127.0.0.1:9000" }
const other = { to: "127.0.0.1:9001" }

/** Answers, so it is a connection. */
const isServed = (visitor: Visitor): boolean => {
  visitor.send("hello\n")
  return visitor.received.endsWith("hello\n")
}

describe("refusing by closing", () => {
  it.effect("7: the busy message comes whole and before the FIN; what the client still sends is discarded", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: { maxConnections: 0, busy: "busy, come later\n" } })
      const visitor = town.come()
      expect(visitor.calls).toEqual(["shutdown"])
      expect(visitor.received).toBe("busy, come later\n")
      expect(limits()).toEqual(["maxConnections"])
      yield* turns
      visitor.send("request\n")
      expect(server.usage.refusing).toBe(1)
      expect(visitor.ended).toBeUndefined()
      visitor.fin()
      yield* turns
      expect(visitor.ended).toBe("Finished")
      expect(visitor.received).toBe("busy, come later\n")
      expect(server.usage).toMatchObject({ refusing: 0, connections: 0 })
      yield* pass(3_000)
      expect(visitor.calls).toEqual(["shutdown"])
    }))

  it.effect("who does not finish within 2 s is reset", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ limits: { maxConnections: 0 } })
      const visitor = town.come()
      yield* pass(1_900)
      visitor.send("still here")
      expect(visitor.calls).toEqual(["shutdown"])
      yield* pass(200)
      expect(visitor.ended).toBe("Aborted")
      expect(server.usage.refusing).toBe(0)
    }))

  it.effect("who sends more than 64 KiB is reset before that", () =>
    Effect.gen(function* () {
      const { town } = yield* open({ limits: { maxConnections: 0 } })
      const visitor = town.come()
      yield* turns
      visitor.send(new Uint8Array(64 * 1024))
      expect(visitor.calls).toEqual(["shutdown"])
      visitor.send("x")
      expect(visitor.calls).toEqual(["shutdown", "abort"])
    }))

  it.effect("7: of more than maxRefusing at once the rest is reset, and again none when they have gone", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ limits: { maxConnections: 0, maxRefusing: 2, busy: "busy\n" } })
      const visitors = Array.from({ length: 4 }, () => town.come())
      yield* turns
      expect(server.usage.refusing).toBe(2)
      expect(visitors.map(({ calls }) => calls)).toEqual([["shutdown"], ["shutdown"], ["abort"], ["abort"]])
      expect(of("Refused").length).toBe(4)
      for (const visitor of visitors) visitor.reset()
      yield* turns
      expect(server.usage.refusing).toBe(0)
      expect(town.come().received).toBe("busy\n")
    }))

  it.effect("whoever is still being refused when the server has ended is reset", () =>
    Effect.gen(function* () {
      let visitor: Visitor | undefined
      yield* Effect.scoped(Effect.gen(function* () {
        const { town } = yield* open({ limits: { maxConnections: 0 } })
        visitor = town.come()
      }))
      yield* turns
      expect(visitor?.ended).toBe("Aborted")
    }))

  it.effect("who is refused for what it is, is told nothing", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* open({
        limits: { deny: ["192.0.2.0/24"], allow: ["10.0.0.0/8"], busy: "busy\n" },
      })
      expect([town.come().received, town.come({ from: "11.0.0.1" }).received]).toEqual(["", ""])
      expect(limits()).toEqual(["deny", "allow"])
    }))
})

describe("limits.atLimit", () => {
  it.effect("7: reset resets at every limit", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* open({ limits: { maxConnections: 1, atLimit: "reset", deny: ["10.0.0.0/8"] } })
      const [denied, served, refused] = [town.come({ from: "10.0.0.1" }), town.come(), town.come()]
      expect([denied.calls, refused.calls]).toEqual([["abort"], ["abort"]])
      expect(limits()).toEqual(["deny", "maxConnections"])
      yield* turns
      expect(isServed(served)).toBe(true)
    }))

  const queue = { maxConnections: 1, atLimit: { queue: 2, timeout: "5 seconds" }, busy: "busy\n" } as const

  it.effect("7: queue: who waits is not read, and is served when a place is free, first come, first served", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ limits: queue })
      const [inside, first, second] = [town.come(), town.come(), town.come()]
      first.send("asked while waiting\n")
      yield* turns
      expect([first.attached, second.attached]).toEqual([false, false])
      expect(server.usage).toMatchObject({ connections: 1, waiting: 2, refusing: 0 })
      inside.reset()
      yield* turns
      expect(first.received).toBe("asked while waiting\n")
      expect(second.attached).toBe(false)
      first.reset()
      yield* turns
      expect(isServed(second)).toBe(true)
      expect(server.usage).toMatchObject({ connections: 1, waiting: 0 })
      expect(of("Refused")).toEqual([])
    }))

  it.effect("queue: it is bounded, and each one's wait is", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: queue })
      const visitors = Array.from({ length: 4 }, () => town.come())
      expect(visitors.map(({ received }) => received)).toEqual(["", "", "", "busy\n"])
      yield* pass(4_900)
      expect(limits()).toEqual(["maxConnections"])
      yield* pass(200)
      expect(limits()).toEqual(["maxConnections", "maxConnections", "maxConnections"])
      expect(visitors.map(({ received }) => received)).toEqual(["", "busy\n", "busy\n", "busy\n"])
      expect(server.usage).toMatchObject({ connections: 1, waiting: 0 })
      // Nobody is served who has been refused.
      visitors[0]!.reset()
      yield* turns
      expect(server.connections.size).toBe(0)
    }))

  it.effect("queue: a drain refuses who waits", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: queue })
      const [inside, waiting] = [town.come(), town.come()]
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(100)
      expect(waiting.received).toBe("busy\n")
      expect(waiting.gotFin).toBe(true)
      expect(limits()).toEqual(["draining"])
      inside.fin()
      yield* pass(500)
      expect((yield* Fiber.join(draining)).forced).toBe(0)
    }))

  it.effect("queue: a drain with nobody inside does not wait for who was in the line", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ limits: queue })
      const [inside, waiting] = [town.come(), town.come()]
      yield* server.update({ limits: { maxConnections: 0 } })
      yield* turns
      inside.reset()
      yield* turns
      expect([waiting.attached, server.usage.waiting]).toEqual([false, 1])
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(100)
      expect(server.state).toBe("Stopped")
      yield* Fiber.join(draining)
    }))

  it.effect("queue: while the process is late, a free place is nobody's", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let leapt = 0n
      const late: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, { // keeps its methods
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + leapt,
      })
      const { town, server, limits } = yield* Effect.provideService(
        open({ limits: queue, overload: { lag: "100 millis" } }),
        Clock.Clock,
        late,
      )
      const [inside, waiting] = [town.come(), town.come()]
      yield* pass(1_000)
      leapt = 3_000_000_000n
      yield* pass(300)
      expect(server.usage.load).toBe("refusing")
      inside.reset()
      yield* turns
      expect([waiting.received, town.come().received]).toEqual(["busy\n", "busy\n"])
      expect(limits()).toEqual(["overload.lag", "overload.lag"])
    }))

  it.effect("queue: who waits for a full listener holds up nobody at another", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({
        listeners: both,
        limits: { maxConnections: 3, atLimit: { queue: 3, timeout: "5 seconds" } },
      })
      const [inside, waiting] = [town.come(one), town.come(one)]
      const free = town.come(other)
      yield* turns
      expect(isServed(free)).toBe(true)
      const another = town.come(other)
      const late = town.come(other) // the process is full now
      expect(server.usage).toMatchObject({ connections: 3, waiting: 2 })
      another.reset()
      yield* turns
      // In front of it somebody waits for the other listener.
      expect(isServed(late)).toBe(true)
      expect(waiting.attached).toBe(false)
      inside.reset()
      yield* turns
      expect(isServed(waiting)).toBe(true)
      expect(limits()).toEqual([])
    }))

  it.effect("queue: who would be refused in any case does not wait, and one address takes no more than its share", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({
        limits: {
          maxConnections: 1,
          maxConnectionsPerAddress: 2,
          deny: ["10.0.0.0/8"],
          atLimit: { queue: 10, timeout: "5 seconds" },
        },
      })
      const inside = town.come()
      for (let count = 0; count < 3; count++) town.come()
      town.come({ from: "10.0.0.1" })
      expect(limits()).toEqual(["maxConnectionsPerAddress", "maxConnectionsPerAddress", "deny"])
      expect(server.usage.waiting).toBe(1)
      // What waited is counted once: with one inside there is room for one more.
      inside.reset()
      yield* turns
      expect(server.usage).toMatchObject({ connections: 1, waiting: 0 })
      town.come()
      town.come()
      expect(server.usage.waiting).toBe(1)
      expect(limits().length).toBe(4)
    }))

  it.effect("queue: a long line of whom nobody may enter is refused when a place is free", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({
        limits: {
          maxConnections: 1,
          acceptRate: { perSecond: 0.001, burst: 1 },
          atLimit: { queue: 20_000, timeout: "1 hour" },
          maxRefusing: 0,
        },
      })
      const inside = town.come()
      for (let count = 0; count < 20_000; count++) town.come()
      expect(server.usage.waiting).toBe(20_000)
      yield* turns
      inside.reset()
      expect(server.usage).toMatchObject({ connections: 0, waiting: 0 })
      expect(limits().length).toBe(20_000)
    }))

  it.effect("backlog: the listener is paused exactly at the cap, and serves the backlog when a place is free", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ limits: { maxConnections: 2, atLimit: "backlog" } })
      const first = town.come()
      expect(town.entry().state).toBe("Accepting")
      town.come()
      expect(town.entry().state).toBe("Paused")
      const [third, fourth] = [town.come(), town.come()]
      expect(town.entry().backlog.length).toBe(2)
      yield* turns
      first.reset()
      yield* turns
      expect(isServed(third)).toBe(true)
      expect(town.entry()).toMatchObject({ state: "Paused", calls: ["pause", "resume", "pause"] })
      expect(fourth.attached).toBe(false)
      third.reset()
      yield* turns
      expect(isServed(fourth)).toBe(true)
      expect(server.usage).toMatchObject({ connections: 2, waiting: 0 })
      fourth.reset()
      yield* turns
      expect(town.entry().state).toBe("Accepting")
      expect(of("Refused")).toEqual([])
    }))

  it.effect("backlog: those who had been accepted when it was paused wait, and are served first; no more than 64", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: { maxConnections: 1, atLimit: "backlog" } })
      const inside = town.come()
      const stragglers = Array.from({ length: 65 }, () => town.visitor())
      for (const straggler of stragglers) town.entry().straggle(straggler)
      const behind = town.come()
      expect(server.usage.waiting).toBe(64)
      expect(limits()).toEqual(["maxConnections"])
      yield* pass(60_000)
      for (let leaving = inside; stragglers.length > 1;) {
        leaving.reset()
        yield* turns
        leaving = stragglers.shift()!
        expect(isServed(leaving)).toBe(true)
        expect(behind.attached).toBe(false)
        if (stragglers.length === 1) leaving.reset()
      }
      yield* turns
      expect(isServed(behind)).toBe(true)
    }))

  it.effect("backlog: a listener that another one filled is paused by the first who comes, who waits", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* open({
        listeners: [{ address: "127.0.0.1:9000", service: echo }, { address: "127.0.0.1:9001", service: echo }],
        limits: { maxConnections: 1, atLimit: "backlog" },
      })
      const inside = town.come(one)
      const [waiting, behind] = [town.come(other), town.come(other)]
      expect(town.entry(other.to)).toMatchObject({ state: "Paused", backlog: [behind] })
      inside.reset()
      yield* turns
      expect([isServed(waiting), isServed(behind)]).toEqual([true, false])
      waiting.reset()
      yield* turns
      expect(isServed(behind)).toBe(true)
      expect(limits()).toEqual([])
    }))

  it.effect("backlog: of two loopbacks with one cap, the second stays paused when the first one's backlog fills it", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* open({
        listeners: [{ address: "localhost:9000", service: echo }],
        limits: { maxConnections: 1, atLimit: "backlog" },
      })
      const inside = town.come()
      const [first, second] = [town.come(), town.come({ to: "[::1]:9000" })]
      yield* turns
      inside.reset()
      yield* turns
      expect([isServed(first), second.attached]).toEqual([true, false])
      expect(town.entry("[::1]:9000")).toMatchObject({ state: "Paused", backlog: [second] })
      first.reset()
      yield* turns
      expect(isServed(second)).toBe(true)
      expect(limits()).toEqual([])
    }))

  it.effect("backlog is refused where the runtime cannot do it, at start and by update, with the others named", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(open({ limits: { atLimit: "backlog" } }, "unbind"))
      expect(failed.message).toBe(
        'Cannot set limits.atLimit to "backlog": accepted is "refuse", "reset" or { queue, timeout }: script cannot ' +
          "leave clients in the backlog",
      )
      const { town, server } = yield* open({ limits: { maxConnections: 1 } }, "unbind")
      const error = yield* Effect.flip(server.update({ limits: { maxConnections: 2, atLimit: "backlog" } }))
      expect(error.setting).toBe("limits.atLimit")
      town.come()
      town.come()
      expect(server.usage).toMatchObject({ connections: 1, refusing: 1 })
    }))

  it.effect("an update to refuse opens paused listeners again, and refuses who waits", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: { maxConnections: 1, atLimit: "backlog" } })
      town.come()
      const straggler = town.visitor()
      town.entry().straggle(straggler)
      const behind = town.come()
      yield* server.update({ limits: { atLimit: "refuse" } })
      expect([straggler.gotFin, behind.gotFin]).toEqual([true, true])
      expect(town.entry().state).toBe("Accepting")
      expect(limits()).toEqual(["maxConnections", "maxConnections"])
    }))

  it.effect("an update from backlog to queue gives who waits a time", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ limits: { maxConnections: 1, atLimit: "backlog" } })
      town.come()
      const straggler = town.visitor()
      town.entry().straggle(straggler)
      yield* server.update({ limits: { atLimit: { queue: 5, timeout: "3 seconds" } } })
      yield* pass(2_900)
      expect(straggler.gotFin).toBe(false)
      yield* pass(200)
      expect(straggler.gotFin).toBe(true)
    }))

  it.effect("a paused listener that is full by an update is opened by another", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ limits: { maxConnections: 1, atLimit: "backlog" } })
      town.come()
      const behind = town.come()
      yield* turns
      yield* server.update({ limits: { maxConnections: 2 } })
      yield* turns
      expect(isServed(behind)).toBe(true)
      yield* server.update({ limits: { maxConnections: 1 } })
      const [straggler, waiting] = [town.visitor(), town.come()]
      town.entry().straggle(straggler)
      yield* server.update({ limits: { maxConnections: 10 } })
      yield* turns
      expect([isServed(straggler), isServed(waiting)]).toEqual([true, true])
      expect(town.entry().state).toBe("Accepting")
    }))
})

describe("limits", () => {
  it.effect("7: a listener has a cap of its own, besides the server's", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* open({ listeners: both, limits: { maxConnections: 2 } })
      const first = town.come(one)
      for (const visit of [one, other, other]) town.come(visit)
      expect(limits()).toEqual(["listener.maxConnections", "maxConnections"])
      yield* turns
      first.reset()
      yield* turns
      const next = town.come(one)
      yield* turns
      expect(isServed(next)).toBe(true)
      expect(limits().length).toBe(2)
    }))

  it.effect("9: one address at ten times its quota costs nobody else a place; IPv4-mapped and /64 are one", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ limits: { maxConnectionsPerAddress: 5, maxConnections: 20 } })
      for (let count = 0; count < 25; count++) {
        town.come({ from: "198.51.100.7" })
        town.come({ from: "::ffff:198.51.100.7" })
      }
      for (let count = 0; count < 50; count++) town.come({ from: `2001:db8:1:1::${count.toString(16)}` })
      expect(server.connections.size).toBe(10)
      expect(new Set(of("Refused").map(({ limit }) => limit))).toEqual(new Set(["maxConnectionsPerAddress"]))
      const others = Array.from({ length: 10 }, (_, index) => town.come({ from: `203.0.113.${index}` }))
      yield* turns
      expect(others.map(isServed)).toEqual(others.map(() => true))
    }))

  it.effect("an address's place is free again whatever became of who had it", () =>
    Effect.gen(function* () {
      const asked: Array<Peer> = []
      const { town, server } = yield* open({
        limits: { maxConnectionsPerAddress: 1, maxConnections: 1 },
        admit: (peer) => {
          asked.push(peer)
          return asked.length === 1
            ? Exit.succeed("refuse")
            : asked.length === 2
            ? Exit.die("bug")
            : Exit.succeed("admit")
        },
      })
      for (let count = 0; count < 3; count++) town.come()
      expect(server.connections.size).toBe(1)
      expect(asked.length).toBe(3)
    }))

  it.effect("a rate that was changed begins anew", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: { acceptRate: { perSecond: 0.01, burst: 1 } } })
      town.come()
      town.come()
      expect(limits()).toEqual(["acceptRate"])
      yield* server.update({ limits: { acceptRate: { perSecond: 10, burst: 2 } } })
      for (let count = 0; count < 3; count++) town.come()
      expect(server.connections.size).toBe(3)
      // And one that was not changed does not.
      yield* server.update({ limits: { acceptRate: { perSecond: 10, burst: 2 }, maxConnections: 50 } })
      town.come()
      expect(limits()).toEqual(["acceptRate", "acceptRate", "acceptRate"])
    }))

  it.effect("58: maxConnections lowered below those who are there ends nobody, and holds for who comes", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({ limits: { maxConnections: 4 } })
      const visitors = Array.from({ length: 4 }, () => town.come())
      yield* turns
      yield* server.update({ limits: { maxConnections: 2, maxConnectionsPerAddress: 1 } })
      expect(visitors.map(isServed)).toEqual([true, true, true, true])
      for (const left of [3, 2]) {
        expect(town.come({ from: "10.0.0.1" }).gotFin).toBe(true)
        visitors[left]!.reset()
        yield* turns
      }
      expect(town.come({ from: "10.0.0.1" }).gotFin).toBe(true)
      visitors[1]!.reset()
      yield* turns
      expect(town.come({ from: "10.0.0.1" }).gotFin).toBe(false)
      expect(limits()).toEqual(["maxConnections", "maxConnections", "maxConnections"])
    }))

  it.effect("an update that cannot be changes nothing at all", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ limits: { maxConnections: 1 } })
      const error = yield* Effect.flip(server.update({
        limits: { maxConnections: 5, maxRefusing: -1 },
        admit: () => Exit.succeed("reset"),
      }))
      expect(error.message).toBe("Cannot set limits.maxRefusing to -1: accepted is an integer from 0, or Infinity")
      expect(of("Updated")).toEqual([])
      const [served, refused] = [town.come(), town.come()]
      yield* turns
      expect([isServed(served), refused.calls[0]]).toEqual([true, "shutdown"])
    }))

  it.effect("1: who connects and leaves at once is a probe, without a handler or an error", () =>
    Effect.gen(function* () {
      const { town, events } = yield* open()
      const visitor = town.come()
      visitor.fin()
      yield* turns
      expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "Opened", "Closed"])
      expect(visitor.ended).toBe("Finished")
    }))

  it.effect("2: who connects and sends nothing has no place any more after the first frame's deadline", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ preset: "internet", limits: { maxConnections: 1 } })
      const visitor = town.come()
      expect(town.come().gotFin).toBe(true)
      yield* pass(11_000)
      visitor.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["FirstFrameTimeout"])
      expect(server.connections.size).toBe(0)
      expect(town.come().gotFin).toBe(false)
    }))

  it.effect("3: a client that is gone before anybody could ask who it was is counted like all others", () =>
    Effect.gen(function* () {
      const { town, server, of, limits } = yield* open({ limits: { maxConnections: 1, maxConnectionsPerAddress: 1 } })
      const [visitor] = [town.come({ from: null }), town.come({ from: null })]
      expect(limits()).toEqual(["maxConnections"])
      visitor.reset()
      yield* turns
      expect(of("Opened").map(({ remoteAddress }) => remoteAddress)).toEqual([undefined])
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerReset"])
      expect(server.usage).toMatchObject({ connections: 0 })
    }))

  it.effect("51: an open hook that throws ends its connection, and its place is free", () =>
    Effect.gen(function* () {
      const broken = Service.respond(lines, (line) => Effect.succeed(line), {
        open: () => {
          throw new Error("open")
        },
      })
      const { town, server, of } = yield* open({
        listeners: [{ address: "127.0.0.1:9000", service: broken }],
        limits: { maxConnections: 1, maxConnectionsPerAddress: 1 },
      })
      for (let count = 0; count < 3; count++) {
        const visitor = town.come()
        visitor.fin()
        yield* turns
        expect(visitor.ended).toBe("Finished")
      }
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["HandlerFailed", "HandlerFailed", "HandlerFailed"])
      expect(of("Refused")).toEqual([])
      expect(server.usage).toMatchObject({ connections: 0, inFlight: 0, memory: 0 })
    }))
})

describe("admit", () => {
  const ruled = (rule: (peer: Peer) => Effect.Effect<Admit>, more: Tunables = {}) =>
    open({ ...more, admit: rule, limits: { busy: "busy\n", ...more.limits } })

  it.effect("what it decides at once is done at once", () =>
    Effect.gen(function* () {
      const verdicts: Array<Admit> = ["admit", "refuse", "reset"]
      const peers: Array<Peer> = []
      const { town, events, limits } = yield* ruled((peer) => {
        peers.push(peer)
        return Exit.succeed(verdicts.shift()!)
      })
      const [admitted, refused, reset] = [town.come(), town.come(), town.come()]
      expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "Opened", "Refused", "Refused"])
      expect(limits()).toEqual(["admit", "admit"])
      expect([refused.received, refused.calls, reset.calls]).toEqual(["busy\n", ["shutdown"], ["abort"]])
      expect(peers[0]).toEqual({
        remoteAddress: admitted.transport.remoteAddress,
        localAddress: admitted.transport.localAddress,
        proxyHeader: undefined,
        listener: Address.tcp("127.0.0.1", 9_000),
      })
      yield* turns
      expect(isServed(admitted)).toBe(true)
    }))

  it.effect("who waits for it is not read, and loses nothing", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* ruled(() => Effect.as(Effect.sleep("1 second"), "admit"), {
        limits: { maxConnections: 1 },
      })
      const visitor = town.come()
      visitor.send("early\n")
      yield* turns
      expect(visitor.attached).toBe(false)
      expect(server.connections.size).toBe(0)
      expect(town.come().received).toBe("busy\n") // the place is taken
      yield* pass(1_000)
      expect(visitor.received).toBe("early\n")
      expect(of("Opened").length).toBe(1)
    }))

  it.effect("its defect refuses, is told with its cause, and nothing else is said of that client", () =>
    Effect.gen(function* () {
      const thrown = new Error("rule")
      const { town, events, of } = yield* ruled(() => {
        throw thrown
      })
      const visitor = town.come()
      expect(visitor.calls).toEqual(["shutdown"])
      expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "AcceptFailed"])
      expect(Cause.squash(of("AcceptFailed")[0]!.failure.cause as Cause.Cause<never>)).toBe(thrown) // a rule's is one
    }))

  it.effect("it has its time, and one that cannot be interrupted has no more", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const rules = [
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)),
        Effect.uninterruptible(Effect.as(Effect.sleep("20 seconds"), "admit" as const)),
      ]
      const { town, server, limits, of } = yield* ruled(() => rules.shift()!, { deadlines: { admit: "2 seconds" } })
      const visitors = [town.come(), town.come()]
      yield* pass(1_900)
      expect(limits()).toEqual([])
      yield* pass(200)
      expect(limits()).toEqual(["deadlines.admit", "deadlines.admit"])
      expect(visitors.map(({ received }) => received)).toEqual(["busy\n", "busy\n"])
      expect(interrupted).toBe(1)
      yield* pass(30_000)
      expect(of("Opened")).toEqual([])
      expect(server.usage).toMatchObject({ connections: 0, refusing: 0 })
    }))

  it.effect("an abort ends who waits for it by a reset", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { town, server, limits } = yield* ruled(() =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      )
      const visitor = town.come()
      server.abort()
      expect(visitor.calls).toEqual(["abort"])
      yield* turns
      expect([interrupted, limits()]).toEqual([1, ["draining"]])
    }))

  it.effect("55: whom it lets in during a drain is served before the drain is over", () =>
    Effect.gen(function* () {
      const { town, server } = yield* ruled(() => Effect.as(Effect.sleep("1 second"), "admit"))
      const visitor = town.come()
      visitor.send("asked before the drain\n")
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(900)
      expect(server.state).toBe("Draining")
      yield* pass(500)
      expect(visitor.received).toBe("asked before the drain\n")
      visitor.fin()
      yield* pass(500)
      expect(yield* Fiber.join(draining)).toMatchObject({ served: 0, drained: 1, forced: 0, unsent: 0 })
    }))

  it.effect("a drain that is over lets nobody in, whatever it decides later", () =>
    Effect.gen(function* () {
      const rule = () => Effect.uninterruptible(Effect.as(Effect.sleep("20 seconds"), "admit" as const))
      const { town, server, of } = yield* ruled(rule, {
        drain: { timeout: "1 second" },
        deadlines: { admit: Infinity },
      })
      const visitor = town.come()
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(1_500)
      expect(visitor.ended).toBe("Aborted")
      yield* pass(30_000)
      yield* Fiber.join(draining)
      expect(of("Opened")).toEqual([])
    }))

  it.effect("can be taken back and put in by update", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open()
      yield* server.update({ admit: () => Exit.succeed("refuse") })
      town.come()
      yield* server.update({ admit: () => Exit.succeed("admit") })
      town.come()
      expect(limits()).toEqual(["admit"])
      expect(server.connections.size).toBe(1)
    }))
})

describe("an observer that does something about what it is told", () => {
  it.effect("counts nobody twice", () =>
    Effect.gen(function* () {
      const town = new Town()
      let act: (() => void) | undefined
      const server = yield* Effect.provide(
        Server.make({
          listeners: [{ address: "127.0.0.1:9000", service: echo }, { address: "127.0.0.1:9001", service: echo }],
          proxy: { trusted: ["10.0.0.0/8"] },
          limits: { maxConnections: 2, atLimit: { queue: 9, timeout: "1 minute" } },
          observers: [({ _tag }) => {
            if (_tag === "Refused") act?.()
          }],
        }),
        town.layer,
      )
      const visit = { from: "10.0.0.1" }
      const visitors = Array.from({ length: 6 }, () => town.come(visit))
      expect(server.usage).toMatchObject({ connections: 0, waiting: 4 })
      act = () => server.abort()
      yield* server.update({ limits: { atLimit: "refuse" } })
      expect(server.usage).toMatchObject({ connections: 0, waiting: 0 })
      yield* pass(3_000)
      expect(server.usage).toMatchObject({ refusing: 0 })
      expect(visitors.map(({ ended }) => ended)).toEqual(visitors.map(() => "Aborted"))
      act = undefined
      // Two places, neither more nor less.
      const next = [town.come(visit), town.come(visit), town.come(visit)]
      expect(next.map(({ gotFin }) => gotFin)).toEqual([false, false, true])
      server.abort()
    }))
})

describe("what looks like a proxy", () => {
  it.effect("is said once, when most of many clients have one address, also of those who are refused for it", () =>
    Effect.gen(function* () {
      const { town, of } = yield* open({ preset: "internet", limits: { maxConnectionsPerAddress: 50 } })
      const said = () => of("Advised").filter(({ setting }) => setting === "proxy.trusted")
      const others = Array.from({ length: 60 }, (_, index) => town.come({ from: `10.0.0.${index}` }))
      for (let count = 0; count < 55; count++) town.come({ from: "192.0.2.1" })
      expect(said()).toEqual([])
      yield* turns
      for (const visitor of others.slice(20)) visitor.reset()
      yield* turns
      for (let count = 0; count < 3; count++) expect(town.come({ from: "192.0.2.1" }).gotFin).toBe(true)
      expect(said().length).toBe(1)
    }))

  const crowd = (options: Tunables, from: string) =>
    Effect.gen(function* () {
      const { town, of } = yield* open({ preset: "internet", ...options })
      for (let count = 0; count < 20; count++) town.come({ from: `10.0.0.${count}` })
      for (let count = 0; count < 120; count++) town.come({ from })
      return of("Advised").filter(({ setting }) => setting === "proxy.trusted").map(({ message }) => message)
    })

  it.effect("names the address and the setting", () =>
    Effect.gen(function* () {
      const messages = yield* crowd({}, "192.0.2.1")
      expect(messages.length).toBe(1)
      expect(messages[0]).toContain("Most connections come from 192.0.2.1: this looks like a proxy")
      expect(messages[0]).toContain("proxy.trusted")
    }))

  it.effect("is not said with the preset local", () =>
    Effect.gen(function* () {
      expect(yield* crowd({ preset: "local" }, "192.0.2.1")).toEqual([])
    }))
})

describe("the place of each", () => {
  it.effect.each(seeds)(
    "58: maxConnections is never exceeded, and everybody ends up in one of Opened, Refused, Probed, AcceptFailed (seed %i)",
    (seed) => Effect.scoped(storm(seed)),
  )
})

/** What happens by chance: comings, headers, endings, verdicts, changes, time, and at last a drain. */
const storm: (seed: number) => Effect.Effect<void, unknown, Scope> = Effect.fnUntraced(function* (seed: number) {
  const random = randomFrom(seed)
  const pick = <A>(items: ReadonlyArray<A>): A => items[random(items.length)]!
  const events: Array<Event> = []
  const town = new Town()
  const deciding: Array<(verdict: Exit.Exit<Admit>) => void> = []
  const admit = (): Effect.Effect<Admit> => {
    switch (random(6)) {
      case 0:
        return Exit.succeed("refuse")
      case 1:
        return Exit.succeed("reset")
      case 2:
        return Exit.die("rule")
      case 3:
        return Effect.callback<Admit>((resume) => void deciding.push(resume))
      default:
        return Exit.succeed("admit")
    }
  }
  const proxy = { trusted: ["10.0.0.0/8"], timeout: "3 seconds" } as const
  const built = yield* Effect.provide(
    Effect.gen(function* () {
      const context = yield* Effect.context<Sockets>()
      const { capabilities } = yield* Sockets
      const start = yield* Service.prepare(echo)
      const registry = new Registry(
        context,
        capabilities,
        { proxy, admit, limits: { maxConnections: 8, maxRefusing: 4 }, deadlines: { admit: "2 seconds" } },
        true,
        [(event) => events.push(event)],
      )
      const sockets = yield* Sockets
      const doors: Array<Door> = []
      for (const [address, maxConnections, proxied] of places) {
        const parsed = Address.parse(address)!
        const door: Door = { start, address: parsed, maxConnections, proxied, listeners: [], taken: 0 }
        const listener = yield* sockets.listen(
          { address: parsed },
          (transport) => registry.gate.accept(transport, door),
        )
        door.listeners.push(listener)
        doors.push(door)
      }
      return { registry, doors }
    }),
    town.layer,
  )
  const { registry, doors } = built
  yield* Effect.addFinalizer(() => Effect.sync(() => registry.abort()))
  const { gate } = registry
  const everybody: Array<Visitor> = []
  const entries = [...town.entries.values()]
  const atLimits = ["refuse", "reset", "backlog", { queue: 3, timeout: "1 second" }] as const

  let cap = 8
  let refusable = 4
  const come = (): void => {
    const [to] = pick(places)
    const from = pick(["10.0.0.1", "10.0.0.2", "192.0.2.1", "192.0.2.2", null] as const)
    const visitor = town.visitor({ from, to })
    everybody.push(visitor)
    if (random(4) === 0) town.entry(to).straggle(visitor)
    else town.entry(to).take(visitor)
  }
  const update = (): void => {
    const maxConnections = random(10)
    const maxRefusing = random(6)
    registry.update({
      limits: {
        maxConnections,
        maxRefusing,
        atLimit: pick(atLimits),
        maxConnectionsPerAddress: pick([1, 3, Infinity]),
        deny: pick([[], ["192.0.2.2"]]),
        acceptRate: pick(["off", { perSecond: 1, burst: 5 }] as const),
      },
    })
    ;[cap, refusable] = [maxConnections, maxRefusing]
  }
  const check = (taken: number, refusing: number): void => {
    const backlog = entries.reduce((sum, entry) => sum + entry.backlog.length, 0)
    const outcomes = events.filter(({ _tag }) => isOutcome(_tag)).length
    const pending = gate.taken - registry.connections.size
    expect({
      seed,
      inside: everybody.length - outcomes - backlog - gate.waiting,
      doors: doors.reduce((sum, door) => sum + door.taken, 0),
    }).toEqual({ seed, inside: pending, doors: gate.taken })
    expect(gate.taken).toBeLessThanOrEqual(Math.max(cap, taken))
    expect(gate.refusing).toBeLessThanOrEqual(Math.max(refusable, refusing))
    for (const door of doors) expect(door.taken).toBeLessThanOrEqual(door.maxConnections)
    // Nobody waits for a place that is there.
    if (backlog + gate.waiting > 0) {
      expect(doors.some((door) => gate.taken >= cap || door.taken >= door.maxConnections)).toBe(true)
    }
    if (registry.settings.limits.atLimit !== "backlog") expect(backlog).toBe(0)
  }
  const step = (): Effect.Effect<void> | undefined => {
    const visitor = everybody.length === 0 ? undefined : pick(everybody)
    switch (random(12)) {
      case 0:
        visitor?.fin()
        return
      case 1:
        visitor?.reset()
        return
      case 2:
        visitor?.send("PROXY TCP4 198.51.100.1 10.0.0.9 7 7\r\n")
        return
      case 3:
        visitor?.send(pick(["PROXY UNKNOWN\r\n", "PROXY", "junk\n", "hello\n"]))
        return
      case 4:
        deciding.shift()?.(pick([Exit.succeed("admit"), Exit.succeed("refuse"), Exit.die("late")]))
        return
      case 5:
        update()
        return
      case 6:
        return pass(random(1_500))
      case 7:
        return turns
      case 8:
        if (random(40) === 0) registry.abort()
        return
      default:
        come()
        return
    }
  }
  for (let steps = 0; steps < 250; steps++) {
    const { taken, refusing } = gate
    const effect = step()
    if (effect !== undefined) yield* effect
    check(taken, refusing)
  }
  for (const entry of entries) {
    // Who is still in the backlog when a listener closes was never accepted.
    everybody.splice(0, everybody.length, ...everybody.filter((visitor) => !entry.backlog.includes(visitor)))
    yield* entry.close
  }
  const draining = yield* Effect.forkChild(registry.drain(Effect.void))
  yield* pass(35_000)
  yield* Fiber.join(draining)
  for (const visitor of everybody) visitor.reset()
  yield* pass(3_000)
  expect({ seed, taken: gate.taken, refusing: gate.refusing, waiting: gate.waiting }).toEqual({
    seed,
    taken: 0,
    refusing: 0,
    waiting: 0,
  })
  expect(doors.map(({ taken }) => taken)).toEqual(doors.map(() => 0))
  expect(registry.connections.size).toBe(0)
  const count = (tag: Event["_tag"]): number => events.filter(({ _tag }) => _tag === tag).length
  expect(count("Closed")).toBe(count("Opened"))
  expect(events.filter(({ _tag }) => isOutcome(_tag)).length).toBe(everybody.length)
  expect(everybody.filter(({ ended, attached }) => ended === undefined && attached)).toEqual([])
  // Every address is as free as in the beginning.
  registry.gate.admission.update({ ...registry.settings.limits, maxConnectionsPerAddress: 1, deny: none }, 0)
  for (const host of ["10.0.0.1", "192.0.2.1", "198.51.100.1"]) {
    expect([host, gate.admission.bars(Address.tcp(host, 1))]).toEqual([host, undefined])
  }
})

const none = { ip: [], unix: false }

const places: ReadonlyArray<readonly [address: string, maxConnections: number, proxied: boolean]> = [
  ["127.0.0.1:9000", 5, false],
  ["127.0.0.1:9001", Infinity, true],
  ["127.0.0.1:9002", 2, false],
]

const isOutcome = (tag: Event["_tag"]): boolean =>
  tag === "Opened" || tag === "Refused" || tag === "Probed" || tag === "AcceptFailed"
