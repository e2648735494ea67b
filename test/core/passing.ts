/** Time as core's tests let it pass, on the clock of the test and on one that leaps. */
import { expect } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { CloseReason } from "../../core/CloseReason.ts"
import { type Harness, turns } from "./harness.ts"
import type { Peer } from "./scripted.ts"

/** How late the end of a time is noticed at most, in milliseconds: half a second, and a slot of the wheel. */
export const late = 560

/** Lets time pass, in steps in which a loop turns. */
export const pass = Effect.fnUntraced(function* (millis: number) {
  for (let left = millis; left > 0; left -= 500) yield* TestClock.adjust(Math.min(500, left))
  yield* turns
})

/** Whether the server has begun to end it. */
export const ends = (peer: Peer): boolean => peer.gotFin || peer.calls.includes("abort")

/** Expects that it is open up to a time and ending soon after it. */
export const endsAfter = Effect.fnUntraced(function* (peer: Peer, millis: number, slack = late) {
  yield* pass(millis - 50)
  expect(ends(peer)).toBe(false)
  yield* pass(50 + slack)
  expect(ends(peer)).toBe(true)
})

/** Why all of these ended, each of which finishes now where it has not. */
export const reasonsOf = Effect.fnUntraced(function* ({ of }: Harness, ...peers: ReadonlyArray<Peer>) {
  for (const peer of peers) if (peer.ended === undefined && peer.gotFin) peer.fin()
  yield* turns
  return of("Closed").map(({ reason }): CloseReason => reason)
})

/** The test's clock, but that its monotonic time can leap, as that of a process that was stopped. */
export const leaping = Effect.map(TestClock.testClockWith(Effect.succeed), (clock) => {
  let leapt = 0n
  const stopped = Object.assign(Object.create(clock) as typeof clock, {
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + leapt,
  })
  return {
    /** Lets the effect, and what it starts, live by this clock. */
    provide: Effect.provideService(Clock.Clock, stopped),
    /** So many milliseconds in which nothing ran. */
    leap: (millis: number): void => {
      leapt += BigInt(Math.round(millis * 1e6))
    },
  }
})

/** The test's clock, and how often somebody slept by it. */
export const counting = Effect.map(TestClock.testClockWith(Effect.succeed), (clock) => {
  let sleeps = 0
  const counted = Object.assign(Object.create(clock) as typeof clock, {
    sleep: (duration: Parameters<typeof clock.sleep>[0]) => {
      sleeps++
      return clock.sleep(duration)
    },
  })
  return {
    /** Lets the effect, and what it starts, live by this clock. */
    provide: Effect.provideService(Clock.Clock, counted),
    slept: (): number => sleeps,
  }
})
