/** Clause 4, pause: at most one chunk more, then silence and backpressure, and after `resume` nothing is missing. */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import { attached, expect, finishBoth, mebibyte, settle } from "./harness.ts"

/** The cases of clause 4. */
export const pause: ReadonlyArray<Case.Case> = [
  Case.make(
    4,
    "pause lets at most one more chunk through, fills the pipe, and resume gets the rest",
    () =>
      Effect.gen(function* () {
        const ends = yield* attached()
        ends.server.pause()
        ends.client.send(16 * mebibyte)
        yield* settle
        yield* settle
        yield* expect(ends.server.chunks <= 1, `${ends.server.chunks} chunks while paused`)
        yield* expect(ends.client.blocked, "16 MiB were taken although nobody reads")
        ends.server.resume()
        yield* ends.server.untilReceived(16 * mebibyte)
        yield* finishBoth(ends)
      }),
  ),

  Case.make(4, "pausing in each chunk loses nothing", () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      const { server } = ends
      const context = yield* Effect.context<never>()
      server.onBytes = () => {
        server.pause()
        Effect.runForkWith(context)(Effect.flatMap(Effect.yieldNow, () => Effect.sync(() => server.resume())))
      }
      ends.client.send(2 * mebibyte, 1000)
      yield* server.untilReceived(2 * mebibyte)
      server.onBytes = undefined
      yield* settle
      yield* finishBoth(ends)
    })),

  Case.make(4, "pause, the peer sends and finishes, resume: data, then fin [d5-5]", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.pause()
      client.sendAll(200_000)
      yield* settle
      yield* expect(server.chunks <= 1, `${server.chunks} chunks while paused`)
      server.resume()
      yield* server.until("fin", (end) => end.fins === 1)
      yield* expect(server.received === 200_000, `received ${server.received} bytes before fin`)
      server.shutdown()
      yield* server.untilClosed("Finished")
      yield* client.untilClosed("Finished")
    })),

  Case.make(4, "pause, the peer resets, resume: Reset [d5-6]", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.pause()
      client.send(100_000)
      yield* settle
      client.abort()
      yield* settle
      server.resume()
      yield* server.untilClosed("Reset")
      yield* client.untilClosed("Aborted")
    }), { needs: "reset" }),
]
