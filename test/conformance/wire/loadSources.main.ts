/** Connects from addresses by turns through the command line's sockets and prints what a server saw, as one line of JSON. */
import * as Effect from "effect/Effect"
import process from "node:process"
import { layer } from "../../../cli/load/sockets.ts"
import * as Address from "../../../core/Address.ts"
import { Sockets } from "../../../core/Sockets.ts"
import * as Connector from "../../../load/Connector.ts"

const sources = process.argv.slice(2)

const program = Effect.scoped(Effect.gen(function* () {
  const { capabilities, listen } = yield* Sockets
  const seen: Array<string | undefined> = []
  const listener = yield* listen({ address: Address.tcp("127.0.0.1", 0) }, ({ remoteAddress }) => {
    seen.push(remoteAddress?._tag === "Tcp" ? remoteAddress.host : undefined)
  })
  const target = { url: "", address: listener.address, webSocket: undefined }
  const connect = yield* Connector.make({ target, sources })
  // Each number the same: a connection that is made again goes on with the turns.
  for (let count = 1; count <= 4; count++) {
    yield* connect(0)
    while (seen.length < count) yield* Effect.sleep(1)
  }
  return { seen, runtime: capabilities.runtime }
}))

const outcome = await Effect.runPromise(Effect.provide(
  Effect.match(program, {
    onSuccess: (found) => found,
    onFailure: (error) => ({ error: error.message }),
  }),
  layer(sources),
))
console.log(JSON.stringify(outcome))
process.exit(0)
