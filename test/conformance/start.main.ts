/**
 * A program that embeds servers by `start`, run by `start.test.ts` on each runtime: it prints what it saw as one line of
 * JSON, and then has to end by itself, because nothing of a server may be left.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Lines, Service } from "anyport"
import { start } from "anyport/start"
import { once } from "node:events"
import { connect } from "node:net"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"

const listeners = () => process.listenerCount("SIGINT") + process.listenerCount("SIGTERM")

/** Sends text and its FIN; everything that came back, or the code of the error. */
const ask = (port: number, text: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" })
    let received = ""
    socket.setEncoding("utf8").on("data", (chunk: string) => received += chunk)
    socket.on("error", (error: Error & { readonly code?: string }) => resolve(error.code ?? error.message))
    socket.on("close", () => resolve(received))
    socket.end(text)
  })

const seen: Record<string, unknown> = {}
const handlersBefore = listeners()

const gate = () => {
  let open!: () => void
  const passed = new Promise<void>((resolve) => open = resolve)
  return { open, passed }
}
const [begun, released] = [gate(), gate()]
const service = Service.plain(Lines.make({ maxLength: 1_024 }), async (line) => {
  if (line === "slow") {
    begun.open()
    await released.passed
  }
  return `echo: ${line}`
})

/** The same service with something that it owns, which says when that is acquired and released. */
const owned: Array<string> = []
const owning = (name: string) =>
  Service.provide(
    service,
    Layer.effectDiscard(Effect.acquireRelease(
      Effect.sync(() => owned.push(`${name} acquired`)),
      () => Effect.sync(() => owned.push(`${name} released`)),
    )),
  )

const tags: Array<string> = []
const server = await start(owning("served"), {
  address: "127.0.0.1:0",
  observers: [(event) => {
    if (!tags.includes(event._tag)) tags.push(event._tag)
    if (event._tag === "Draining") released.open()
  }],
})
const port = server.port!
seen["address"] = server.address === `127.0.0.1:${port}`
seen["signal handlers"] = listeners() - handlersBefore
seen["answer"] = await ask(port, "one\ntwo\n")
seen["taken"] = await start(owning("taken"), { address: server.address }).then(() => 0, (error) => error.problem)
seen["no address"] = await start(service, { address: "nowhere" }).then(() => "bound", (error) => error.problem)

// Whoever comes while it is suspended is refused, or waits, as the runtime can; who is in is served.
const inside = connect({ port, host: "127.0.0.1" })
const answers: Array<string> = []
inside.setEncoding("utf8").on("data", (chunk: string) => answers.push(chunk))
await once(inside, "connect")
inside.write("one\n")
await once(inside, "data")
server.suspend()
const states = [server.state]
inside.end("two\n")
await once(inside, "close")
seen["inside"] = answers.join("")
const outside = ask(port, "three\n")
await Promise.race([outside, sleep(1_000)])
await server.resume()
states.push(server.state)
seen["outside"] = [await outside, await ask(port, "four\n")]

let stopped: Promise<unknown> | undefined
server.onDrain("announced", "deregister", () => {})
server.onDrain("announced", "fails", async () => await Promise.reject(new Error("nobody there")))
server.onDrain("ended", "hangs", (signal) => stopped = once(signal, "abort"), { timeout: "50 millis" })

// What was begun is answered while the server drains; nobody new is let in.
const slow = ask(port, "slow\n")
await begun.passed
const report = server.drain()
seen["drained"] = await slow
seen["report"] = await report
states.push(server.state)
seen["states"] = states
await stopped
seen["again"] = await server.drain()
seen["refused"] = await ask(port, "anyone?\n")
seen["events"] = [...new Set(tags)]

// Closing waits for nobody: not for a request that is never answered, and for far longer than this may take.
const stuck = gate()
const never = Service.plain(Lines.make({ maxLength: 1_024 }), () => {
  stuck.open()
  return new Promise<string>(() => {})
})
const other = await start(never, {
  address: "127.0.0.1:0",
  deadlines: { close: "10 minutes", linger: "10 minutes" },
  drain: { timeout: "10 minutes" },
})
const held = connect({ port: other.port!, host: "127.0.0.1" })
const gone = new Promise<void>((resolve) => held.on("error", () => {}).on("close", () => resolve()).resume())
held.write("answer me\n")
await stuck.passed
await Promise.all([other.close(), other.close()])
await gone
seen["left"] = other.connections.size
seen["owned"] = owned

console.log(JSON.stringify(seen))
