import { Lines, Server, Service } from "anyport"
import { start } from "anyport/start"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { connect, until } from "./client.ts"

const requests = 512
const page = "x".repeat(65_535) // 64 KiB with its line end

let handled = 0
const service = Service.plain(Lines.make({ maxLength: 80 }), () => {
  handled++
  return page
})

const server = await start(service, { address: "127.0.0.1:0" })
const client = await connect(server.address)
client.pause() // asks, and does not read
client.write("more\n".repeat(requests))

const { outboxHigh, outboxLow } = Server.presets.local.limits
const unsent = (): number => server.connections.get(1)?.unsent ?? 0
await until(() => unsent() > outboxLow)
await sleep(100) // a server that did not wait would be through by now
console.log(`it waits for its client: ${handled < requests}`)
console.log(`it holds no more than the mark and a page: ${unsent() <= outboxHigh + 65_536}`)

let received = 0
client.on("data", (chunk) => received += chunk.length)
client.end() // FIN: no more questions
client.resume()
await once(client, "close")
console.log(`pages handled ${handled}, received ${received / 65_536}`)
await server.drain()
