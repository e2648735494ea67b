/** What becomes of messages whose peer reads too slowly, by their class, and what a slow reader may hold. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import { ends } from "./passing.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 10_000, maxOutgoing: 1_000_000 })
const limits = { outboxHigh: 1_000, outboxLow: 100 }

/** A service that is told things and answers nothing, and its connections in the order in which they came. */
const hub = () => {
  const connections: Array<Service.Connection<string>> = []
  const open = (connection: Service.Connection<string>) => Effect.sync(() => void connections.push(connection))
  return { connections, service: Service.respond(lines, () => Effect.succeed(Service.noReply), { open }) }
}

/** So many messages of 100 bytes. */
const messages = (count: number): Array<string> =>
  Array.from({ length: count }, (_, index) => String(index).padStart(99, "0"))

const received = (peer: Peer): Array<number> => peer.received.split("\n").slice(0, -1).map(Number)

const upTo = (count: number): Array<number> => Array.from({ length: count }, (_, index) => index)

const reasons = ({ of }: Harness): Array<string> => of("Closed").map(({ reason }) => reason._tag)

// More than outboxHigh are queued with the 11th message.
const queued = upTo(11)

describe("38: a broadcast to 1,000 connections, of which one in a hundred is frozen, comes to all others at once", () => {
  const broadcast = Effect.fnUntraced(function* (options: (message: number) => Service.SendOptions) {
    const { connections, service } = hub()
    const harness = yield* serve(service, { limits })
    const peers = upTo(1_000).map(() => harness.script.connect())
    const frozen = peers.filter((_, index) => index % 100 === 7)
    const healthy = peers.filter((peer) => !frozen.includes(peer))
    for (const peer of frozen) peer.room = 0
    for (const [index, message] of messages(50).entries()) {
      for (const connection of connections) connection.sendUnsafe(message, options(index))
    }
    yield* turns
    for (const peer of healthy) expect(received(peer)).toEqual(upTo(50))
    expect(harness.server.usage.memory).toBeLessThanOrEqual(10 * 1_100)
    const dropped = () => [...harness.server.connections.values()].map(({ counters }) => counters.framesDropped)
    /** What each of the frozen has in the end, and how many were dropped of all. */
    const thaw = Effect.gen(function* () {
      for (const peer of frozen) peer.drain()
      yield* turns
      for (const peer of frozen) expect(received(peer)).toEqual(received(frozen[0]!))
      expect(new Set(healthy.map(ends))).toEqual(new Set([false]))
      return [received(frozen[0]!), dropped().reduce((sum, count) => sum + count)] as const
    })
    return { harness, frozen, thaw }
  })

  it.effect("drop-oldest keeps the newest for it", () =>
    Effect.gen(function* () {
      const kind: Service.MessageClass = { full: "drop-oldest", most: 5 }
      const { thaw } = yield* broadcast(() => ({ class: kind }))
      expect(yield* thaw).toEqual([[...queued, 45, 46, 47, 48, 49], 10 * (50 - 11 - 5)])
    }))

  it.effect("drop-newest leaves it with what it had", () =>
    Effect.gen(function* () {
      const kind: Service.MessageClass = { full: "drop-newest" }
      const { thaw } = yield* broadcast(() => ({ class: kind }))
      expect(yield* thaw).toEqual([queued, 10 * (50 - 11)])
    }))

  it.effect("latest keeps the last of each key for it", () =>
    Effect.gen(function* () {
      const kind: Service.MessageClass = { full: "latest" }
      const { thaw } = yield* broadcast((message) => ({ class: kind, key: message % 3 }))
      expect(yield* thaw).toEqual([[...queued, 47, 48, 49], 10 * (50 - 11 - 3)])
    }))

  it.effect("disconnect ends it as OutboxFull by a reset", () =>
    Effect.gen(function* () {
      const kind: Service.MessageClass = { full: "disconnect" }
      const { frozen, harness } = yield* broadcast(() => ({ class: kind }))
      expect(frozen.map(({ ended }) => ended)).toEqual(frozen.map(() => "Aborted"))
      expect(reasons(harness)).toEqual(frozen.map(() => "OutboxFull"))
      expect(harness.server.connections.size).toBe(990)
      expect(harness.server.usage.memory).toBe(0)
    }))

  it.effect("wait makes whoever sends to it wait, and nobody else", () =>
    Effect.gen(function* () {
      const { connections, service } = hub()
      const harness = yield* serve(service, { limits })
      const peers = upTo(1_000).map(() => harness.script.connect())
      const frozen = peers.filter((_, index) => index % 100 === 7)
      for (const peer of frozen) peer.room = 0
      let done = 0
      for (const connection of connections) {
        const sending = Effect.forEach(messages(50), (message) => connection.send(message, { class: { full: "wait" } }))
        yield* Effect.forkChild(Effect.andThen(sending, Effect.sync(() => done++)))
      }
      yield* turns
      expect(done).toBe(990)
      expect(harness.server.usage.memory).toBe(10 * 1_100)
      for (const peer of frozen) peer.drain()
      yield* turns
      expect(done).toBe(1_000)
      for (const peer of peers) expect(received(peer)).toEqual(upTo(50))
    }))
})

