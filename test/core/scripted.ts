/**
 * A Sockets whose peers are scripts: a test says what arrives and when, and reads what was sent. No network, no time of
 * its own; every call into the engine is a top-level one, as a runtime's callbacks are.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Address from "../../core/Address.ts"
import { type Listener, type Receiver, Sockets, type Transport, type TransportEnd } from "../../core/Sockets.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The other end of one connection. */
export class Peer {
  /** Bytes that the "kernel" takes before `write` takes no more. */
  room = Infinity
  /** One entry a `write` that took something. */
  readonly writes: Array<string> = []
  readonly calls: Array<string> = []
  paused = false
  ended: TransportEnd["_tag"] | undefined
  sentFin = false
  #receiver: Receiver | undefined
  #finished = false

  constructor(host = "192.0.2.1") {
    this.transport = { ...this.#transport, remoteAddress: Address.fromPeer(host, 40_000) }
  }

  readonly transport: Transport
  readonly #transport: Omit<Transport, "remoteAddress"> = {
    localAddress: Address.tcp("127.0.0.1", 9_000),
    sending: 0,
    attach: (receiver) => {
      this.#receiver = receiver
    },
    write: (bytes) => {
      if (this.ended !== undefined || this.#finished) return 0
      const taken = Math.min(bytes.length, this.room)
      this.room -= taken
      if (taken > 0) this.writes.push(decoder.decode(bytes.subarray(0, taken)))
      return taken
    },
    pause: () => {
      this.calls.push("pause")
      this.paused = true
    },
    resume: () => {
      this.calls.push("resume")
      this.paused = false
    },
    shutdown: () => {
      this.calls.push("shutdown")
      this.#finished = true
      // Reported afterwards, as clause 2 says.
      if (this.sentFin) queueMicrotask(() => this.#end({ _tag: "Finished" }))
    },
    abort: () => {
      this.calls.push("abort")
      queueMicrotask(() => this.#end({ _tag: "Aborted" }))
    },
  }

  /** Everything that was sent to this peer. */
  get received(): string {
    return this.writes.join("")
  }

  /** Whether the server has finished writing. */
  get gotFin(): boolean {
    return this.#finished
  }

  /** Bytes arrive. The memory is overwritten afterwards, as a runtime would reuse it. */
  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data.slice()
    this.#receiver!.bytes(bytes)
    bytes.fill(0xaa)
  }

  fin(): void {
    this.sentFin = true
    this.#receiver!.fin()
    if (this.#finished) this.#end({ _tag: "Finished" })
  }

  reset(): void {
    this.#end({ _tag: "Reset" })
  }

  fail(cause: unknown): void {
    this.#end({ _tag: "Failed", cause })
  }

  /** The kernel has room again. */
  drain(room = Infinity): void {
    this.room = room
    this.#receiver!.writable()
  }

  #end(end: TransportEnd): void {
    if (this.ended !== undefined) return
    this.ended = end._tag
    this.#receiver?.closed(end)
  }
}

/** A network that has only scripted peers. */
export class Script {
  readonly closed: Array<string> = []
  readonly #accepts = new Map<string, (transport: Transport) => void>()

  /** A client connects to the first listener, or to the one named; from a host. */
  connect(address?: string, host?: string): Peer {
    const accept = address === undefined ? this.#accepts.values().next().value : this.#accepts.get(address)
    const peer = new Peer(host)
    accept!(peer.transport)
    return peer
  }

  readonly layer: Layer.Layer<Sockets> = Layer.succeed(
    Sockets,
    Sockets.of({
      capabilities: {
        runtime: "script",
        reset: true,
        reusePort: false,
        stopAccepting: "backlog",
        adoptDescriptor: false,
        abstractUnix: false,
        bindSource: false,
      },
      listen: ({ address }, accept) => {
        const name = Address.format(address)
        const close = Effect.sync(() => {
          if (this.#accepts.delete(name)) this.closed.push(name)
        })
        return Effect.acquireRelease(
          Effect.sync((): Listener => {
            this.#accepts.set(name, accept)
            return { address, pause: () => {}, resume: Effect.void, close }
          }),
          () => close,
        )
      },
      connect: () => Effect.die("a script does not connect"),
    }),
  )
}
