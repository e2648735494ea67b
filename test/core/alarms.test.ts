/** Alarms: `LimitCrossed` when so much of a limit is in use. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { Threshold } from "../../core/Threshold.ts"
import { type Harness, serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 100_000 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line), { concurrency: 100 })

const alarms = ({ of }: Harness): Array<ReadonlyArray<string | number>> =>
  of("LimitCrossed").map(({ limit, value, threshold }) => [limit, value, threshold])

describe("an alarm", () => {
  it.effect("of maxConnections is told once when it is reached", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { maxConnections: 10 } })
      for (let client = 0; client < 8; client++) harness.script.connect()
      expect(alarms(harness)).toEqual([])
      for (let client = 0; client < 4; client++) harness.script.connect()
      expect(alarms(harness)).toEqual([["maxConnections", 9, 9]])
    }))

  it.effect("of memory is told once when it is reached, also far below where anything is done about it", () =>
    Effect.gen(function* () {
      const options = {
        limits: { memory: 10_000 },
        alarms: [{ of: "memory", at: 0.1 }, { of: "memory", at: 0.9 }],
      } as const
      const harness = yield* serve(echo, options)
      const peer = harness.script.connect()
      peer.send("x".repeat(900))
      expect(alarms(harness)).toEqual([])
      peer.send("x".repeat(600))
      peer.send("x".repeat(600))
      expect(alarms(harness)).toEqual([["memory", 1_500, 1_000]])
      peer.send("x".repeat(7_000))
      expect(alarms(harness).slice(1)).toEqual([["memory", 9_100, 9_000]])
    }))

  it.effect("of maxInFlight is told once when it is reached", () =>
    Effect.gen(function* () {
      const harness = yield* serve(slow, { limits: { maxInFlight: 10 } })
      const peer = harness.script.connect()
      peer.send("x\n".repeat(8))
      expect(alarms(harness)).toEqual([])
      peer.send("x\n".repeat(10))
      expect(alarms(harness)).toEqual([["maxInFlight", 9, 9]])
    }))

  it.effect("is told again only after it was left, and not within its cooldown", () =>
    Effect.gen(function* () {
      const options = {
        limits: { maxConnections: 4 },
        alarms: [{ of: "maxConnections", at: 0.5, cooldown: "1 minute" }],
      } as const
      const harness = yield* serve(echo, options)
      harness.script.connect()
      const cross = Effect.gen(function* () {
        const peer = harness.script.connect()
        peer.reset()
        yield* turns
        return alarms(harness).length
      })
      expect(yield* cross).toBe(1)
      expect(yield* cross).toBe(1)
      yield* TestClock.adjust("59 seconds")
      expect(yield* cross).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(yield* cross).toBe(2)
      expect(yield* cross).toBe(2)
    }))

  it.effect("that was crossed during the cooldown and not left is told after it", () =>
    Effect.gen(function* () {
      const options = {
        limits: { maxConnections: 10 },
        alarms: [{ of: "maxConnections", at: 0.1, cooldown: "1 minute" }],
      } as const
      const harness = yield* serve(echo, options)
      harness.script.connect().reset()
      harness.script.connect()
      expect(alarms(harness).length).toBe(1)
      yield* TestClock.adjust("1 minute")
      harness.script.connect()
      harness.script.connect()
      expect(alarms(harness)).toEqual([["maxConnections", 1, 1], ["maxConnections", 2, 1]])
    }))

  it.effect("is told when a limit is changed so that it is reached, and not again when something else is", () =>
    Effect.gen(function* () {
      const harness = yield* serve(slow)
      const { script, server } = harness
      const peers = Array.from({ length: 3 }, () => script.connect())
      yield* server.update({ limits: { maxInFlight: 100, memory: 1_000, maxConnections: 100 } })
      for (const peer of peers) peer.send("x\nyyyyy")
      expect(alarms(harness)).toEqual([])
      yield* server.update({ limits: { maxInFlight: 3, memory: 16, maxConnections: 3 } })
      const reached = [["maxConnections", 3, 2.7], ["memory", 15, 14.4], ["maxInFlight", 3, 2.7]]
      expect(alarms(harness)).toEqual(reached)
      yield* server.update({ heartbeat: { interval: "40 seconds" } })
      peers[0]!.send("y")
      expect(alarms(harness)).toEqual(reached)
      yield* server.update({ alarms: [{ of: "maxConnections", at: 0.5 }] })
      expect(alarms(harness).slice(3)).toEqual([["maxConnections", 3, 1.5]])
    }))

  it.effect("of what has no limit is never told", () =>
    Effect.gen(function* () {
      const options = { limits: { maxConnections: Infinity, memory: Infinity, maxInFlight: Infinity } }
      const harness = yield* serve(slow, options)
      for (let client = 0; client < 10; client++) harness.script.connect().send("x\ny")
      expect(alarms(harness)).toEqual([])
    }))
})

describe("a threshold by itself", () => {
  it("asks for the time only when it may have to be told", () => {
    const threshold = new Threshold()
    let asked = 0
    const now = () => {
      asked++
      return 0
    }
    for (const value of [1, 2, 9, 10, 11, 10, 3]) threshold.crossed(value, 10, now, 1_000)
    expect(asked).toBe(1)
  })
})
