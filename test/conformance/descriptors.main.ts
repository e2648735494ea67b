/**
 * Echoes on a free port of 127.0.0.1 in the process of one runtime, and prints JSON lines: first the port, then at each
 * accept failure how many there have been.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import { layer } from "../../adapters/auto.ts"
import * as Address from "../../core/Address.ts"
import { Sockets, type Transport } from "../../core/Sockets.ts"

const print = (value: unknown): void => console.log(JSON.stringify(value))

// Deno sets signals up when they are first needed, and panics when that finds no descriptor.
process.on("SIGTERM", () => process.exit(0))

let failures = 0

const echo = (transport: Transport): void =>
  transport.attach({
    bytes: (chunk) => void transport.write(chunk),
    writable: () => {},
    fin: () => transport.shutdown(),
    closed: () => {},
  })

const program = Effect.gen(function* () {
  const sockets = yield* Sockets
  const acceptFailed = () => print({ failures: ++failures })
  const { address } = yield* sockets.listen({ address: Address.tcp("127.0.0.1", 0), acceptFailed }, echo)
  print({ address })
  return yield* Effect.never
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), layer))