describe("messages that are kept", () => {
  /** One connection that reads nothing and has as much unsent as may be. */
  const full = Effect.fnUntraced(function* () {
    const { connections, service } = hub()
    const harness = yield* serve(service, { limits })
    const peer = harness.script.connect()
    peer.room = 0
    const connection = connections[0]!
    connection.sendUnsafe("x".repeat(1_000))
    yield* turns
    const got = (): Array<string> => peer.received.split("\n").slice(1, -1)
    return { ...harness, harness, peer, connection, got }
  })
  const oldest: Service.MessageClass = { full: "drop-oldest", most: 3 }
  const other: Service.MessageClass = { full: "drop-oldest", most: 3 }
  const latest: Service.MessageClass = { full: "latest", most: 2 }

  it.effect("go out class by class in the order in which they were sent, behind what was queued, as the peer reads", () =>
    Effect.gen(function* () {
      const { peer, connection, got } = yield* full()
      for (const message of ["a", "b", "c", "d"]) {
        connection.sendUnsafe(message, { class: oldest })
        connection.sendUnsafe(message.toUpperCase(), { class: other })
      }
      connection.sendUnsafe("waits for nobody")
      peer.drain(900)
      yield* turns
      expect(got()).toEqual([])
      peer.drain(200)
      yield* turns
      expect(got()).toEqual(["waits for nobody", "b", "c", "d", "B", "C", "D"])
      expect(connection.counters.framesDropped).toBe(2)
      connection.sendUnsafe("e", { class: oldest })
      yield* turns
      expect(got().at(-1)).toBe("e")
    }))

  it.effect("of a `latest` class take the place of the one with their key, and drop the oldest key beyond `most`", () =>
    Effect.gen(function* () {
      const { peer, connection, got } = yield* full()
      for (const [key, message] of [["a", "a1"], ["b", "b1"], ["a", "a2"], ["c", "c1"], ["b", "b2"]]) {
        connection.sendUnsafe(message!, { class: latest, key })
      }
      peer.drain()
      yield* turns
      expect(got()).toEqual(["b2", "c1"])
      expect(connection.counters.framesDropped).toBe(3)
    }))

  it.effect("are encoded no faster than the peer reads", () =>
    Effect.gen(function* () {
      const { peer, connection, got } = yield* full()
      const many: Service.MessageClass = { full: "drop-oldest", most: 1_000 }
      for (const message of messages(200)) connection.sendUnsafe(message, { class: many })
      for (let taken = 0; taken < 20; taken++) {
        peer.drain(950)
        yield* turns
        expect(connection.unsent).toBeLessThanOrEqual(1_100)
      }
      peer.drain()
      yield* turns
      expect(got().map(Number)).toEqual(upTo(200))
      expect(connection.counters.framesDropped).toBe(0)
    }))

  it.effect("still go out when the connection is closing, before its FIN", () =>
    Effect.gen(function* () {
      const { harness, peer, connection, got } = yield* full()
      connection.sendUnsafe("a", { class: oldest })
      connection.closeUnsafe()
      yield* turns
      expect(peer.gotFin).toBe(false)
      peer.drain()
      yield* turns
      expect(got()).toEqual(["a"])
      expect(peer.gotFin).toBe(true)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["LocalClosed"])
      expect(harness.of("Closed")[0]!.counters).toMatchObject({ framesSent: 2, framesDropped: 0 })
    }))

  it.effect("are dropped by a reset, and counted", () =>
    Effect.gen(function* () {
      const { harness, peer, connection } = yield* full()
      for (const message of ["a", "b", "c", "d"]) connection.sendUnsafe(message, { class: oldest })
      peer.reset()
      yield* turns
      expect(harness.of("Closed")[0]!.counters.framesDropped).toBe(4)
      expect(connection.sendUnsafe("e", { class: oldest })?._tag).toBe("PeerReset")
      expect(connection.counters.framesDropped).toBe(4)
    }))

  it.effect("end the connection as EncodeFailed when the codec cannot write them after all", () =>
    Effect.gen(function* () {
      const { harness, peer, connection } = yield* full()
      connection.sendUnsafe("a\nb", { class: oldest })
      connection.sendUnsafe("c", { class: oldest })
      peer.drain()
      yield* turns
      peer.fin()
      yield* turns
      expect(peer.received).toMatch(/^x+\nc\n$/)
      expect(reasons(harness)).toEqual(["EncodeFailed"])
    }))

  for (const most of [0, -1, NaN]) {
    it.effect(`are one when there are to be ${most}`, () =>
      Effect.gen(function* () {
        const { peer, connection, got } = yield* full()
        const kind: Service.MessageClass = { full: "drop-oldest", most }
        for (const message of ["a", "b", "c"]) connection.sendUnsafe(message, { class: kind })
        peer.drain()
        yield* turns
        expect(got()).toEqual(["c"])
        expect(connection.counters.framesDropped).toBe(2)
      }))
  }

  it.effect("are 64 of a class that does not say", () =>
    Effect.gen(function* () {
      const { peer, connection, got } = yield* full()
      const kind: Service.MessageClass = { full: "drop-oldest" }
      for (const message of messages(100)) connection.sendUnsafe(message, { class: kind })
      peer.drain()
      yield* turns
      expect(got().map(Number)).toEqual(upTo(100).slice(36))
    }))

  it.effect("`send` does not wait for them, and fails with the reason where their class ends the connection", () =>
    Effect.gen(function* () {
      const { connection, peer, got } = yield* full()
      expect(yield* Effect.exit(connection.send("a", { class: oldest }))).toEqual(Exit.void)
      expect(yield* Effect.exit(connection.send("b", { class: { full: "drop-newest" } }))).toEqual(Exit.void)
      const waiting = yield* Effect.forkChild(connection.send("c"))
      yield* turns
      expect(waiting.pollUnsafe()).toBeUndefined()
      const failure = yield* Effect.flip(connection.send("d", { class: { full: "disconnect" } }))
      expect(failure._tag).toBe("OutboxFull")
      yield* turns
      expect(waiting.pollUnsafe()).toEqual(Exit.fail(failure))
      expect([peer.ended, got()]).toEqual(["Aborted", []])
    }))

  it.effect("a plain `send` resolves at once with true for them, and with false where their class ends the connection", () =>
    Effect.gen(function* () {
      const connections: Array<Service.PlainConnection<string>> = []
      const open = (connection: Service.PlainConnection<string>): void => void connections.push(connection)
      const harness = yield* serve(Service.plain(lines, () => undefined, { open }), { limits })
      const peer = harness.script.connect()
      peer.room = 0
      const [connection] = connections
      const waiting = connection!.send("x".repeat(1_000))
      expect(yield* Effect.promise(() => connection!.send("a", { class: oldest }))).toBe(true)
      expect(yield* Effect.promise(() => connection!.send("b", { class: { full: "disconnect" } }))).toBe(false)
      expect(yield* Effect.promise(() => waiting)).toBe(false)
      yield* turns
      expect(reasons(harness)).toEqual(["OutboxFull"])
    }))

  it.effect("what was answered in the same turn counts as unsent", () =>
    Effect.gen(function* () {
      const service = Service.respond(lines, (line, connection) => {
        if (line === "large") return Effect.succeed("x".repeat(2_000))
        connection.sendUnsafe("news", { class: { full: "drop-newest" } })
        return Effect.succeed("done")
      })
      const { script, server } = yield* serve(service, { limits })
      const peer = script.connect()
      peer.room = 0
      peer.send("large\nsmall\n")
      expect([...server.connections.values()][0]!.counters.framesDropped).toBe(1)
      peer.drain()
      yield* turns
      expect(peer.received).toMatch(/^x+\ndone\n$/)
    }))
})

