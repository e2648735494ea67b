import { CloseReason, type Event, Lines, Server, Service, Sockets } from "anyport"
import { layer as memory } from "anyport/memory"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { deepStrictEqual } from "node:assert/strict"

const service = Service.respond(
  Lines.make({ maxLength: 80 }),
  (line) => line === "never" ? Effect.never : Effect.delay(Effect.succeed(line), "10 minutes"),
  { timeout: "1 hour" },
)

/** Lets everything be delivered that is due. No time passes. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const test = Effect.gen(function* () {
  const reasons: Array<string> = []
  const note = (event: Event) => event._tag === "Closed" && reasons.push(CloseReason.label(event.reason))
  const server = yield* Server.make({ listeners: [{ address: "127.0.0.1:9000", service }], observers: [note] })

  const client = yield* (yield* Sockets.Sockets).connect({ address: server.addresses[0]! })
  let received = ""
  client.attach({
    bytes: (chunk) => received += new TextDecoder().decode(chunk),
    writable: () => {},
    fin: () => client.shutdown(),
    closed: () => {},
  })

  client.write(new TextEncoder().encode("hello\nnever\n"))
  yield* settle
  deepStrictEqual(received, "")

  yield* TestClock.adjust("10 minutes")
  yield* settle
  deepStrictEqual(received, "hello\n")

  yield* TestClock.adjust("61 minutes")
  yield* settle
  deepStrictEqual(reasons, ["handler_timeout"])
  server.abort() // a drain takes a moment, by a clock that nobody moves any more
})

await Effect.runPromise(Effect.scoped(test).pipe(Effect.provide(memory()), Effect.provide(TestClock.layer())))
console.log("passed, and more than an hour has gone by")
