import { CloseReason, type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { once } from "node:events"
import { connect, exchange, until } from "./client.ts"

const service = Service.plain(
  Lines.make({ maxLength: 16 }),
  (line) => line === "bye" ? Service.last("bye") : `echo: ${line}`,
)

const print = (event: Event): void => {
  if (event._tag === "Opened") console.log(`${event.connection} opened`)
  if (event._tag !== "Closed") return
  const { connection, reason, counters } = event
  const detail = CloseReason.describe(reason) ?? `${counters.framesReceived} in, ${counters.framesSent} out`
  console.log(`${connection} closed: ${CloseReason.label(reason)}, ${detail}`)
}

const server = await start(service, { address: "127.0.0.1:0", observers: [print], log: false })
const over = () => until(() => server.connections.size === 0)

await exchange(server.address, "one\ntwo\n") // asks, and finishes
await over()

const polite = await connect(server.address)
polite.write("bye\n") // the server finishes first
await once(polite.resume(), "close")
await over()

const rude = await connect(server.address)
rude.write("hello\n")
await once(rude, "data")
rude.resetAndDestroy() // RST
await over()

await exchange(server.address, "one\ntw") // finishes in the middle of a line
await over()

await exchange(server.address, "a line that is longer\n")
await over()

await connect(server.address) // stays until the server ends it
await until(() => server.connections.size === 1)
await server.drain()