describe("40: sending to a peer that has reset", () => {
  it.effect("fails with PeerReset, also for whoever waits, and harms nobody else", () =>
    Effect.gen(function* () {
      const { connections, service } = hub()
      const { script, of } = yield* serve(service, { limits })
      const [peer, other] = [script.connect(), script.connect()]
      const [connection, still] = connections
      peer.room = 0
      const waiting = yield* Effect.forkChild(connection!.send("x".repeat(2_000)))
      yield* turns
      peer.reset()
      yield* turns
      expect(waiting.pollUnsafe()).toMatchObject({ cause: { reasons: [{ error: { _tag: "PeerReset" } }] } })
      expect(yield* Effect.flip(connection!.send("late"))).toMatchObject({ _tag: "PeerReset" })
      expect(yield* still!.send("fine")).toBeUndefined()
      yield* turns
      expect(other.received).toBe("fine\n")
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerReset"])
    }))

  it.effect("drops the replies of handlers that end later, and a session sees why", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.uninterruptible(Effect.sleep("1 second")), line))
      const first = yield* serve(slow)
      const peer = first.script.connect()
      peer.send("x\n")
      peer.reset()
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect([peer.received, ...reasons(first)]).toEqual(["", "PeerReset"])
      const seen: Array<string> = []
      const session = Service.session(lines, (connection) => {
        const late = Effect.tapError(connection.send("late"), ({ _tag }) => Effect.sync(() => seen.push(_tag)))
        return Effect.uninterruptible(Effect.andThen(Effect.sleep("1 second"), late))
      })
      const second = yield* serve(session)
      second.script.connect().reset()
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(seen).toEqual(["PeerReset"])
      expect(reasons(second)).toEqual(["PeerReset"])
    }))
})

