/**
 * Clauses 5 and 6, fin and shutdown: each direction ends by itself, and `Finished` is the end of both. Resets are
 * clause 7.
 */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import { attached, expect, mebibyte, settle } from "./harness.ts"

/** The cases of clauses 5 and 6. */
export const halfClose: ReadonlyArray<Case.Case> = [
  Case.make(5, "the peer half-closes and gets a reply of 1 MiB [d5-3]", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.onFin = () => server.sendAll(mebibyte)
      client.sendAll(100)
      yield* client.until("fin", (end) => end.fins === 1)
      yield* expect(client.received === mebibyte, `received ${client.received} bytes before fin`)
      yield* client.untilClosed("Finished")
      yield* server.untilClosed("Finished")
    })),

  Case.make(5, "fin comes once and closes nothing", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      client.shutdown()
      yield* server.until("fin", (end) => end.fins === 1)
      for (let round = 1; round <= 20; round++) {
        server.send(1)
        yield* client.untilReceived(round)
      }
      yield* settle
      yield* expect(server.end === undefined && client.end === undefined, "closed because of fin")
      server.pause()
      server.resume()
      server.shutdown()
      yield* client.untilClosed("Finished")
      yield* server.untilClosed("Finished")
    })),

  Case.make(6, "after our shutdown the peer sends 1 MiB more [d5-4]", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.shutdown()
      yield* client.until("fin", (end) => end.fins === 1)
      client.sendAll(mebibyte)
      yield* server.until("fin", (end) => end.fins === 1)
      yield* expect(server.received === mebibyte, `received ${server.received} bytes before fin`)
      yield* server.untilClosed("Finished")
      yield* client.untilClosed("Finished")
    })),

  Case.make(
    6,
    "shutdown directly behind a large reply while the peer keeps sending: all of it arrives [d5-2]",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* attached()
        client.send(8 * mebibyte)
        server.sendAll(8 * mebibyte)
        yield* client.until("fin", (end) => end.fins === 1)
        yield* expect(client.received === 8 * mebibyte, `received ${client.received} bytes before fin`)
        yield* server.untilReceived(8 * mebibyte)
        client.shutdown()
        yield* server.untilClosed("Finished")
        yield* client.untilClosed("Finished")
      }),
  ),

  Case.make(6, "both sides shut down at once: Finished and Finished", () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      ends.client.sendAll(10)
      ends.server.sendAll(10)
      yield* ends.client.untilClosed("Finished")
      yield* ends.server.untilClosed("Finished")
      yield* expect(ends.client.fins === 1 && ends.server.fins === 1, "closed without fin")
      yield* expect(ends.client.received === 10 && ends.server.received === 10, "closed without the bytes")
    })),
]
