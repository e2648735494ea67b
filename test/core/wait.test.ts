/** Waits of a fiber, which go on by a way of their own: what `Effect.callback` promises holds for them as well. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { AsyncResource } from "node:async_hooks"
import { describe, vi } from "vitest"
import { wait } from "../../core/Wait.ts"

/** Somebody to be woken. */
const bell = () => {
  const waiters = new Set<() => void>()
  const rung = wait((wake) => {
    waiters.add(wake)
    return () => waiters.delete(wake)
  })
  return { rung, waiters, ring: () => [...waiters].forEach((wake) => wake()) }
}

describe("a wait", () => {
  it("goes on in place each time it is woken, and gives what the fiber ends with", () => {
    const { rung, ring, waiters } = bell()
    let rounds = 0
    const fiber = Effect.runFork(Effect.gen(function* () {
      while (rounds < 3) {
        yield* rung
        waiters.clear()
        rounds++
      }
      return "done"
    }))
    for (let round = 1; round <= 3; round++) {
      expect(fiber.pollUnsafe()).toBeUndefined()
      ring()
      expect(rounds).toBe(round)
    }
    expect(fiber.pollUnsafe()).toEqual(Exit.succeed("done"))
  })

  it("that is woken twice goes on once", () => {
    const { rung, waiters } = bell()
    let rounds = 0
    const fiber = Effect.runFork(Effect.andThen(rung, Effect.andThen(Effect.sync(() => rounds++), Effect.never)))
    const [wake] = [...waiters]
    wake!()
    wake!()
    // What it waits for next is not what it was woken for.
    expect([rounds, fiber.pollUnsafe()]).toEqual([1, undefined])
  })

  it("is over when its fiber is interrupted, and a late call does nothing", () => {
    const { rung, waiters } = bell()
    let finalized = 0
    let rounds = 0
    const fiber = Effect.runFork(
      Effect.ensuring(Effect.andThen(rung, Effect.sync(() => rounds++)), Effect.sync(() => finalized++)),
    )
    const [wake] = [...waiters]
    fiber.interruptUnsafe()
    expect([finalized, waiters.size]).toEqual([1, 0])
    wake!()
    expect([rounds, finalized, Exit.hasInterrupts(fiber.pollUnsafe()!)]).toEqual([0, 1, true])
  })

  it.effect("is interrupted by what it races with, and its fiber goes on", () =>
    Effect.gen(function* () {
      const { rung, waiters } = bell()
      expect(yield* Effect.raceFirst(Effect.as(rung, "rung"), Effect.succeed("other"))).toBe("other")
      expect(waiters.size).toBe(0)
    }))

  it.effect("lets the fiber wait for something else afterwards, and be joined", () =>
    Effect.gen(function* () {
      const { rung, ring } = bell()
      const fiber = yield* Effect.forkChild(
        Effect.andThen(rung, Effect.andThen(Effect.yieldNow, Effect.fail("afterwards"))),
        { startImmediately: true },
      )
      ring()
      expect(yield* Effect.flip(Fiber.join(fiber))).toBe("afterwards")
    }))

  it("reports a defect behind it as the fiber's", () => {
    const { rung, ring } = bell()
    const fiber = Effect.runFork(Effect.andThen(
      rung,
      Effect.sync(() => {
        throw new Error("behind")
      }),
    ))
    ring()
    expect(Exit.hasDies(fiber.pollUnsafe()!)).toBe(true)
  })

  it("that comes again and again takes no AsyncResource but the first", () => {
    const { rung, ring, waiters } = bell()
    const fiber = Effect.runFork(Effect.gen(function* () {
      for (;;) {
        yield* rung
        waiters.clear()
      }
    }))
    const entered = vi.spyOn(AsyncResource.prototype, "runInAsyncScope")
    for (let round = 0; round < 10; round++) ring()
    expect(entered).not.toHaveBeenCalled()
    expect(waiters.size).toBe(1)
    entered.mockRestore()
    fiber.interruptUnsafe()
  })
})
