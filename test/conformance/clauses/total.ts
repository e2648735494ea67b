/** Clause 3, total: every method may be called in every state, twice and after the end, and then does nothing. */
import * as Effect from "effect/Effect"
import * as Case from "./Case.ts"
import type { End } from "./End.ts"
import { attached, connect, expect, finishBoth, listen, pair, settle } from "./harness.ts"

/** Calls every method of an end that is over, twice. */
const callAll = (end: End) =>
  Effect.gen(function* () {
    for (let times = 0; times < 2; times++) {
      end.pause()
      end.resume()
      end.shutdown()
      end.abort()
      yield* expect(end.write(new Uint8Array(10)) === 0, "write took bytes after the end")
      yield* expect(end.write(new Uint8Array(0)) === 0, "write of nothing took bytes")
    }
    yield* expect(end.transport.sending === 0, "still sending after the end")
    void end.transport.localAddress
    void end.transport.remoteAddress
    yield* settle
    yield* end.until("no violation", () => true)
  })

/** The cases of clause 3. */
export const total: ReadonlyArray<Case.Case> = [
  Case.make(3, "every method does nothing after Finished, twice [d5-14]", () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      yield* finishBoth(ends)
      yield* callAll(ends.server)
      yield* callAll(ends.client)
    })),

  Case.make(
    3,
    "every method does nothing after Aborted and after the peer's abort, twice [d5-14]",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* attached()
        server.onFin = () => server.shutdown()
        client.abort()
        yield* client.untilClosed("Aborted")
        yield* server.until("closed", (end) => end.end !== undefined)
        yield* callAll(client)
        yield* callAll(server)
      }),
  ),

  Case.make(3, "every method may be called between abort and its report", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.abort()
      server.pause()
      server.resume()
      server.shutdown()
      server.abort()
      yield* expect(server.write(new Uint8Array(10)) === 0, "write took bytes after abort")
      yield* server.untilClosed("Aborted")
      client.abort()
      yield* client.until("closed", (end) => end.end !== undefined)
    })),

  Case.make(3, "every method may be called before attach", () =>
    Effect.gen(function* () {
      const ends = yield* pair()
      ends.server.pause()
      ends.server.resume()
      ends.server.pause()
      ends.server.send(1000)
      ends.client.send(1000)
      ends.client.attach()
      yield* ends.client.untilReceived(1000)
      ends.server.attach()
      yield* settle
      yield* expect(ends.server.received === 0, "received while paused since before attach")
      ends.server.resume()
      yield* ends.server.untilReceived(1000)
      yield* finishBoth(ends)
    })),

  Case.make(3, "pause, resume and shutdown twice are as once", () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      for (const end of [client, server]) {
        end.pause()
        end.pause()
        end.resume()
        end.resume()
        end.send(100_000)
      }
      yield* client.untilReceived(100_000)
      yield* server.untilReceived(100_000)
      client.shutdown()
      client.shutdown()
      yield* expect(client.write(new Uint8Array(1)) === 0, "write took bytes after shutdown")
      server.shutdown()
      server.shutdown()
      yield* client.untilClosed("Finished")
      yield* server.untilClosed("Finished")
    })),

  Case.make(3, "a client that aborts as soon as it is connected harms nobody [F3]", () =>
    Effect.gen(function* () {
      const bound = yield* listen()
      for (let round = 0; round < 20; round++) {
        const client = yield* connect(bound.address)
        client.abort()
        client.attach()
        yield* client.untilClosed("Aborted")
      }
      const last = yield* connect(bound.address)
      last.attach()
      last.send(10)
      for (let round = 0; round < 20; round++) {
        const server = yield* bound.next
        server.onFin = () => server.shutdown()
        server.attach()
        yield* server.until("closed", (end) => end.end !== undefined)
      }
      const server = yield* bound.next
      server.attach()
      yield* server.untilReceived(10)
      yield* finishBoth({ client: last, server })
    })),
]
