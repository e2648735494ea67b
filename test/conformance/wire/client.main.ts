/**
 * A client in the process of one runtime.
 *
 *     node client.main.ts PORT PASSWORD
 *
 * It prints each of its events as `event TAG`, with the reason where there is one; asks what is written to its standard
 * input, line by line, and prints `TEXT -> ANSWER`, or how that failed. At the line `close` it ends its client. It ends by
 * itself once that has ended, because nothing of it may be left; and with 1 when its standard input does before. It needs
 * no permission but that of connecting.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import * as readline from "node:readline"
import { layer } from "../../../adapters/auto.ts"
import * as Client from "../../../core/Client.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import * as Service from "../../../core/Service.ts"

const [port, password] = process.argv.slice(2)

const print = (text: string) => Effect.sync(() => console.log(text))

const observe = (event: Client.ClientEvent): void => {
  const { _tag } = event
  const reason = "reason" in event ? ("problem" in event.reason ? event.reason.problem : event.reason._tag) : ""
  console.log(`event ${_tag} ${reason}`.trimEnd())
}

const handshake = Effect.fnUntraced(function* (link: Client.Link<string, string>) {
  yield* link.send(`login ${password}`)
  if ((yield* link.receive) === "no") return yield* Effect.fail(new Service.LoginRefused({}))
})

const program = Effect.gen(function* () {
  const client = yield* Client.make(Lines.make({ maxLength: 1_024 }), {
    address: `127.0.0.1:${port}`,
    handshake,
    // Longer than a machine that has much else to do lets a server wait that is alive.
    handshakeTimeout: "2 seconds",
    reconnect: { base: "100 millis", max: "200 millis" },
    heartbeat: { ping: () => "ping", isPong: (line) => line === "pong", interval: "500 millis", missed: 4 },
    observers: [observe],
  })
  const input = readline.createInterface({ input: process.stdin })
  const cut = (): void => process.exit(1)
  input.on("close", cut)
  const services = yield* Effect.context<never>()
  input.on("line", (line) => {
    const asked = line === "close" ? client.close : Effect.matchEffect(client.request(line), {
      onSuccess: (answer) => print(`${line} -> ${answer}`),
      onFailure: ({ _tag, why }) => print(`${line} -> ${_tag} ${why}`),
    })
    Effect.runForkWith(services)(asked)
  })
  yield* client.closed
  input.off("close", cut).close()
  process.stdin.destroy()
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), layer))
