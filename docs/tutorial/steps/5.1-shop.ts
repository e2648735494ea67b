import { Lines, Service } from "anyport"
import { start } from "anyport/start"
import { exchange } from "./client.ts"

const lines = Lines.make({ maxLength: 80 })

const shelf = new Map([["tea", 2]])
const stock = await start(
  Service.plain(lines, (item) => {
    const left = shelf.get(item) ?? 0
    if (left === 0) return "none"
    shelf.set(item, left - 1)
    return "taken"
  }),
  { address: "127.0.0.1:0" },
)

const orders = await start(
  Service.plain(lines, async (item) => {
    const answer = await exchange(stock.address, `${item}\n`)
    if (answer === "") throw new Service.Unavailable({ reply: "error: the stock does not answer, try later" })
    return answer === "taken\n" ? `ordered: ${item}` : `sold out: ${item}`
  }, { timeout: "5 seconds" }),
  { address: "127.0.0.1:0", log: false },
)

const client = async (text: string): Promise<void> => console.log((await exchange(orders.address, text)).trim())

await client("tea\nmilk\ntea\ntea\n")
await stock.drain()
console.log("the stock has stopped")
await client("tea\n")
await orders.drain()
