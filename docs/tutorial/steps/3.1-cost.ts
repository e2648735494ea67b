import { Address, Lines, Server, Service, Sockets } from "anyport"
import { layer } from "anyport/auto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { connect, until } from "./client.ts"

const seen = { chunks: 0, writes: 0 }

/** Counts what passes between the engine and the runtime's socket. */
const watch = (transport: Sockets.Transport): Sockets.Transport => {
  const { attach, write } = transport
  transport.attach = (receiver) =>
    attach.call(transport, {
      bytes: (chunk) => {
        seen.chunks++
        receiver.bytes(chunk)
      },
      writable: () => receiver.writable(),
      fin: () => receiver.fin(),
      closed: (end) => receiver.closed(end),
    })
  transport.write = (bytes) => {
    const taken = write.call(transport, bytes)
    if (taken > 0) seen.writes++
    return taken
  }
  return transport
}

const watched = Layer.effect(
  Sockets.Sockets,
  Effect.map(Sockets.Sockets, (sockets) => ({
    ...sockets,
    listen: (options, accept) => sockets.listen(options, (transport) => accept(watch(transport))),
  })),
).pipe(Layer.provide(layer))

/** Fibers are numbered as they are started. */
const fiber = (): number => Effect.runSync(Effect.withFiber(({ id }) => Effect.succeed(id)))

const measure = async (name: string, address: string): Promise<void> => {
  const client = await connect(address)
  let received = 0
  client.on("data", (chunk) => received += chunk.length)
  const echo = (text: string): Promise<void> => {
    received = 0
    client.write(text)
    return until(() => received === text.length)
  }
  await echo("warm up\n") // until it has seen a reply, the engine does not know how many make a good write
  Object.assign(seen, { chunks: 0, writes: 0 })
  const before = fiber()
  await echo("hello\n".repeat(100))
  const fibers = fiber() - before - 1
  console.log(`${name}: chunks in ${seen.chunks}, writes out ${seen.writes}, fibers ${fibers}`)
  client.end()
}

const lines = Lines.make({ maxLength: 80 })
const finished = Service.respond(lines, (line) => Effect.succeed(line))
const unfinished = Service.respond(lines, (line) => Effect.sync(() => line))

const program = Effect.gen(function* () {
  const { addresses: [first, second] } = yield* Server.make({
    listeners: [{ address: "127.0.0.1:0", service: finished }, { address: "127.0.0.1:0", service: unfinished }],
  })
  yield* Effect.promise(() => measure("Effect.succeed", Address.format(first!)))
  yield* Effect.promise(() => measure("Effect.sync   ", Address.format(second!)))
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(watched)))
