/**
 * A server of devices, run by `fleet.test.ts` on each runtime. Devices log in (`login ID`), answer pings and commands (`done
 * N`); whoever logs in as `operator` has all of them asked at once (`order NAME`), what nobody knows of again under its
 * own id, and is told in one line of JSON what became of it.
 */
import * as Effect from "effect/Effect"
import { type CloseReason, Directory, Lines, Service } from "anyport"
import { start } from "anyport/start"

const lines = Lines.make({ maxLength: 1_024 })
const devices = Effect.runSync(Directory.make<string, string, true>())
const fleet = 2_000
/** How often a question is asked again whose answer nobody knows. */
const repeats = 20

const command = Effect.fnUntraced(function* (device: string, name: string) {
  const outcomes: Array<string> = []
  let correlation: number | undefined
  for (;;) {
    const answer = yield* devices.ask(device, (id) => `do ${id} ${name}-${device}`, {
      timeout: "2 seconds",
      ...(correlation === undefined ? {} : { correlation }),
    })
    outcomes.push(answer._tag)
    if (answer._tag === "Answered" || outcomes.length > repeats) return outcomes
    if (answer._tag === "Unknown") correlation = answer.correlation
    yield* Effect.sleep("250 millis")
  }
})

const order = Effect.fnUntraced(function* (name: string) {
  const all = Array.from({ length: fleet }, (_, index) => command(`d${index}`, name))
  const commands = yield* Effect.all(all, { concurrency: "unbounded" })
  const tally = { Answered: 0, NotSent: 0, Unknown: 0 }
  for (const outcomes of commands) for (const outcome of outcomes) tally[outcome as keyof typeof tally]++ // its tags
  return JSON.stringify({ name, done: commands.filter((outcomes) => outcomes.at(-1) === "Answered").length, ...tally })
})

const operator = Service.respond(lines, (line) => order(line.replace("order ", "")))

const device = (id: string): Service.Service =>
  Service.session(lines, (connection) =>
    Effect.gen(function* () {
      const member = yield* devices.join(id, connection)
      for (;;) {
        const line = yield* connection.receive
        if (line === undefined) return
        const [verb, correlation] = line.split(" ")
        if (verb === "done") member.answer(Number(correlation), true)
      }
    }), { heartbeat: { ping: () => "ping", isPong: (line) => line === "pong" } })

const handshake: Service.Handshake<string, string, string, CloseReason.CloseReason | Service.LoginRefused<string>> = {
  codec: lines,
  run: Effect.fnUntraced(function* (connection) {
    const id = /^login (\w+)$/.exec((yield* connection.receive) ?? "")?.[1]
    if (id === undefined) return yield* Effect.fail(new Service.LoginRefused({ reply: "refused" }))
    yield* connection.send("welcome")
    return id
  }),
}

const reasons: Record<string, number> = {}
const server = await start(
  Service.authenticate({ handshake }, (id) => id === "operator" ? operator : device(id)),
  {
    address: "127.0.0.1:0",
    // Who is lost is found by a second login long before. On Deno a busy process reads what has come only now and then.
    heartbeat: { interval: "1 second", missed: 20 },
    observers: [(event) => {
      if (event._tag === "Closed") reasons[event.reason._tag] = (reasons[event.reason._tag] ?? 0) + 1
    }],
  },
)
console.log(server.port)
process.on("SIGTERM", async () => {
  const { forced } = await server.drain()
  console.log(JSON.stringify({ forced, reasons }))
})
