/** `listen` and `connect` over time: what close, a closed scope and an interruption end, and who may share a port. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Sockets } from "../../../core/Sockets.ts"
import * as Case from "./Case.ts"
import type { End } from "./End.ts"
import { attached, connect, expect, finishBoth, here, listen, problem, settle } from "./harness.ts"

/** The cases of lifetimes. */
export const lifetime: ReadonlyArray<Case.Case> = [
  Case.make(
    0,
    "close stops accepting, does not wait for connections, and frees the port",
    () =>
      Effect.gen(function* () {
        const bound = yield* listen()
        const ends = yield* attached(bound)
        yield* bound.listener.close
        yield* bound.listener.close
        bound.listener.pause()
        yield* bound.listener.resume
        yield* problem("Refused", connect(bound.address))
        ends.client.send(100_000)
        yield* ends.server.untilReceived(100_000)
        yield* finishBoth(yield* attached(yield* listen(bound.address)))
        yield* finishBoth(ends)
      }),
  ),

  Case.make(0, "closing the scope of connect aborts the connection", () =>
    Effect.gen(function* () {
      const bound = yield* listen()
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connect(bound.address), scope)
      client.attach()
      const server = yield* bound.next
      server.onFin = () => server.shutdown()
      server.attach()
      yield* Scope.close(scope, Exit.void)
      yield* client.untilClosed("Aborted")
      yield* server.until("closed", (end) => end.end !== undefined)
    })),

  Case.make(0, "interrupting connect, or who uses it, leaves no connection behind", () =>
    Effect.gen(function* () {
      const accepted: Array<End> = []
      const bound = yield* listen(here, (end) => {
        accepted.push(end)
        end.onFin = () => end.shutdown()
        end.attach()
      })
      for (let round = 0; round < 20; round++) {
        const user = Effect.scoped(Effect.andThen(connect(bound.address), Effect.never))
        yield* Fiber.interrupt(yield* Effect.forkChild(user, { startImmediately: true }))
      }
      yield* settle
      yield* expect(accepted.length <= 20, `${accepted.length} connections`)
      for (const end of accepted) yield* end.until("closed", (end) => end.end !== undefined)
    })),

  Case.make(0, "reusePort shares a port, or is Unsupported where the runtime cannot", () =>
    Effect.gen(function* () {
      const { capabilities } = yield* Sockets
      if (!capabilities.reusePort) {
        yield* problem("Unsupported", listen({ address: here, reusePort: true }))
        return
      }
      const first = yield* listen({ address: here, reusePort: true })
      yield* listen({ address: first.address, reusePort: true })
      yield* problem("AddressInUse", listen(first.address))
    })),
]
