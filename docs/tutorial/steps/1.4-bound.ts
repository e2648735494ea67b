import { type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { connect, exchange } from "./client.ts"

const echo = Service.plain(Lines.make({ maxLength: 65_536 }), (line) => `echo: ${line}`)

const print = (event: Event): void => {
  if (event._tag === "Refused") console.log(`server: refused, ${event.limit}`)
}

const server = await start(echo, {
  address: "127.0.0.1:0", // any free port
  limits: { maxConnections: 2 },
  observers: [print],
  log: false, // the log would say it too
})

const [first, second] = [await connect(server.address), await connect(server.address)]
const third = await exchange(server.address, "hello\n")
console.log(`the third got ${JSON.stringify(third)}`)
for (const client of [first, second]) client.end()
await server.drain()
