import { type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { connect, exchange } from "./client.ts"

const service = Service.plain(Lines.make({ maxLength: 80 }), (line) => `echo: ${line}`)
const print = ({ _tag }: Event): void => {
  if (_tag === "Suspended" || _tag === "Resumed") console.log(_tag)
}
const server = await start(service, { address: "127.0.0.1:0", observers: [print], log: false })

/** Asks until there is an answer, after pauses that grow and that are never those of the others. */
const ask = async (line: string): Promise<string> => {
  for (let longest = 20;; longest = Math.min(longest * 2, 1_000)) {
    const answer = await exchange(server.address, `${line}\n`)
    if (answer !== "") return answer.trim()
    await sleep(Math.random() * longest)
  }
}

const inside = await connect(server.address)
server.suspend()

let answer = "none yet"
const outside = ask("anybody there?").then((text) => answer = text)
inside.write("hello\n")
console.log(`inside: ${await once(inside, "data")}`.trim())
await sleep(200)
console.log(`outside: ${answer}`)

await server.resume()
await outside
console.log(`outside: ${answer}`)

inside.end()
await server.drain()
