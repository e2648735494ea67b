import { CloseReason, type Event, Lines, Service } from "anyport"
import { start } from "anyport/start"
import { exchange, until } from "./client.ts"

const lines = Lines.make({ maxLength: 16 })

/** Counters by name and labels, as Prometheus writes them. */
const counters = new Map<string, number>()
const add = (name: string, value: number): void => void counters.set(name, (counters.get(name) ?? 0) + value)

const count = (event: Event): void => {
  switch (event._tag) {
    case "Opened":
      return add("connections_opened_total", 1)
    case "Refused":
      return add(`connections_refused_total{limit="${event.limit}"}`, 1)
    case "Closed":
      add(`connections_closed_total{reason="${CloseReason.label(event.reason)}"}`, 1)
      return add("frames_received_total", event.counters.framesReceived)
  }
}

const echo = Service.plain(lines, (line) => `echo: ${line}`)
const server = await start(echo, { address: "127.0.0.1:0", observers: [count], log: false })

const page = Service.plain(lines, () => Service.replies([...counters].map(([name, value]) => `${name} ${value}`)))
const metrics = await start(page, { address: "127.0.0.1:0" })

for (const text of ["one\ntwo\n", "three\n", "a line that is too long\n"]) {
  await exchange(server.address, text)
  await until(() => server.connections.size === 0)
}
console.log((await exchange(metrics.address, "metrics\n")).trim())
await Promise.all([server.drain(), metrics.drain()])
