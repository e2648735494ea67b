import { CloseReason, type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import process from "node:process"

const service = Service.plain(Lines.make({ maxLength: 16 }), (line) => {
  if (line === "boom") throw new Error("a mistake of ours")
  return `echo: ${line}`
})

/** One JSON object a line, which every collector of logs can read. */
const write = (level: string, message: string, fields: object): void =>
  console.log(JSON.stringify({ level, message, ...fields }))

const log = (event: Event): void => {
  switch (event._tag) {
    case "HandlerFailed":
      return write("error", "handler failed", { connection: event.connection, failure: event.id })
    case "Closed": {
      const { connection, reason, counters } = event
      const detail = CloseReason.describe(reason)
      return write("info", "closed", { connection, reason: CloseReason.label(reason), detail, ...counters })
    }
  }
}

const server = await start(service, {
  address: process.argv[2] ?? "127.0.0.1:9000",
  observers: [log],
  log: false, // this one instead
})
console.log(`listening on ${server.address}`)
