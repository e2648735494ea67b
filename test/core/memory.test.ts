/** The network in memory, beyond the port's clauses: its borrowed memory, its bounds, its faults. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { layer, type Options } from "../../adapters/memory.ts"
import * as Address from "../../core/Address.ts"
import { type Receiver, Sockets, type Transport } from "../../core/Sockets.ts"

/** Writes down what it is told, as `bytes:length`, `writable`, `fin` and `closed:tag`. */
class Recorder implements Receiver {
  readonly trace: Array<string> = []
  readonly chunks: Array<Uint8Array> = []
  text = ""

  bytes(chunk: Uint8Array): void {
    this.trace.push(`bytes:${chunk.length}`)
    this.chunks.push(chunk)
    this.text += new TextDecoder().decode(chunk)
  }

  writable(): void {
    this.trace.push("writable")
  }

  fin(): void {
    this.trace.push("fin")
  }

  closed(end: { readonly _tag: string }): void {
    this.trace.push(`closed:${end._tag}`)
  }
}

interface Side {
  readonly transport: Transport
  readonly seen: Recorder
}

const connected = Effect.gen(function* () {
  const sockets = yield* Sockets
  const accepted: Array<Transport> = []
  const listener = yield* sockets.listen(
    { address: Address.tcp("127.0.0.1", 0) },
    (transport) => accepted.push(transport),
  )
  const client = yield* sockets.connect({ address: listener.address })
  yield* turns
  const [here, there] = [client, accepted[0]!].map((transport): Side => {
    const seen = new Recorder()
    transport.attach(seen)
    return { transport, seen }
  })
  return { client: here!, server: there! }
})

/** Lets everything be delivered that is due without time passing. */
const turns = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

const over = (
  options: Options,
  test: (ends: { readonly client: Side; readonly server: Side }) => Effect.Effect<void>,
) => Effect.provide(Effect.scoped(Effect.flatMap(connected, test)), layer(options))

const text = (value: string) => new TextEncoder().encode(value)

describe("the network in memory", () => {
  it.effect("overwrites a chunk once bytes has returned", () =>
    over({}, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("abc"))
        yield* turns
        expect(server.seen.text).toBe("abc")
        expect([...server.seen.chunks[0]!]).toEqual([0xaa, 0xaa, 0xaa])
      })))

  it.effect("copies what is written, and delivers outside of the writer's stack", () =>
    over({}, ({ client, server }) =>
      Effect.gen(function* () {
        const bytes = text("abc")
        client.transport.write(bytes)
        bytes.fill(0)
        expect(server.seen.trace).toEqual([])
        yield* turns
        expect(server.seen.text).toBe("abc")
      })))

  it.effect("delivers no bytes by microtask", () =>
    over({}, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("abc"))
        yield* Effect.promise(() => Promise.resolve())
        expect(server.seen.trace).toEqual([])
      })))

  it.effect("takes no more than its buffer holds, and says when there is room", () =>
    over({ bufferSize: 10 }, ({ client, server }) =>
      Effect.gen(function* () {
        server.transport.pause()
        yield* turns
        expect(client.transport.write(text("0123456789abc"))).toBe(10)
        expect(client.transport.write(text("abc"))).toBe(0)
        yield* turns
        expect(client.seen.trace).toEqual([])
        server.transport.resume()
        yield* turns
        expect(server.seen.text).toBe("0123456789")
        expect(client.seen.trace).toEqual(["writable"])
      })))

  it.effect("splits what is sent, and loses nothing of it", () =>
    over({ faults: { split: 1 } }, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("the quick brown fox"))
        client.transport.shutdown()
        yield* turns
        expect(server.seen.text).toBe("the quick brown fox")
        expect(server.seen.chunks.length).toBeGreaterThan(1)
        expect(server.seen.trace.at(-1)).toBe("fin")
      })))

  it.effect("merges what was written apart", () =>
    over({ faults: { merge: 0.9 } }, ({ client, server }) =>
      Effect.gen(function* () {
        for (let index = 0; index < 10; index++) {
          client.transport.write(text("x"))
          yield* Effect.yieldNow
        }
        yield* turns
        expect(server.seen.text).toBe("xxxxxxxxxx")
        expect(server.seen.chunks.length).toBeLessThan(10)
      })))

  it.effect("takes a part of a write, and asks for the rest", () =>
    over({ faults: { partialWrite: 1 } }, ({ client }) =>
      Effect.gen(function* () {
        const taken = client.transport.write(new Uint8Array(10_000))
        expect(taken).toBeGreaterThan(0)
        expect(taken).toBeLessThan(10_000)
        yield* turns
        expect(client.seen.trace).toEqual(["writable"])
      })))

  it.effect("resets both sides", () =>
    over({ faults: { reset: 1 } }, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("abc"))
        yield* turns
        expect(server.seen.trace).toEqual(["closed:Reset"])
        expect(client.seen.trace).toEqual(["closed:Reset"])
      })))

  it.effect("lets a peer vanish: nothing arrives, no FIN and no RST, and the pipe fills", () =>
    over({ bufferSize: 1_000, faults: { vanish: 1 } }, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("abc"))
        yield* turns
        expect(client.transport.write(new Uint8Array(2_000))).toBe(997)
        server.transport.abort()
        yield* turns
        expect(client.transport.write(text("abc"))).toBe(0)
        yield* turns
        expect(client.seen.trace).toEqual([])
        expect(server.seen.trace).toEqual(["closed:Aborted"])
        client.transport.shutdown()
        yield* turns
        expect(client.seen.trace).toEqual([])
      })))

  it.effect("delays by the Context's Clock", () =>
    over({ faults: { delay: 1_000 } }, ({ client, server }) =>
      Effect.gen(function* () {
        client.transport.write(text("abc"))
        yield* turns
        expect(server.seen.trace).toEqual([])
        yield* TestClock.adjust("1 second")
        yield* turns
        expect(server.seen.text).toBe("abc")
      })))

  it.effect("runs the same way from the same seed, and another way from another", () =>
    Effect.gen(function* () {
      const faults = { split: 0.5, merge: 0.3, partialWrite: 0.5 }
      const trace = (seed: number) =>
        Effect.gen(function* () {
          let trace: ReadonlyArray<string> = []
          yield* over({ seed, faults }, ({ client, server }) =>
            Effect.gen(function* () {
              for (let index = 0; index < 20; index++) {
                client.transport.write(text("the quick brown fox"))
                yield* Effect.yieldNow
              }
              yield* turns
              trace = [...server.seen.trace, ...client.seen.trace]
            }))
          return trace
        })
      const first = yield* trace(1)
      expect(yield* trace(1)).toEqual(first)
      expect(yield* trace(2)).not.toEqual(first)
    }))

  it.effect("keeps the clients of a paused listener in its backlog, and resets them when it closes", () =>
    Effect.gen(function* () {
      const sockets = yield* Sockets
      const listener = yield* sockets.listen({ address: Address.tcp("127.0.0.1", 0) }, () => {})
      listener.pause()
      const client = yield* sockets.connect({ address: listener.address })
      const seen = new Recorder()
      client.attach(seen)
      yield* turns
      expect(seen.trace).toEqual([])
      yield* listener.close
      yield* turns
      expect(seen.trace).toEqual(["closed:Reset"])
    }).pipe(Effect.scoped, Effect.provide(layer())))
})
