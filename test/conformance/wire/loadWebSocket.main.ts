/**
 * Speaks to the server of `loadWebSocket.test.ts` by a WebSocketTransport, scenario by scenario, and prints what it saw as one
 * line of JSON each. It does not judge, but for clause 2: a receiver that is called inside a call is written down.
 */
import * as Effect from "effect/Effect"
import process from "node:process"
import type { Transport, TransportEnd } from "../../../core/Sockets.ts"
import * as Connector from "../../../load/Connector.ts"
import * as MessageFrames from "../../../load/MessageFrames.ts"
import { layer } from "../../../cli/load/sockets.ts"
import { isProblem } from "../../../load/Problem.ts"
import * as Target from "../../../load/Target.ts"

const [port = "", deadPort = "", garbagePort = ""] = process.argv.slice(2)

/** What a receiver saw: messages as their kind and text (or length), and how it ended. */
class Peer {
  readonly events: Array<string> = []
  readonly transport: Transport
  messages = 0
  onMessage: (() => void) | undefined
  #inside = false
  #changed: Array<() => void> = []

  constructor(transport: Transport) {
    this.transport = transport
  }

  attach(): void {
    this.call(() => this.transport.attach(this))
  }

  /** Calls the transport, in which nothing may call back. */
  call<A>(action: () => A): A {
    this.#inside = true
    const result = action()
    this.#inside = false
    return result
  }

  bytes(chunk: Uint8Array): void {
    this.messages++
    const kind = chunk[0] === 1 ? "text" : chunk[0] === 2 ? "binary" : chunk[0] === 0xff ? "none" : "?"
    const message = chunk.subarray(MessageFrames.headerSize)
    this.#event(message.length > 40 ? `${kind} of ${message.length}` : `${kind} ${decoder.decode(message)}`)
    chunk.fill(0)
    this.onMessage?.()
  }

  writable(): void {
    this.#event("writable")
  }

  fin(): void {
    this.#event("fin")
  }

  closed(end: TransportEnd): void {
    const why = end._tag === "Failed" && end.cause instanceof Error ? ` ${end.cause.message}` : ""
    this.#event(`closed ${end._tag}${why}`)
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#changed.push(resolve))
  }

  ended(): Promise<void> {
    return this.until(() => this.events.some((event) => event.startsWith("closed")))
  }

  #event(event: string): void {
    this.events.push(this.#inside ? `INSIDE ${event}` : event)
    for (const changed of this.#changed.splice(0)) changed()
  }
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const frame = (kind: "text" | "binary", message: string | Uint8Array): Uint8Array => {
  const bytes = typeof message === "string" ? encoder.encode(message) : message
  const frame = new Uint8Array(MessageFrames.headerSize + bytes.length)
  MessageFrames.writeHeader(frame, kind, bytes.length)
  frame.set(bytes, MessageFrames.headerSize)
  return frame
}

/** Writes all of it, waiting where it has to. */
const write = async (peer: Peer, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.length;) {
    const seen = peer.events.length
    const piece = bytes.slice(at)
    const taken = peer.call(() => peer.transport.write(piece))
    piece.fill(0)
    at += taken
    if (at < bytes.length) await peer.until(() => peer.events.slice(seen).includes("writable"))
  }
}

const connect = Effect.fnUntraced(function* (path: string, at: string = port) {
  const target = Target.parse(`ws://127.0.0.1:${at}${path}`)
  if (isProblem(target)) return yield* Effect.die(target.problem)
  const open = yield* Connector.make({ target, sources: [] })
  return new Peer(yield* open(0))
})

const scenario = (path: string, run: (peer: Peer) => Promise<unknown>, attached = true) =>
  Effect.gen(function* () {
    const peer = yield* connect(path)
    if (attached) peer.attach()
    return yield* Effect.promise(() => run(peer))
  })

const waiting = (peer: Peer) => peer.ended().then(() => peer.events)

const scenarios: Record<string, ReturnType<typeof scenario>> = {
  echo: scenario("/echo", async (peer) => {
    const all = [
      frame("text", "één"),
      frame("binary", "two"),
      frame("text", ""),
      frame("binary", new Uint8Array(1_000_000)),
      frame("text", "x".repeat(300)),
    ]
    // Together, and cut where no frame ends.
    const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const one of all) {
      bytes.set(one, at)
      at += one.length
    }
    for (let from = 0; from < bytes.length; from += 70_001) await write(peer, bytes.subarray(from, from + 70_001))
    await peer.until(() => peer.messages === all.length)
    peer.call(() => peer.transport.shutdown())
    const after = peer.call(() => peer.transport.write(frame("text", "late")))
    await peer.ended()
    return [...peer.events.filter((event) => event !== "writable"), after]
  }),

