/** Operators of docs/protocol/devices.ts: each one logs in, and gives an order now and then. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { Codec, Lines, Service } from "anyport"
import { Simulation } from "anyport/load"

interface Received {
  readonly type: string
  readonly device?: string
}

const codec = Codec.mapOrFail(Lines.make({ maxLength: 4_096 }), {
  decode: (line) => Result.succeed(JSON.parse(line) as Received), // what is no JSON is an InvalidFrame
  encode: (frame: Readonly<Record<string, string>>) => Result.succeed(JSON.stringify(frame)),
})

export default Simulation.make({
  target: "tcp://127.0.0.1:9000",
  codec,
  client: () => ({
    handshake: (link) =>
      Effect.gen(function* () {
        yield* link.send({ type: "login", id: "olga", token: "three" })
        if ((yield* link.receive)?.type !== "welcome") return yield* Effect.fail(new Service.LoginRefused({}))
      }),
    // What the server pings is a sign of life, and no answer. Orders are ours.
    heartbeat: { isPong: ({ type }) => type === "ping" },
    replies: { of: ({ type, device }) => type === "outcome" ? device : undefined },
    requestTimeout: "5 seconds",
  }),
  session: Effect.fnUntraced(function* (client) {
    yield* Effect.sleep(yield* Random.nextBetween(50, 150))
    yield* client.request({ type: "order", device: "device-1", what: "report" }, { key: "device-1" })
  }),
})
