import { type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { once } from "node:events"
import { connect, until } from "./client.ts"

/** `slow` is answered when somebody opens the gate, `stuck` never. */
let open = (): void => {}
const gate = new Promise<void>((resolve) => open = resolve)
const service = Service.plain(Lines.make({ maxLength: 80 }), async (line) => {
  if (line === "slow") await gate
  if (line === "stuck") await new Promise(() => {})
  return `done: ${line}`
})

const print = (event: Event): void => {
  if (event._tag === "Draining") console.log(`draining ${event.connections}`)
  if (event._tag === "Closed") console.log(`connection ${event.connection}: ${event.reason._tag}`)
}

const server = await start(service, {
  address: "127.0.0.1:0",
  drain: { timeout: "1 second" },
  observers: [print],
  log: false,
})

const [idle, slow, stuck] = [
  await connect(server.address),
  await connect(server.address),
  await connect(server.address),
]
slow.write("slow\n")
stuck.write("stuck\n")
idle.resume()
const begun = () => [...server.connections.values()].filter(({ counters }) => counters.framesReceived > 0)
await until(() => begun().length === 2)

const report = server.drain()
await until(() => server.connections.size === 2) // the idle one has gone
open()
console.log(`${await once(slow, "data")}`.trim())
console.log(JSON.stringify(await report))