describe("a peer that does not read", () => {
  it.effect("35: 10,000 pipelined requests are not all read, and memory stays as it is", () =>
    Effect.gen(function* () {
      const echo = Service.respond(lines, (line) => Effect.succeed(line))
      const harness = yield* serve(echo, { limits: { outboxHigh: 50_000, outboxLow: 10_000 } })
      const peer = harness.script.connect()
      peer.room = 0
      const unread = messages(10_000)
      const next = (): string => unread.splice(0, 10).map((message) => `${message}\n`).join("")
      while (unread.length > 0 && !peer.paused) peer.send(next())
      expect(unread.length).toBeGreaterThan(9_000)
      expect(harness.server.usage.memory).toBeLessThan(60_000)
      let highest = 0
      while (unread.length > 0 || harness.server.usage.memory > 0) {
        peer.drain(5_000)
        yield* turns
        while (unread.length > 0 && !peer.paused) peer.send(next())
        highest = Math.max(highest, harness.server.usage.memory)
      }
      expect(highest).toBeLessThan(60_000)
      expect(received(peer)).toEqual(upTo(10_000))
    }))

  it.effect("36: a reply of 100 MB waits in whoever makes it; the peer is reset when it takes nothing for long", () =>
    Effect.gen(function* () {
      let made = 0
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          for (;;) {
            const wanted = Number(yield* connection.receive)
            for (let part = 0; part < wanted; part++) {
              made++
              yield* connection.send("x".repeat(99_999))
            }
            yield* connection.send("small")
          }
        }))
      const harness = yield* serve(service, { limits: { outboxHigh: 1_000_000 } })
      const [slow, other] = [harness.script.connect(), harness.script.connect()]
      slow.room = 0
      slow.send("1000\n")
      yield* turns
      expect(made).toBe(11)
      expect(harness.server.usage.memory).toBe(1_100_000 + "1000\n".length)
      slow.drain(1_000_000)
      yield* turns
      expect(made).toBe(21)
      other.send("0\n")
      yield* turns
      expect(other.received).toBe("small\n")
      for (let second = 0; second < 40; second++) yield* TestClock.adjust("1 second")
      yield* turns
      expect(slow.ended).toBe("Aborted")
      expect(made).toBe(21)
      expect(harness.server.usage.memory).toBe(0)
      expect(reasons(harness)).toEqual(["WriteStalled"])
    }))
})
