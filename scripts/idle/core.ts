/**
 * What a connection costs core alone: a server without sockets, whose peers (`peers.ts`) have each exchanged one line
 * and then are silent. A process of its own, on Node, that prints one line of JSON and ends.
 *
 * ```
 * node --expose-gc scripts/idle/core.ts respond|session CONNECTIONS [--classes]
 * ```
 */
import * as Effect from "effect/Effect"
import { Server } from "anyport"
import { setImmediate as turn } from "node:timers/promises"
import echo from "../../services/echo.ts"
import * as Peers from "./peers.ts"
import session from "../../bench/contenders/session.ts"
import { type Class, classes } from "./snapshot.ts"

/** What it prints, for each connection. */
export interface Cost {
  /** Bytes of the JavaScript heap. */
  readonly heap: number
  /** Bytes of ArrayBuffers, which lie outside of it. */
  readonly buffers: number
  /** What the heap is made of; only with `--classes`. */
  readonly classes: ReadonlyArray<Class>
}

const [name, connections, flag] = [process.argv[2], Number(process.argv[3]), process.argv[4]]
const line = new TextEncoder().encode("hello\n")
const reply = "echo: hello\n".length

const collected = async (): Promise<NodeJS.MemoryUsage> => {
  for (let round = 0; round < 4; round++) {
    await turn()
    globalThis.gc!()
  }
  return process.memoryUsage()
}

/** Each peer connects and exchanges a line. */
const exchange = async (peers: ReadonlyArray<Peers.Peer>): Promise<void> => {
  const wanted = Peers.answered + peers.length * reply
  for (const peer of peers) {
    Peers.accept!(peer)
    await turn()
    peer.receiver!.bytes(line)
  }
  for (let round = 0; round < 100 && Peers.answered < wanted; round++) await turn()
  if (Peers.answered !== wanted) throw new Error("Cannot measure: not every line was answered")
}

const measure = async (server: Server.Server): Promise<Cost> => {
  // Once for nothing: then all code is compiled, and what a server makes once is made.
  const first = Array.from({ length: Math.min(connections, 1_000) }, () => new Peers.Peer())
  await exchange(first)
  for (const peer of first) peer.abort()
  first.length = 0
  const peers = Array.from({ length: connections }, () => new Peers.Peer())
  const before = await collected()
  if (server.connections.size > 0) throw new Error("Cannot measure: the first connections have not ended")
  await exchange(peers)
  const after = await collected()
  return {
    heap: (after.heapUsed - before.heapUsed) / connections,
    buffers: (after.arrayBuffers - before.arrayBuffers) / connections,
    classes: flag === "--classes" ? (await classes(connections)).filter(({ name }) => !/\bPeer\b/.test(name)) : [],
  }
}

const program = Effect.gen(function* () {
  const server = yield* Server.make({
    listeners: [{ address: "127.0.0.1:9000", service: name === "session" ? session : echo }],
    limits: { maxConnections: connections },
  })
  console.log(JSON.stringify(yield* Effect.promise(() => measure(server))))
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, Peers.layer)))
