/**
 * A server that sends a firmware, run by `firmware.test.ts` on each runtime. Devices say `hello OFFSET`, then `ack OFFSET`,
 * `pong` and `answer N`; they are sent `part OFFSET CONTENT`, `ping` and, four times a second, `ask N`.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Directory, Lines, Service, Transfer } from "anyport"
import { start } from "anyport/start"

const lines = Lines.make({ maxLength: 64 * 1024 })
const size = 4 * 1024 * 1024
const firmware = new Uint8Array(size).map((_, index) => 97 + (index * 7 + (index >> 9)) % 26)
const text = new TextDecoder()
const devices = Effect.runSync(Directory.make<string, string, true>())

const outcomes: Record<string, number> = {}
const asking = Effect.forever(Effect.gen(function* () {
  yield* Effect.sleep("250 millis")
  yield* Effect.forkChild(Effect.map(
    devices.ask("device", (id) => `ask ${id}`, { timeout: "2 seconds" }),
    ({ _tag }) => outcomes[_tag] = (outcomes[_tag] ?? 0) + 1,
  ))
}))

const updates = Service.session(lines, (connection) =>
  Effect.gen(function* () {
    const from = Number((yield* connection.receive)?.split(" ")[1])
    const member = yield* devices.join("device", connection)
    const acknowledgements = new Transfer.Acknowledgements()
    const frame = (bytes: Uint8Array, offset: number): string => `part ${offset} ${text.decode(bytes)}`
    const content = Stream.succeed(firmware.subarray(from))
    yield* Effect.forkScoped(connection.sendAll(content, { from, frame, acknowledgements }))
    for (;;) {
      const line = yield* connection.receive
      if (line === undefined) return
      const [verb, value] = line.split(" ")
      if (verb === "ack") acknowledgements.confirm(Number(value))
      if (verb === "answer") member.answer(Number(value), true)
    }
  }), { heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" } })

const reasons: Array<string> = []
const server = await start(updates, {
  address: "127.0.0.1:0",
  heartbeat: { interval: "500 millis", missed: 4 },
  observers: [(event) => {
    if (event._tag === "Closed") reasons.push(event.reason._tag)
  }],
})
Effect.runFork(asking)
console.log(server.port)
process.on("SIGTERM", async () => {
  await server.drain()
  console.log(JSON.stringify({ reasons, outcomes }))
  process.exit(0)
})
