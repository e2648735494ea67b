import { CloseReason, type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { connect, exchange, until } from "./client.ts"

const page = "x".repeat(1_048_576)

const service = Service.plain(
  Lines.make({ maxLength: 80 }),
  (line) => line === "page" ? page : new Promise<never>(() => {}),
  { timeout: "200 millis" },
)

const print = (event: Event): void => {
  if (event._tag === "Closed") console.log(`${CloseReason.label(event.reason)}, bytes unsent: ${event.unsent > 0}`)
}

const server = await start(service, {
  address: "127.0.0.1:0",
  deadlines: { writeStall: "200 millis" },
  observers: [print],
  log: false,
})
const over = () => until(() => server.connections.size === 0)

await exchange(server.address, "think\n") // a handler that never answers
await over()

const client = await connect(server.address)
client.pause() // a client that never reads
client.write("page\n".repeat(64))
await until(() => server.connections.size === 1)
await over()
client.destroy()
await server.drain()
