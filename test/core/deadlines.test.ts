import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { type Deadline, Deadlines } from "../../core/Deadlines.ts"
import { leaping } from "./passing.ts"

class Recorded implements Deadline {
  slot = 0
  fired = 0
  expire(): void {
    this.fired++
  }
}

const wheel = Effect.map(Effect.context<never>(), (context) => new Deadlines(context))

describe("the wheel", () => {
  it.effect("fires within a slot after the time, never before it, and once", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const deadline = new Recorded()
      deadlines.arm(deadline, 1_000)
      yield* TestClock.adjust("999 millis")
      expect(deadline.fired).toBe(0)
      yield* TestClock.adjust("51 millis")
      expect(deadline.fired).toBe(1)
      yield* TestClock.adjust("1 hour")
      expect(deadline.fired).toBe(1)
    }))

  it.effect("arming again moves the deadline, disarming forgets it", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const [moved, forgotten] = [new Recorded(), new Recorded()]
      deadlines.arm(moved, 1_000)
      deadlines.arm(forgotten, 1_000)
      yield* TestClock.adjust("500 millis")
      deadlines.arm(moved, 1_000)
      deadlines.disarm(forgotten)
      yield* TestClock.adjust("900 millis")
      expect(moved.fired).toBe(0)
      yield* TestClock.adjust("200 millis")
      expect([moved.fired, forgotten.fired]).toEqual([1, 0])
    }))

  it.effect("a nearer deadline is met though the wheel sleeps for a farther one", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const [far, near] = [new Recorded(), new Recorded()]
      deadlines.arm(far, 60_000)
      yield* TestClock.adjust("10 seconds")
      deadlines.arm(near, 100)
      yield* TestClock.adjust("200 millis")
      expect([far.fired, near.fired]).toEqual([0, 1])
      yield* TestClock.adjust("50 seconds")
      expect(far.fired).toBe(1)
    }))

  it.effect("expiring may arm again", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      let fired = 0
      const again: Deadline = {
        slot: 0,
        expire: () => {
          fired++
          deadlines.arm(again, 1_000)
        },
      }
      deadlines.arm(again, 1_000)
      yield* TestClock.adjust("5500 millis")
      expect(fired).toBe(5)
      deadlines.stop()
    }))

  it.effect("61: time in which the process did not run counts as half a second at most", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      const deadline = new Recorded()
      deadlines.arm(deadline, 5_000)
      leap(3_600_000)
      yield* TestClock.adjust("250 millis")
      expect([deadline.fired, deadlines.now]).toEqual([0, 500])
      expect([deadlines.elapsed, deadlines.stoppedAt, deadlines.resumedAt]).toEqual([3_600_250, 0, 3_600_250])
      yield* TestClock.adjust("4500 millis")
      expect(deadline.fired).toBe(0)
      yield* TestClock.adjust("50 millis")
      expect(deadline.fired).toBe(1)
    }))

  it.effect("61: time in which nothing was armed was no stop", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      leap(3_600_000)
      deadlines.arm(new Recorded(), 5_000)
      expect([deadlines.elapsed, deadlines.resumedAt]).toEqual([3_600_000, -Infinity])
      deadlines.stop()
    }))

  it.effect("what was written down between two looks is never early, however late the second is", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      for (const late of [0, 0.4, 10, 300, 499.5, 500, 501, 900, 1_400, 60_000]) {
        const { ahead, now } = deadlines
        expect([Number.isInteger(ahead), ahead > now, ahead <= now + 501]).toEqual([true, true, true])
        leap(late)
        expect(deadlines.look()).toBeLessThanOrEqual(ahead)
      }
    }))

  it.effect("many looks do not make it slow", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      for (let look = 0; look < 10_000; look++) {
        leap(0.0019) // a microsecond, and almost another one
        deadlines.look()
      }
      expect(deadlines.now).toBeCloseTo(19, 2)
    }))

  it.effect("one that expires may move another one of its slot, or make an end of it", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const [moved, ended, left, kept] = [new Recorded(), new Recorded(), new Recorded(), new Recorded()]
      const first: Deadline = {
        slot: 0,
        expire: () => {
          deadlines.arm(moved, 5_000)
          deadlines.disarm(ended)
          deadlines.armBy(kept, 5_000)
        },
      }
      for (const deadline of [first, moved, ended, left, kept]) deadlines.arm(deadline, 1_000)
      yield* TestClock.adjust("1050 millis")
      expect([moved, ended, left, kept].map(({ fired }) => fired)).toEqual([0, 0, 1, 1])
      yield* TestClock.adjust("5 seconds")
      expect(moved.fired).toBe(0)
      yield* TestClock.adjust("50 millis")
      expect([moved, ended, left, kept].map(({ fired }) => fired)).toEqual([1, 0, 1, 1])
    }))

  it.effect("one without an end is none, and whatever was armed before is forgotten", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const deadline = new Recorded()
      deadlines.arm(deadline, 1_000)
      deadlines.arm(deadline, Infinity)
      expect(deadline.slot).toBe(0)
      yield* TestClock.adjust("1 hour")
      expect(deadline.fired).toBe(0)
    }))

  it.effect("after long looks without anything armed, one is met as any", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      for (let minute = 0; minute < 100; minute++) {
        yield* TestClock.adjust("1 minute")
        deadlines.look()
      }
      const [far, near] = [new Recorded(), new Recorded()]
      deadlines.arm(far, 1_000)
      deadlines.arm(near, 100)
      yield* TestClock.adjust("150 millis")
      expect([far.fired, near.fired]).toEqual([0, 1])
      yield* TestClock.adjust("900 millis")
      expect(far.fired).toBe(1)
    }))

  it.effect("10,000 deadlines cost no more than their number", () =>
    Effect.gen(function* () {
      const deadlines = yield* wheel
      const all = Array.from({ length: 10_000 }, () => new Recorded())
      for (const [index, deadline] of all.entries()) deadlines.arm(deadline, 1_000 + (index % 100) * 10)
      yield* TestClock.adjust("3 seconds")
      expect(all.every(({ fired }) => fired === 1)).toBe(true)
    }))
})

describe("how late the loop is", () => {
  it.effect("is what its last sleep took longer, and nothing when that was in time", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      deadlines.arm(new Recorded(), 60_000)
      yield* TestClock.adjust("1 second")
      expect(deadlines.lag).toBe(0)
      leap(700)
      yield* TestClock.adjust("250 millis")
      expect(deadlines.lag).toBe(700)
      yield* TestClock.adjust("250 millis")
      expect(deadlines.lag).toBe(0)
      deadlines.stop()
    }))

  it.effect("is known also where something was armed sooner, before the sleep had ended", () =>
    Effect.gen(function* () {
      const { provide, leap } = yield* leaping
      const deadlines = yield* provide(wheel)
      deadlines.arm(new Recorded(), 60_000)
      leap(700)
      deadlines.arm(new Recorded(), 10) // at the end of the long turn
      yield* TestClock.adjust("250 millis")
      expect(deadlines.lag).toBe(700)
      yield* TestClock.adjust("250 millis")
      expect(deadlines.lag).toBe(0)
      deadlines.stop()
    }))
})
