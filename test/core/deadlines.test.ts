import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { type Deadline, Deadlines } from "../../core/Deadlines.ts"

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

  it.effect("61: time in which the process did not run counts as one second at most", () =>
    Effect.gen(function* () {
      let nanos = 0n
      const clock = yield* TestClock.testClockWith(Effect.succeed)
      // A clock whose monotonic time leaps, as after SIGSTOP and SIGCONT, while its sleeps do not.
      const stopped = Object.assign(Object.create(clock) as typeof clock, { monotonicTimeNanosUnsafe: () => nanos })
      const deadlines = yield* Effect.provideService(wheel, Clock.Clock, stopped)
      const deadline = new Recorded()
      deadlines.arm(deadline, 5_000)
      nanos += 3_600_000_000_000n
      yield* TestClock.adjust("600 millis")
      expect(deadline.fired).toBe(0)
      expect(deadlines.now).toBe(1_000)
      deadlines.stop()
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
