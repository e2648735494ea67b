import { Lines, Service } from "anyport"
import { start } from "anyport/start"
import process from "node:process"

const echo = Service.plain(Lines.make({ maxLength: 65_536 }), (line) => `echo: ${line}`)

const server = await start(echo, { address: process.argv[2] ?? "127.0.0.1:9000" })
console.log(`listening on ${server.address}`)

process.once("SIGINT", async () => {
  console.log(`draining, ${server.connections.size} open`)
  const { served, drained, forced } = await server.drain()
  console.log(`served ${served}, drained ${drained}, forced ${forced}`)
})
