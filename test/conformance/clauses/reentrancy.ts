/**
 * Clause 2, no call inside a call: methods called where an adapter is tempted to call back at once.
 *
 * That it does not is seen by each `End`, in these cases and all others.
 */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import { attached, finishBoth, mebibyte, pair, settle } from "./harness.ts"

/** The cases of clause 2. */
export const reentrancy: ReadonlyArray<Case.Case> = [
  Case.make(2, "attach and resume return before the first bytes, which were waiting", () =>
    Effect.gen(function* () {
      const ends = yield* pair()
      ends.client.attach()
      ends.client.send(1000)
      yield* settle
      ends.server.attach()
      yield* ends.server.untilReceived(1000)
      ends.server.pause()
      ends.client.send(1000)
      yield* settle
      ends.server.resume()
      yield* ends.server.untilReceived(2000)
      yield* finishBoth(ends)
    })),

  ...(["abort", "shutdown", "pause", "resume"] as const).map((method) =>
    Case.make(2, `${method} called from bytes, and twice, calls nobody back at once`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* attached()
        server.onBytes = () => {
          server[method]()
          server[method]()
        }
        client.send(1)
        yield* server.untilReceived(1)
        server.onBytes = undefined
        client.abort()
        server.abort()
        yield* server.until("closed", (end) => end.end !== undefined)
        yield* client.until("closed", (end) => end.end !== undefined)
      }))
  ),

  Case.make(2, "a large write and shutdown called from bytes, and abort from fin", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.onBytes = () => server.sendAll(8 * mebibyte)
      server.onFin = () => server.abort()
      client.send(1)
      yield* client.untilReceived(8 * mebibyte)
      client.shutdown()
      yield* server.until("closed", (end) => end.end !== undefined)
      yield* client.until("closed", (end) => end.end !== undefined)
    })),

  Case.make(2, "shutdown called from fin ends both sides", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.onFin = () => server.shutdown()
      client.shutdown()
      yield* server.untilClosed("Finished")
      yield* client.untilClosed("Finished")
    })),
]
