/** Clause 8, accept: called before any byte, free to attach, hold or abort; and the pause of a listener. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Sockets } from "../../../core/Sockets.ts"
import * as Case from "./Case.ts"
import { attached, connect, expect, finishBoth, here, listen, pair, problem, settle } from "./harness.ts"

/** The cases of clause 8. */
export const accept: ReadonlyArray<Case.Case> = [
  Case.make(8, "accept is called before any byte is sent", () =>
    Effect.gen(function* () {
      yield* finishBoth(yield* attached())
    })),

  Case.make(8, "a transport held unread delivers nothing until it is attached", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      client.attach()
      client.sendAll(50_000)
      yield* settle
      yield* expect(server.received === 0, "received before attach")
      server.attach()
      yield* server.until("fin", (end) => end.fins === 1)
      yield* expect(server.received === 50_000, `received ${server.received} bytes before fin`)
      server.shutdown()
      yield* server.untilClosed("Finished")
      yield* client.untilClosed("Finished")
    })),

  Case.make(8, "attach in accept, with a write at once", () =>
    Effect.gen(function* () {
      const bound = yield* listen(here, (end) => {
        end.attach()
        end.send(10)
      })
      const client = yield* connect(bound.address)
      client.attach()
      client.send(10)
      const server = yield* bound.next
      yield* client.untilReceived(10)
      yield* server.untilReceived(10)
      yield* finishBoth({ client, server })
    })),

  Case.make(8, "abort in accept refuses the client", () =>
    Effect.gen(function* () {
      const bound = yield* listen(here, (end) => end.abort())
      // The reset may come before the runtime has reported the connection.
      const client = yield* Effect.result(connect(bound.address))
      if (Result.isSuccess(client)) {
        client.success.onFin = () => client.success.shutdown()
        client.success.attach()
        yield* client.success.until("closed", (end) => end.end !== undefined)
      } else yield* problem("Reset", Effect.fail(client.failure))
      const server = yield* bound.next
      server.attach()
      yield* server.untilClosed("Aborted")
    })),

  Case.make(8, "400 clients that connect in one turn are all accepted", () =>
    Effect.gen(function* () {
      const bound = yield* listen()
      const clients = yield* Effect.all(Array.from({ length: 400 }, () => connect(bound.address)), {
        concurrency: "unbounded",
      })
      for (const client of clients) {
        client.attach()
        const server = yield* bound.next
        server.attach()
      }
      for (const client of clients) {
        client.abort()
        yield* client.untilClosed("Aborted")
      }
    })),

  Case.make(
    8,
    "a paused listener accepts nobody and harms nobody; after resume it accepts again",
    () =>
      Effect.gen(function* () {
        const { capabilities } = yield* Sockets
        let accepted = 0
        const bound = yield* listen(here, () => accepted++)
        const ends = yield* attached(bound)
        bound.listener.pause()
        bound.listener.pause()
        if (capabilities.stopAccepting === "unbind") yield* problem("Refused", connect(bound.address))
        else yield* connect(bound.address)
        yield* settle
        yield* expect(accepted === 1, "accepted while paused")
        ends.client.send(10)
        yield* ends.server.untilReceived(10)
        yield* bound.listener.resume
        yield* bound.listener.resume
        if (capabilities.stopAccepting === "backlog") (yield* bound.next).abort()
        yield* finishBoth(yield* attached(bound))
        yield* finishBoth(ends)
      }),
  ),
]