  many: scenario("/echo", async (peer) => {
    const count = 3_000
    for (let index = 0; index < count; index++) await write(peer, frame("text", `m${index}`))
    await peer.until(() => peer.messages === count)
    return peer.events.every((event, index) => event === `text m${index}`)
  }),

  early: scenario("/early", async (peer) => {
    // What the server says at once, and its end, wait for whoever attaches.
    await new Promise((resolve) => setTimeout(resolve, 300))
    peer.attach()
    return waiting(peer)
  }, false),

  pause: scenario("/many", async (peer) => {
    peer.onMessage = () => {
      if (peer.messages === 3) peer.call(() => peer.transport.pause())
    }
    await write(peer, frame("text", "go"))
    await peer.until(() => peer.messages >= 3)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const whilePaused = peer.messages
    peer.call(() => peer.transport.resume())
    await peer.ended()
    const inside = peer.events.filter((event) => event.startsWith("INSIDE")).length
    return { whilePaused, messages: peer.messages, inside, last: peer.events.slice(-2) }
  }),

  backpressure: scenario("/deaf", async (peer) => {
    const message = frame("binary", new Uint8Array(65_536))
    let sent = 0
    let most = 0
    for (let taken = message.length; taken === message.length; sent += taken) {
      taken = peer.call(() => peer.transport.write(message))
      most = Math.max(most, peer.transport.sending)
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (sent > 64 * 1024 * 1024) break
    }
    const writableBefore = peer.events.includes("writable")
    // Any other connection makes the server read.
    await Effect.runPromise(Effect.scoped(Effect.provide(connect("/hear"), layer([]))))
    await peer.until(() => peer.events.includes("writable"))
    return { bounded: sent < 32 * 1024 * 1024, most: most <= 256 * 1024 + 1_024, writableBefore }
  }),

  abort: scenario("/echo", async (peer) => {
    peer.call(() => peer.transport.abort())
    peer.call(() => peer.transport.abort())
    await peer.ended()
    peer.call(() => {
      peer.transport.pause()
      peer.transport.resume()
      peer.transport.shutdown()
      peer.transport.abort()
    })
    const taken = peer.call(() => peer.transport.write(frame("text", "x")))
    await new Promise((resolve) => setTimeout(resolve, 100))
    return [...peer.events, taken]
  }),

  ping: scenario("/ping", waiting),
  going: scenario("/close/1001", waiting),
  error: scenario("/close/1011", waiting),
  broken: scenario("/terminate", waiting),
  large: scenario("/large", waiting),
  garbage: scenario("/garbage", waiting),
  // As a session does with what is no frame.
  garbageAborted: scenario("/garbage", (peer) => {
    peer.onMessage = () => peer.call(() => peer.transport.abort())
    return waiting(peer)
  }),
  refused: scenario("/refuse", waiting),
  dead: Effect.andThen(connect("/", deadPort), Effect.succeed("connected")),
  noServer: Effect.andThen(connect("/", garbagePort), Effect.succeed("connected")),
}

const program = Effect.forEach(Object.entries(scenarios), ([name, run]) =>
  Effect.scoped(run).pipe(
    Effect.match({
      onSuccess: (seen) => ({ name, seen }),
      onFailure: ({ problem, message }) => ({ name, problem, message: message.replace(/127\.0\.0\.1:\d+/g, "it") }),
    }),
    Effect.map((found) => console.log(JSON.stringify(found))),
  ), { discard: true })

await Effect.runPromise(Effect.provide(program, layer([])))
process.exit(0)
