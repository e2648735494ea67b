/** Clause 4, pause: at most one chunk more, then silence and backpressure, and after `resume` nothing is missing. */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import type { End } from "./End.ts"
import { attached, type Ends, expect, finishBoth, mebibyte, settle } from "./harness.ts"

/** The cases of clause 4, once for each end: runtimes may read what they accepted in another way than what they connected. */
const of = (who: "server" | "client"): ReadonlyArray<Case.Case> => [
  Case.make(
    4,
    `pause lets at most one more chunk through, fills the pipe, and resume gets the rest: ${who}`,
    () =>
      Effect.gen(function* () {
        const ends = yield* attached()
        const [one, other] = sides(who, ends)
        one.pause()
        other.send(16 * mebibyte)
        yield* settle
        yield* settle
        yield* expect(one.chunks <= 1, `${one.chunks} chunks while paused`)
        yield* expect(other.blocked, "16 MiB were taken although nobody reads")
        one.resume()
        yield* one.untilReceived(16 * mebibyte)
        yield* finishBoth(ends)
      }),
  ),

  Case.make(4, `pausing in each chunk loses nothing: ${who}`, () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      const [one, other] = sides(who, ends)
      const context = yield* Effect.context<never>()
      one.onBytes = () => {
        one.pause()
        Effect.runForkWith(context)(Effect.flatMap(Effect.yieldNow, () => Effect.sync(() => one.resume())))
      }
      other.send(2 * mebibyte, 1000)
      yield* one.untilReceived(2 * mebibyte)
      one.onBytes = undefined
      yield* settle
      yield* finishBoth(ends)
    })),

  // Fewer than wait in front of a FIN that a runtime sees, and more.
  ...[20_000, 200_000].map((bytes) =>
    Case.make(
      4,
      `pause, the peer sends ${bytes} bytes and finishes, resume: data, then fin: ${who} [d5-5]`,
      () =>
        Effect.gen(function* () {
          const [one, other] = sides(who, yield* attached())
          one.pause()
          other.sendAll(bytes)
          yield* settle
          yield* expect(one.chunks <= 1, `${one.chunks} chunks while paused`)
          one.resume()
          yield* one.until("fin", (end) => end.fins === 1)
          yield* expect(one.received === bytes, `received ${one.received} bytes before fin`)
          one.shutdown()
          yield* one.untilClosed("Finished")
          yield* other.untilClosed("Finished")
        }),
    )
  ),

  Case.make(4, `pause, the peer resets, resume: Reset: ${who} [d5-6]`, () =>
    Effect.gen(function* () {
      const [one, other] = sides(who, yield* attached())
      one.pause()
      other.send(100_000)
      yield* settle
      other.abort()
      yield* settle
      one.resume()
      yield* one.untilClosed("Reset")
      yield* other.untilClosed("Aborted")
    }), { needs: "reset" }),
]

/** Who pauses, and its peer. */
const sides = (who: "server" | "client", { client, server }: Ends): readonly [End, End] =>
  who === "server" ? [server, client] : [client, server]

/** The cases of clause 4. */
export const pause: ReadonlyArray<Case.Case> = [...of("server"), ...of("client")]
