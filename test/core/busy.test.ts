import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Chatterer, live, polite } from "./clients.ts"
import { open, type Town } from "./visitors.ts"

/** So many clients that a runtime may ask no other socket for a second. */
const crowd = (town: Town): ReadonlyArray<Chatterer> => Array.from({ length: 40 }, () => new Chatterer(town, 1))

describe("a drain of a busy process", () => {
  it.effect("55: does not take for idle whose request is read only after 80 turns of the loop", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open()
      crowd(town)
      const unread = polite(town.come())
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(800)
      expect(unread.sentAway).toBe(false)
      unread.send("sent before the drain\n")
      yield* live(3_000)
      expect([unread.received, unread.ended]).toEqual(["sent before the drain\n", "Finished"])
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 41, forced: 0 })
    }))

  it.effect("takes for idle as soon as ever who is silent beside a few others", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open()
      for (const client of crowd(town).slice(16)) client.visitor.fin()
      const silent = polite(town.come())
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(150)
      expect(silent.ended).toBe("Finished")
      yield* live(3_000)
      expect(yield* Fiber.join(draining)).toMatchObject({ forced: 0 })
    }))

  it.effect("55: accepts for longer than a second while clients come, who may have waited in the backlog", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open()
      crowd(town)
      const draining = yield* Effect.forkChild(server.drain)
      for (let times = 0; times < 200; times++) {
        polite(town.come())
        yield* live(20)
      }
      expect([server.drainPhase, town.entry().state]).toEqual(["closing", "Accepting"])
      yield* live(4_000)
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 240, forced: 0 })
    }))

  it.effect("but for no more than a backlog holds", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open()
      crowd(town)
      yield* Effect.forkChild(server.drain)
      for (let times = 0; times < 60; times++) {
        for (let count = 0; count < 10; count++) polite(town.come())
        yield* live(20)
      }
      expect(town.entry().state).toBe("Closed")
    }))
})
