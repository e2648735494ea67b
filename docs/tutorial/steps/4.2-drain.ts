import { type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { connect, until } from "./client.ts"

/** `slow` is answered when somebody opens the gate, `stuck` never. */
let open = (): void => {}
const gate = new Promise<void>((resolve) => open = resolve)
const service = Service.plain(
  Lines.make({ maxLength: 80 }),
  async (line) => {
    if (line === "slow") await gate
    if (line === "stuck") await new Promise(() => {})
    return `done: ${line}`
  },
  { goodbye: () => "goodbye" },
)

const print = (event: Event): void => {
  if (event._tag === "Draining") console.log(`${event.phase}, ${event.connections} open`)
  if (event._tag === "Closed") console.log(`  connection ${event.connection}: ${event.reason._tag}`)
}

const server = await start(service, {
  address: "127.0.0.1:0",
  drain: { timeout: "3 seconds" },
  observers: [print],
  log: false,
})
server.onDrain("announced", "deregister", () => console.log("  nobody new, please"))
server.onDrain("ended", "save", () => Promise.reject(new Error("disk full")))

const [idle, slow, stuck] = [
  await connect(server.address),
  await connect(server.address),
  await connect(server.address),
]
idle.once("data", () => idle.end()) // the goodbye: it closes first
slow.on("data", (data) => `${data}` === "done: slow\n" && console.log("  slow has its answer"))
stuck.resume()
slow.write("slow\n")
stuck.write("stuck\n")
const begun = () => [...server.connections.values()].filter(({ counters }) => counters.framesReceived > 0)
await until(() => begun().length === 2)

const draining = server.drain()
await until(() => server.connections.size === 2) // the idle one has gone
open()
const { duration: _, steps, ...counts } = await draining
console.log(JSON.stringify(counts))
for (const { phase, name, outcome } of steps) console.log(`${phase}: ${name} ${outcome}`)
