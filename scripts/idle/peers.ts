/**
 * A Sockets whose peers cost next to nothing: one object with one field for each connection. It delivers one line and
 * counts what comes back, so that what else is on the heap is core's.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Address from "../../core/Address.ts"
import { type Listener, type Receiver, Sockets, type Transport } from "../../core/Sockets.ts"

// An adapter makes them for each connection; what they cost is its affair.
const localAddress = Address.tcp("127.0.0.1", 9_000)
const remoteAddress = Address.tcp("127.0.0.1", 40_000)
const aborted = { _tag: "Aborted" } as const

/** Bytes that all peers were sent. */
export let answered = 0

/** The other end of one connection. */
export class Peer implements Transport {
  receiver: Receiver | undefined

  get localAddress(): Address.Address {
    return localAddress
  }

  get remoteAddress(): Address.Address {
    return remoteAddress
  }

  get sending(): number {
    return 0
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
  }

  write(bytes: Uint8Array): number {
    answered += bytes.length
    return bytes.length
  }

  pause(): void {}
  resume(): void {}
  shutdown(): void {}

  abort(): void {
    queueMicrotask(() => {
      this.receiver?.closed(aborted)
      this.receiver = undefined
    })
  }
}

/** How the one listener accepts; undefined while there is none. */
export let accept: ((transport: Transport) => void) | undefined

/** The network of these peers. */
export const layer: Layer.Layer<Sockets> = Layer.succeed(
  Sockets,
  Sockets.of({
    capabilities: {
      runtime: "idle",
      reset: true,
      reusePort: false,
      stopAccepting: "backlog",
      adoptDescriptor: false,
      abstractUnix: false,
      bindSource: false,
    },
    listen: ({ address }, onAccept) => {
      const close = Effect.sync(() => {
        accept = undefined
      })
      return Effect.acquireRelease(
        Effect.sync((): Listener => {
          accept = onAccept
          return { address, pause: () => {}, resume: Effect.void, close }
        }),
        () => close,
      )
    },
    connect: () => Effect.die("these peers are not connected to"),
  }),
)
