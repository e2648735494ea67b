import { CloseReason, type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { connect, exchange, until } from "./client.ts"

let last = 0
const taken = new Set<number>()

/** Takes a desk, and gives it back when the scope closes in which it was taken. */
const desk = Effect.acquireRelease(
  Effect.sync(() => {
    taken.add(++last)
    return last
  }),
  (number) => Effect.sync(() => taken.delete(number)),
)

const service = Service.respond(
  Lines.make({ maxLength: 80 }),
  (line, { state }) => line === "quit" ? Effect.die("a mistake of ours") : Effect.succeed(`desk ${state}`),
  { open: () => desk },
)

const print = (event: Event): void => {
  if (event._tag === "Closed") console.log(`${CloseReason.label(event.reason)}; desks taken: ${taken.size}`)
}

const server = await start(service, { address: "127.0.0.1:0", observers: [print], log: false })
const over = () => until(() => server.connections.size === 0)

await exchange(server.address, "where\n") // finishes
await over()
await exchange(server.address, "quit\n") // meets a defect
await over()

const rude = await connect(server.address)
rude.write("where\n")
console.log(`${await once(rude, "data")}`.trim())
rude.resetAndDestroy() // is gone without a word
await over()

const patient = await connect(server.address)
patient.write("where\n")
console.log(`${await once(patient, "data")}`.trim())
await server.drain() // is still there when the server stops
