import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Lines from "../../core/codecs/Lines.ts"
import type { DrainPhase, DrainReport } from "../../core/Server.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { live, polite } from "./clients.ts"
import { echo, open } from "./visitors.ts"

const lines = Lines.make({ maxLength: 65_536 })
const stuck = Service.respond(lines, () => Effect.never)

/** Names and outcomes, in order. */
const outcomes = ({ steps }: DrainReport): ReadonlyArray<string> =>
  steps.map(({ phase, name, outcome }) => `${phase} ${name}: ${outcome}`)

/** Drains, and lets so much time pass. */
const drained = Effect.fnUntraced(function* (server: Server.Server, millis: number) {
  const draining = yield* Effect.forkChild(server.drain)
  yield* live(millis)
  expect(server.state).toBe("Stopped")
  return yield* Fiber.join(draining)
})

describe("what is to be done in the course of a drain", () => {
  it.effect("is done when its phase comes, one after the other as it was registered", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ drain: { delay: "1 second" } })
      const visitor = polite(town.come())
      const log: Array<string> = []
      const step = (phase: DrainPhase, name: string, millis: number): void =>
        server.onDrain(
          phase,
          name,
          Effect.gen(function* () {
            log.push(`${name} begins: ${server.drainPhase}, ${town.entry().state}, ${server.connections.size} left`)
            yield* Effect.sleep(millis)
            log.push(`${name} ends`)
          }),
        )
      step("ended", "persist", 500)
      step("announced", "deregister", 500)
      step("announced", "tell", 100)
      step("closing", "close", 100)
      step("ending", "end", 100)
      const report = yield* drained(server, 3_000)
      expect(log).toEqual([
        "deregister begins: announced, Accepting, 1 left",
        "deregister ends",
        "tell begins: announced, Accepting, 1 left",
        "tell ends",
        "close begins: closing, Accepting, 1 left",
        "close ends",
        "end begins: ending, Closed, 1 left",
        "end ends",
        "persist begins: ended, Closed, 0 left",
        "persist ends",
      ])
      expect(visitor.ended).toBe("Finished")
      expect(outcomes(report)).toEqual([
        "announced deregister: done",
        "announced tell: done",
        "closing close: done",
        "ending end: done",
        "ended persist: done",
      ])
      expect(report.steps.map(({ duration }) => duration)).toEqual([500, 100, 100, 100, 500])
    }))

  it.effect("56: fails, has a defect, is interrupted: the drain goes on and the report has the cause", () =>
    Effect.gen(function* () {
      const { server } = yield* open()
      server.onDrain("announced", "fails", Effect.fail("refused"))
      server.onDrain("announced", "throws", Effect.sync(() => JSON.parse("{")))
      server.onDrain("announced", "is interrupted", Effect.interrupt)
      server.onDrain("ended", "works", Effect.void)
      const report = yield* drained(server, 200)
      expect(outcomes(report)).toEqual([
        "announced fails: failed",
        "announced throws: failed",
        "announced is interrupted: failed",
        "ended works: done",
      ])
      const [fails, throws, interrupted, works] = report.steps
      expect(Cause.squash(fails!.cause!)).toBe("refused")
      expect(Cause.squash(throws!.cause!)).toBeInstanceOf(SyntaxError)
      expect(Cause.hasInterruptsOnly(interrupted!.cause!)).toBe(true)
      expect(works).not.toHaveProperty("cause")
    }))

  it.effect("56: hangs: it is interrupted when its time is over, 5 s unless another is said", () =>
    Effect.gen(function* () {
      const { server } = yield* open()
      const interrupted: Array<string> = []
      const hanging = (name: string) =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(name)))
      server.onDrain("announced", "first", hanging("first"))
      server.onDrain("announced", "second", hanging("second"), { timeout: "2 seconds" })
      server.onDrain("announced", "third", Effect.void)
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(4_900)
      expect(interrupted).toEqual([])
      yield* live(200)
      expect(interrupted).toEqual(["first"])
      yield* live(2_200)
      expect(interrupted).toEqual(["first", "second"])
      const report = yield* Fiber.join(draining)
      expect(outcomes(report)).toEqual([
        "announced first: timed out",
        "announced second: timed out",
        "announced third: done",
      ])
      expect(report.steps.map(({ duration }) => duration)).toEqual([5_000, 2_000, 0])
    }))

  it.effect.each<readonly [string, Effect.Effect<unknown>]>([
    ["its finalizer hangs too", Effect.ensuring(Effect.never, Effect.never)],
    ["it cannot be interrupted", Effect.uninterruptible(Effect.never)],
    ["it is a promise that never settles", Effect.promise(() => new Promise(() => {}))],
  ])("56: hangs, and %s: it does not hold up the drain", ([_, effect]) =>
    Effect.gen(function* () {
      const { town, server } = yield* open()
      const visitor = polite(town.come())
      server.onDrain("announced", "hangs", effect, { timeout: "1 second" })
      server.onDrain("ended", "persist", Effect.void)
      const report = yield* drained(server, 1_500)
      expect(outcomes(report)).toEqual(["announced hangs: timed out", "ended persist: done"])
      expect(visitor.ended).toBe("Finished")
    }))

  it.effect("costs the connections nothing of drain.timeout", () =>
    Effect.gen(function* () {
      const service = Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line))
      const { town, server } = yield* open({
        listeners: [{ address: "127.0.0.1:9000", service }],
        drain: { timeout: "2 seconds" },
      })
      const visitor = polite(town.come())
      for (const phase of ["announced", "closing", "ending"] as const) {
        server.onDrain(phase, "hangs", Effect.never, { timeout: "3 seconds" })
      }
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(9_000)
      visitor.send("question\n")
      yield* live(3_000)
      expect([visitor.received, visitor.ended]).toEqual(["question\n", "Finished"])
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 1, forced: 0 })
    }))

  it.effect("at forcing is done only where somebody has to be forced, before that", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      for (const line of ["", "stuck\n"]) {
        const { town, server } = yield* open({
          listeners: [{ address: "127.0.0.1:9000", service: stuck }],
          drain: { timeout: "2 seconds" },
        })
        const visitor = polite(town.come())
        if (line !== "") visitor.send(line)
        server.onDrain("forcing", "look", Effect.sync(() => void log.push(`reset: ${visitor.sentAway}`)))
        const report = yield* drained(server, 2_500)
        log.push(...outcomes(report), `${report.forced} forced`)
      }
      expect(log).toEqual(["0 forced", "reset: false", "forcing look: done", "1 forced"])
    }))

  it.effect("may be registered during the drain, also by another", () =>
    Effect.gen(function* () {
      const { server } = yield* open()
      const register = Effect.sync(() => {
        server.onDrain("ended", "later", Effect.void)
        server.onDrain("announced", "now", Effect.void)
      })
      server.onDrain("announced", "register", register)
      expect(outcomes(yield* drained(server, 200))).toEqual([
        "announced register: done",
        "announced now: done",
        "ended later: done",
      ])
    }))

  it.effect("and too late for its phase: it is done with the next one", () =>
    Effect.gen(function* () {
      const { server } = yield* open({ drain: { delay: "1 second" } })
      const log: Array<unknown> = []
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(500)
      server.onDrain("announced", "late", Effect.sync(() => void log.push(server.drainPhase)))
      yield* live(1_000)
      expect(log).toEqual(["closing"])
      const report = yield* Fiber.join(draining)
      expect(outcomes(report)).toEqual(["announced late: done"])
      // Nothing comes after the end.
      server.onDrain("ended", "too late", Effect.sync(() => void log.push("too late")))
      yield* live(100)
      expect([log, yield* server.drain]).toEqual([["closing"], report])
    }))

  it.effect("a time that is none is refused when it is said", () =>
    Effect.gen(function* () {
      const { server } = yield* open()
      // @ts-expect-error: for those who do not have types
      expect(() => server.onDrain("ended", "persist", Effect.void, { timeout: "5 secs" })).toThrow(/5 secs/)
      server.onDrain("ended", "waits", Effect.sleep("20 seconds"), { timeout: Infinity })
      expect(outcomes(yield* drained(server, 20_200))).toEqual(["ended waits: done"])
    }))

  it.effect("56: abort does not take its time away: what is to be persisted is", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open({ listeners: [{ address: "127.0.0.1:9000", service: echo }] })
      const visitor = town.come()
      server.onDrain("announced", "deregister", Effect.sleep("2 seconds"))
      server.onDrain("ended", "persist", Effect.sleep("1 second"))
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(1_000)
      server.abort()
      yield* live(10)
      expect(visitor.ended).toBe("Aborted")
      yield* live(2_200)
      expect(outcomes(yield* Fiber.join(draining))).toEqual(["announced deregister: done", "ended persist: done"])
    }))
})
