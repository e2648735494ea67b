/**
 * Time with 10,000 connections: every deadline is kept for each of them, and what nothing happens to costs nothing.
 *
 * It takes a second or less each where the machine is not busy; only an order of magnitude more is asserted.
 */
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as Lines from "../../core/codecs/Lines.ts"
import { ManagedConnection } from "../../core/ManagedConnection.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"
import { ends, late, pass } from "./passing.ts"
import type { Peer } from "./scripted.ts"

const count = 10_000
const seconds = 10

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const silent = Service.respond(lines, () => Effect.succeed(Service.noReply))
const beating = Service.respond(lines, (line) => Effect.succeed(line), {
  heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" },
})

const ended = (peers: ReadonlyArray<Peer>): number => peers.filter(ends).length

/** Serves so many, and checks what it took in the end. */
const crowd = Effect.fnUntraced(function* (options: Server.Tunables, service: Service.Service = echo, size = count) {
  const began = performance.now()
  yield* Effect.addFinalizer(() => Effect.sync(() => expect(performance.now() - began).toBeLessThan(seconds * 1_000)))
  const harness = yield* serve(service, { ...options, deadlines: { idle: Infinity, ...options.deadlines } })
  return { ...harness, peers: Array.from({ length: size }, () => harness.script.connect()) }
})

describe("with 10,000 connections, each is ended in time and none before:", () => {
  const cases: ReadonlyArray<{
    readonly name: string
    readonly options: Server.Tunables
    readonly millis: number
    readonly reason: string
    readonly service?: Service.Service
    readonly before?: (peer: Peer) => void
    readonly slack?: number
  }> = [
    {
      name: "first frame",
      options: { deadlines: { firstFrame: "10 seconds" } },
      millis: 10_000,
      reason: "FirstFrameTimeout",
    },
    {
      name: "frame",
      options: { deadlines: { frame: "30 seconds" } },
      millis: 30_000,
      reason: "FrameTimeout",
      before: (peer) => peer.send("a\nb"),
    },
    {
      name: "least rate in",
      options: { limits: { minRate: 100 }, deadlines: { grace: "5 seconds" } },
      millis: 5_100,
      reason: "TooSlow",
      before: (peer) => peer.send("a\nten bytes."),
    },
    {
      name: "idle",
      options: { deadlines: { idle: "60 seconds" } },
      millis: 60_000,
      reason: "IdleTimeout",
      before: (peer) => peer.send("a\n"),
    },
    {
      name: "read idle",
      options: { deadlines: { readIdle: "60 seconds" } },
      millis: 60_000,
      reason: "IdleTimeout",
      before: (peer) => peer.send("a\n"),
    },
    {
      name: "write idle",
      options: { deadlines: { writeIdle: "60 seconds" } },
      millis: 60_000,
      reason: "IdleTimeout",
      service: silent,
    },
    {
      name: "write stall",
      options: { deadlines: { writeStall: "30 seconds" } },
      millis: 30_000,
      reason: "WriteStalled",
      before: (peer) => {
        peer.room = 0
        peer.send("a\n")
      },
    },
    {
      name: "least rate out",
      options: { limits: { minRate: 100 }, deadlines: { grace: "1 second", writeStall: "2 minutes" } },
      millis: 31_000,
      reason: "TooSlow",
      before: (peer) => {
        peer.room = 0
        peer.send("a\n")
      },
    },
    { name: "heartbeat", options: {}, millis: 90_000, reason: "HeartbeatLost", service: beating },
    // From nine tenths on, each has its own.
    {
      name: "age",
      options: { deadlines: { maxAge: "100 seconds" } },
      millis: 90_000,
      reason: "MaxAge",
      slack: 10_000 + late,
    },
  ]
  for (const { name, options, millis, reason, service, before, slack = late } of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { peers, of } = yield* crowd(options, service)
        for (const peer of peers) before?.(peer)
        yield* pass(millis - 50)
        expect(ended(peers)).toBe(0)
        yield* pass(50 + slack)
        expect(ended(peers)).toBe(count)
        for (const peer of peers) if (peer.ended === undefined) peer.fin()
        yield* turns
        const reasons = of("Closed").map((event) => event.reason._tag)
        expect([reasons.length, [...new Set(reasons)]]).toEqual([count, [reason]])
      }))
  }
})

describe("with 10,000 connections", () => {
  it.effect("all are pinged in each interval, and nobody who answers is lost", () =>
    Effect.gen(function* () {
      const { peers, of } = yield* crowd({}, beating)
      for (let beat = 1; beat <= 5; beat++) {
        yield* pass(30_000 + 60)
        expect(peers.filter(({ writes }) => writes.length === beat).length).toBe(count)
        for (const peer of peers) peer.send("pong\n")
      }
      expect([ended(peers), of("Suspected")]).toEqual([0, []])
    }))

  it.effect("the alarm comes at its share, once", () =>
    Effect.gen(function* () {
      const { events } = yield* crowd({ limits: { maxConnections: count } })
      const at = events.findIndex(({ _tag }) => _tag === "LimitCrossed")
      expect(events.slice(0, at).filter(({ _tag }) => _tag === "Opened").length).toBe(9_000)
      expect(events[at]).toMatchObject({ limit: "maxConnections", value: 9_000, threshold: 9_000 })
      expect(events.filter(({ _tag }) => _tag === "LimitCrossed").length).toBe(1)
    }))
})

describe("idle connections", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** How often connections are looked at in a minute in which one of so many is busy and the others say nothing. */
  const looks = Effect.fnUntraced(function* (size: number, service: Service.Service) {
    const { peers } = yield* crowd(
      {
        preset: "internet",
        limits: { maxConnectionsPerAddress: Infinity, acceptRate: "off" },
        deadlines: { idle: "10 minutes" },
      },
      service,
      size,
    )
    for (const peer of peers) peer.send("hello\nhalf a ")
    for (const peer of peers) peer.send("line\n")
    yield* pass(60_000) // what was armed for those has been looked at
    const expire = vi.spyOn(ManagedConnection.prototype, "expire")
    for (let second = 0; second < 60; second++) {
      peers[0]?.send("half a ")
      yield* pass(500)
      peers[0]?.send("line\n")
      yield* pass(500)
    }
    expect(ended(peers)).toBe(0)
    const called = expire.mock.calls.length
    expire.mockRestore()
    return called
  })

  it.effect("are not looked at, with all deadlines of `internet`: 10,000 cost what 10 do", () =>
    Effect.gen(function* () {
      const few = yield* looks(10, echo)
      expect(few).toBeGreaterThan(0)
      expect(yield* looks(count, echo)).toBe(few)
    }))

  it.effect("are looked at once an interval of their heartbeat, and not more often", () =>
    Effect.gen(function* () {
      const { peers } = yield* crowd({}, beating)
      const answered = Effect.fnUntraced(function* (beats: number) {
        for (let beat = 0; beat < beats; beat++) {
          yield* pass(30_000 + 60)
          for (const peer of peers) peer.send("pong\n")
        }
      })
      yield* answered(1)
      yield* pass(10_000) // the first answer is looked for as soon as it might be missing
      const expire = vi.spyOn(ManagedConnection.prototype, "expire")
      yield* answered(4)
      expect(expire.mock.calls.length).toBe(4 * count)
    }))
})
