/**
 * Clause 7, order: how a connection ends that does not end as `Finished`, once and after all else.
 *
 * That nothing comes after `closed` is seen by each `End`, in these cases and all others.
 */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import { attached, expect, mebibyte, pair, settle } from "./harness.ts"

/** The cases of clause 7. */
export const ending: ReadonlyArray<Case.Case> = [
  Case.make(
    7,
    "the peer goes away while writes are queued: Reset, and nothing spins [d5-7]",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* pair()
        server.attach()
        server.send(16 * mebibyte)
        yield* settle
        yield* expect(server.blocked, "16 MiB were taken although nobody reads")
        client.abort() // with bytes unread, so every system sends RST
        yield* server.untilClosed("Reset")
        yield* expect(server.writables < 1_000, `writable was called ${server.writables} times`)
        yield* expect(server.transport.sending === 0, "still sending after a reset")
      }),
  ),

  Case.make(7, "a reset of an idle connection is Reset", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      client.abort()
      yield* server.untilClosed("Reset")
      yield* client.untilClosed("Aborted")
      yield* expect(server.fins === 0, "fin of a peer that has reset")
    }), { needs: "reset" }),

  Case.make(7, "a reset that a write meets before it was reported is Reset", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      client.abort()
      server.send(10)
      server.send(10)
      yield* server.untilClosed("Reset")
    }), { needs: "reset" }),

  Case.make(7, "a reset after our shutdown is Reset", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.shutdown()
      yield* client.until("fin", (end) => end.fins === 1)
      client.abort()
      yield* server.untilClosed("Reset")
    }), { needs: "reset" }),

  Case.make(7, "a reset after the peer's fin ends a reply that is queued with Reset", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      server.attach()
      server.onFin = () => server.send(16 * mebibyte)
      client.shutdown()
      yield* server.until("fin", (end) => end.fins === 1)
      yield* settle
      client.abort()
      yield* server.untilClosed("Reset")
    })),

  Case.make(7, "a transport that was reset before attach reports after it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      client.abort()
      yield* settle
      server.attach()
      yield* server.untilClosed("Reset")
    }), { needs: "reset" }),

  Case.make(7, "a transport that was aborted before attach reports after it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      client.abort()
      server.abort()
      yield* settle
      server.attach()
      client.attach()
      yield* server.untilClosed("Aborted")
      yield* client.untilClosed("Aborted")
    })),

  Case.make(7, "abort directly behind shutdown is Aborted, once", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.shutdown()
      server.abort()
      yield* server.untilClosed("Aborted")
      client.shutdown()
      yield* client.until("closed", (end) => end.end !== undefined)
    })),
]
