import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Inquiry } from "../../ops/workers/Inquiry.ts"
import { type Account, Ledger } from "../../ops/workers/Ledger.ts"
import { pass, settle } from "./crew.ts"

const account: Account = { draining: false, problems: [], families: [] }

/** An inquiry that only the test answers. */
const silent = (): { readonly inquiry: Inquiry; readonly asked: () => number } => {
  let asked = 0
  return { inquiry: new Inquiry(() => asked++, new Ledger()), asked: () => asked }
}

it.effect("waits for the answer, and keeps it", () =>
  Effect.gen(function* () {
    const { inquiry, asked } = silent()
    const waiting = yield* Effect.forkChild(inquiry.ask)
    yield* settle
    expect({ asked: asked(), over: waiting.pollUnsafe() }).toEqual({ asked: 1, over: undefined })
    inquiry.answer(account)
    yield* Fiber.join(waiting)
    expect(inquiry.last).toBe(account)
    expect(yield* inquiry.silence).toBe(0)
  }))

it.effect("who asks meanwhile shares the answer, and who asks afterwards gets a new one", () =>
  Effect.gen(function* () {
    const { inquiry, asked } = silent()
    const waiting = yield* Effect.forkChild(Effect.all([inquiry.ask, inquiry.ask], { concurrency: "unbounded" }))
    yield* settle
    expect(asked()).toBe(1)
    inquiry.answer(account)
    yield* Fiber.join(waiting)
    yield* Effect.forkChild(inquiry.ask)
    yield* settle
    expect(asked()).toBe(2)
  }))

it.effect("an answer that does not come holds up the first who asks, for less than a second, and is asked for once", () =>
  Effect.gen(function* () {
    const { inquiry, asked } = silent()
    inquiry.answer(account)
    const waiting = yield* Effect.forkChild(inquiry.ask)
    yield* pass(700)
    expect(waiting.pollUnsafe()).toBe(undefined)
    yield* pass(299)
    expect(waiting.pollUnsafe(), "over").not.toBe(undefined)
    for (let time = 0; time < 10; time++) yield* inquiry.ask // or the test would not end
    expect(asked()).toBe(1)
    expect(inquiry.last, "the one before").toBe(account)
    yield* pass("1 minute")
    expect(yield* inquiry.silence).toBe(60_999)
    inquiry.answer(account)
    expect(yield* inquiry.silence).toBe(0)
    yield* Effect.forkChild(inquiry.ask)
    yield* settle
    expect(asked(), "who came back is asked again").toBe(2)
  }))
