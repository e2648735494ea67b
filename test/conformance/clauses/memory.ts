/**
 * Clause 1, borrowed both ways: memory lent to `write` and to `bytes` is the lender's again when the call returns.
 *
 * Each `End` overwrites such memory at once, so here is only traffic that an adapter might keep for later.
 */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import { attached, expect, finishBoth, mebibyte, pair, settle } from "./harness.ts"

/** The cases of clause 1. */
export const memory: ReadonlyArray<Case.Case> = [
  Case.make(1, "16 MiB to a reader that starts late arrive byte for byte [d5-1]", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      server.attach()
      server.sendAll(16 * mebibyte)
      yield* expect(server.blocked, "16 MiB were taken at once")
      yield* settle
      client.attach()
      yield* client.until("fin", (end) => end.fins === 1)
      yield* expect(client.received === 16 * mebibyte, `received ${client.received} bytes`)
      client.shutdown()
      yield* client.untilClosed("Finished")
      yield* server.untilClosed("Finished")
    })),

  ...([["64 B", 64], ["100 KiB", 100 * 1024], ["1 MiB", mebibyte]] as const).map(([label, size]) =>
    Case.make(
      1,
      `memory is free again when write returns: both ways in writes of ${label}`,
      () =>
        Effect.gen(function* () {
          const ends = yield* attached()
          const total = Math.min(4 * mebibyte, size * 4096)
          ends.client.send(total, size)
          ends.server.send(total, size)
          yield* ends.client.untilReceived(total)
          yield* ends.server.untilReceived(total)
          yield* finishBoth(ends)
        }),
    )
  ),

  Case.make(1, "writes of every length from 1 to 2,000 bytes arrive in order", () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      let total = 0
      for (let size = 1; size <= 2_000; size++) {
        total += size
        ends.client.send(total - ends.client.sent, size)
        if (ends.client.blocked) yield* ends.server.untilReceived(total)
      }
      yield* ends.server.untilReceived(total)
      yield* finishBoth(ends)
    })),
]
