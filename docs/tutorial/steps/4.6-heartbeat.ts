import { type Event, Lines, Server, Service, Sockets } from "anyport"
import { layer as memory } from "anyport/memory"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

const service = Service.respond(Lines.make({ maxLength: 80 }), (line) => Effect.succeed(`echo: ${line}`), {
  heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" },
})

/** Lets everything be delivered that is due. No time passes. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const test = Effect.gen(function* () {
  let seconds = 0
  const print = (event: Event): void => {
    if (event._tag === "Suspected") console.log(`${seconds} s: ${event.connection} is suspected`)
    if (event._tag === "Closed" && event.reason._tag === "HeartbeatLost") {
      console.log(`${seconds} s: ${event.connection} is gone`)
    }
  }
  const server = yield* Server.make({
    listeners: [{ address: "127.0.0.1:9000", service }],
    heartbeat: { interval: "30 seconds", missed: 3 },
    observers: [print],
  })
  const { connect } = yield* Sockets.Sockets

  /** Answers pings, or has vanished: neither FIN nor reset will ever come from it. */
  const client = Effect.fnUntraced(function* (alive: boolean) {
    const transport = yield* connect({ address: server.addresses[0]! })
    const bytes = () => alive && transport.write(new TextEncoder().encode("pong\n"))
    transport.attach({ bytes, writable: () => {}, fin: () => {}, closed: () => {} })
    yield* settle
  })
  yield* client(true)
  yield* client(false)

  while (seconds < 600) {
    seconds += 10
    yield* TestClock.adjust("10 seconds")
    yield* settle
  }
  const [alive] = server.connections.values()
  console.log(`${seconds} s: ${alive!.id} is alive, and was asked ${alive!.counters.framesSent} times`)
  server.abort()
})

await Effect.runPromise(Effect.scoped(test).pipe(Effect.provide(memory()), Effect.provide(TestClock.layer())))
