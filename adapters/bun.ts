/**
 * The port over `Bun.listen` and `Bun.connect`.
 *
 * How it differs from its siblings:
 *
 * - `write` copies nothing: Bun gives the kernel what it takes and says how much that was; the rest is lost unless kept
 *   (https://github.com/oven-sh/bun/issues/9682), which core's outbox does. So `sending` is always 0. `drain` is a hint
 *   (https://github.com/oven-sh/bun/pull/37099), passed on only to whoever waits for it.
 * - `end()` closes both directions and may drop bytes that were accepted (https://github.com/oven-sh/bun/issues/31383):
 *   FIN is `shutdown()`, and `end()` is only called when the peer has finished as well.
 * - `close` comes synchronously out of `end()` and `terminate()`; it is delivered in a microtask, which is after the
 *   caller's turn. After `shutdown()` it stands for the peer's FIN too, which then has no event of its own.
 * - A paused socket does not show FIN; RST delivers what was received, although paused
 *   (https://github.com/oven-sh/bun/pull/39600). That is kept here until `resume`.
 * - Bun closes a Unix socket once its peer has closed. Here it stays open until this side has finished as well.
 * - The backlog is 512 and no option. `Listener.pause` unbinds: accepting cannot be stopped otherwise.
 * - Out of descriptors, Bun spins in its accept loop and says nothing. So a client that gets one of the last 8 is reset
 *   at once, and reported as `EMFILE`. Where the limit cannot be read (Linux's `/proc`), there is no such guard.
 * - A connection attempt cannot be cancelled: one that is interrupted is closed when it succeeds.
 * - A link-local address is bound and reached with its zone (`fe80::1%eth0`), and named without it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import process from "node:process"
import * as Address from "../core/Address.ts"
import {
  type Capabilities,
  type ConnectError,
  type ConnectOptions,
  type ListenError,
  type ListenOptions,
  type Receiver,
  Sockets,
  type Transport,
  type TransportEnd,
} from "../core/Sockets.ts"
import { adopt, adoptedAddress, descriptorError } from "./AdoptedListener.ts"
import { enforce, floors } from "./Floor.ts"
import { connectError, listenError, noSource, transportEnd } from "./SystemError.ts"
import { UnbindingListener } from "./UnbindingListener.ts"
import { takeOver } from "./UnixPath.ts"

const capabilities: Capabilities = {
  runtime: `bun ${process.versions["bun"]}`,
  reset: true,
  reusePort: process.platform === "linux",
  stopAccepting: "unbind",
  adoptDescriptor: process.platform !== "win32",
  abstractUnix: process.platform === "linux",
  bindSource: false,
}

// ── Transport ──────────────────────────────────────────────────────────────────────────────────────────────────────

const aborted: TransportEnd = { _tag: "Aborted" }
const finished: TransportEnd = { _tag: "Finished" }
const reset: TransportEnd = { _tag: "Reset" }

class BunTransport implements Transport {
  readonly localAddress: Address.Address | undefined
  readonly remoteAddress: Address.Address | undefined
  readonly sending = 0
  readonly #socket: Socket
  #receiver: Receiver | undefined
  #end: TransportEnd | undefined
  #paused = false
  #shut = false
  #wanted = false // a write took less than it was given
  #fin: "Unseen" | "Seen" | "Delivered" = "Unseen"
  #closed = false // the descriptor is
  #reported = false
  #kept: Array<Uint8Array> | undefined // received while paused

  constructor(socket: Socket, local: Address.Address | undefined, remote: Address.Address | undefined) {
    this.#socket = socket
    this.localAddress = local
    this.remoteAddress = remote
    // The default of Bun is NODELAY; keep-alive is off.
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 0)
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    if (!this.#paused) this.resume()
    else if (this.#end !== undefined) this.#deliverLater()
  }

  write(bytes: Uint8Array): number {
    if (this.#shut || this.#end !== undefined) return 0
    const taken = this.#socket.write(bytes) // -1 when closed
    if (taken === bytes.length) return taken
    this.#wanted = true
    if (this.#closed) this.#endLater(reset)
    return taken > 0 ? taken : 0
  }

  pause(): void {
    this.#paused = true
    if (!this.#closed) this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#receiver === undefined) return
    if (!this.#closed) this.#socket.resume()
    if (this.#kept !== undefined || this.#fin === "Seen" || this.#closed) this.#deliverLater()
  }

  shutdown(): void {
    if (this.#shut || this.#end !== undefined) return
    this.#shut = true
    if (this.#closed) return this.#endLater(finished)
    if (this.#fin === "Unseen") this.#socket.shutdown()
    else this.#socket.end()
  }

  abort(): void {
    if (this.#end !== undefined) return
    this.#endLater(aborted)
    if (!this.#closed) this.#socket.terminate()
  }

  /** Without a receiver nothing is read: the first `attach` resumes. */
  hold(): void {
    if (this.#receiver === undefined && !this.#closed) this.#socket.pause()
  }

  received(chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    if (this.#receiver !== undefined && !this.#paused && this.#kept === undefined) this.#receiver.bytes(chunk)
    else (this.#kept ??= []).push(chunk)
  }

  drained(): void {
    if (!this.#wanted || this.#shut || this.#end !== undefined) return
    this.#wanted = false
    this.#receiver?.writable()
  }

  peerFinished(): void {
    this.#fin = "Seen"
    if (this.#shut) this.#socket.end()
    this.#deliver()
  }

  closed(cause: unknown): void {
    this.#closed = true
    if (cause !== undefined && cause !== null) this.#end ??= transportEnd(cause)
    else if (this.#shut) {
      this.#end ??= finished
      if (this.#fin === "Unseen") this.#fin = "Seen"
    } else if (this.#wanted || this.#fin === "Unseen") {
      // A reset: its error was the failing write's.
      this.#end ??= reset
    }
    // Else a Unix peer has closed; `shutdown` or `write` ends it.
    this.#deliverLater()
  }

  #endLater(end: TransportEnd): void {
    this.#end ??= end
    this.#deliverLater()
  }

  #deliverLater(): void {
    queueMicrotask(() => this.#deliver())
  }

  /** Passes on what was received, the peer's FIN and the end, in this order, as far as they have come. */
  #deliver(): void {
    const receiver = this.#receiver
    if (receiver === undefined || this.#reported) return
    // Any other end overtakes what was received and not yet delivered.
    while (this.#end === undefined || this.#end === finished) {
      if (this.#paused) return
      if (this.#kept !== undefined) {
        const chunk = this.#kept.shift()!
        if (this.#kept.length === 0) this.#kept = undefined
        receiver.bytes(chunk)
      } else if (this.#fin === "Seen") {
        this.#fin = "Delivered"
        receiver.fin()
      } else if (this.#end === undefined) return
      else break
    }
    this.#reported = true
    this.#kept = undefined
    receiver.closed(this.#end)
  }
}

// ── Listener ───────────────────────────────────────────────────────────────────────────────────────────────────────

// `stop(true)` would close the connections as well.
const unbind = (server: Server): void => server.stop()

const listen = (options: ListenOptions, accept: (transport: Transport) => void) => {
  if (options.descriptor !== undefined) {
    const bind = (accept: (transport: Transport) => void) => bindServer(options, options.address, accept)
    return adopt(accept, bind, (server) => boundAddress(server, options), unbind)
  }
  let arrived = 0
  const counted = (transport: Transport): void => {
    arrived++
    accept(transport)
  }
  const bind = (address: Address.Address): Bind =>
    takeOver(address, bindServer(options, address, counted), Effect.scoped(Effect.asVoid(connect({ address }))))
  return Effect.acquireRelease(
    Effect.map(
      bind(options.address),
      (server) => new UnbindingListener(server, boundAddress(server, options), bind, unbind, () => arrived),
    ),
    (listener) => listener.close,
  )
}

type Bind = Effect.Effect<Server, ListenError>

const bindServer = (
  options: ListenOptions,
  address: Address.Address,
  accept: (transport: Transport) => void,
): Bind =>
  Effect.try({
    try: () => {
      const { descriptor } = options
      const server = Bun.listen({
        ...(descriptor === undefined ? endpoint(address) : { fd: descriptor }),
        // Else it closes when the peer finishes, and cuts the reply (https://github.com/oven-sh/bun/pull/35932).
        allowHalfOpen: true,
        ...(options.reusePort ? { reusePort: true } : {}),
        socket: {
          ...handlers,
          open(socket) {
            const transport = bound._tag === "Unix"
              ? new BunTransport(socket, bound, undefined)
              : new BunTransport(socket, localOf(socket), remoteOf(socket))
            socket.data = transport
            // The system gives the lowest free one: whoever gets this says that all below are taken.
            if (socket.fd >= lastDescriptor) return refuse(transport, options)
            accept(transport)
            transport.hold()
          },
        },
      })
      const bound = boundAddress(server, options)
      return server
    },
    catch: (cause) =>
      options.descriptor === undefined ? listenError(address, cause) : descriptorError(options.descriptor, cause),
  })

const refuse = (transport: BunTransport, options: ListenOptions): void => {
  transport.abort()
  const cause = new Error(`Cannot keep a client: no descriptors are left but the last ${spareDescriptors}`)
  options.acceptFailed?.({ code: "EMFILE", cause })
}

const descriptorLimit = (): number => {
  try {
    return Number(/^Max open files +(\d+)/m.exec(fs.readFileSync("/proc/self/limits", "latin1"))?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}

// Half of what the cap on connections leaves free (ops/descriptors.ts): the cap has to speak first, and descriptors that
// the process opens after the cap was set must not change that.
const spareDescriptors = 8
const lastDescriptor = descriptorLimit() - spareDescriptors

const boundAddress = (server: Server, { address, descriptor }: ListenOptions): Address.Address => {
  if (descriptor !== undefined) {
    const bound: SocketName = {}
    server.getsockname(bound)
    return adoptedAddress(address, bound)
  }
  return address._tag === "Unix" ? address : Address.tcp(address.host, server.port)
}

// ── Connect ────────────────────────────────────────────────────────────────────────────────────────────────────────

const connect = (options: ConnectOptions) =>
  Effect.acquireRelease(
    options.source === undefined ? open(options.address) : Effect.fail(noSource(options.address, options.source)),
    (transport) => Effect.sync(() => transport.abort()),
    { interruptible: true },
  )

const open = (address: Address.Address): Effect.Effect<Transport, ConnectError> =>
  Effect.callback<Transport, ConnectError>((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(connectError(address, cause)))
    let interrupted = false
    try {
      Bun.connect({
        ...endpoint(address),
        allowHalfOpen: true,
        socket: {
          ...handlers,
          open(socket) {
            const transport = address._tag === "Unix"
              ? new BunTransport(socket, undefined, address)
              : new BunTransport(socket, localOf(socket), remoteOf(socket))
            socket.data = transport
            if (interrupted) return transport.abort()
            resume(Effect.succeed(transport))
            transport.hold()
          },
        },
      }).catch(fail)
    } catch (cause) {
      fail(cause)
    }
    return Effect.sync(() => {
      interrupted = true
    })
  })

/** Shared by all sockets, each of which carries its transport as `data`. */
const handlers: Omit<Handlers, "open"> = {
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.peerFinished(),
  close: (socket, cause) => socket.data.closed(cause),
  // Only what a handler throws comes here (https://bun.sh/docs/api/tcp); unhandled, it would pass unseen.
  error: (_, cause) => {
    throw cause
  },
}

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────────────────────────

const endpoint = (address: Address.Address) =>
  address._tag === "Unix" ? { unix: address.path } : { hostname: address.host, port: address.port }

const localOf = ({ localAddress, localPort }: Socket): Address.Address | undefined =>
  localAddress === undefined || localPort === undefined ? undefined : Address.fromPeer(localAddress, localPort)

const remoteOf = ({ remoteAddress, remotePort }: Socket): Address.Address | undefined =>
  remoteAddress === undefined || remotePort === undefined ? undefined : Address.fromPeer(remoteAddress, remotePort)

/** The sockets of Bun. */
export const layer: Layer.Layer<Sockets> = Layer.succeed(
  Sockets,
  enforce(floors.bun, process.versions["bun"] ?? "unknown", { capabilities, listen, connect }),
)

// ── The runtime's types, as far as they are used ───────────────────────────────────────────────────────────────────

interface Socket {
  data: BunTransport
  readonly fd: number
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  setNoDelay(on: boolean): boolean
  setKeepAlive(on: boolean, initialDelay: number): boolean
  write(bytes: Uint8Array): number
  pause(): void
  resume(): void
  shutdown(): void
  end(): void
  terminate(): void
}

interface Handlers {
  open(socket: Socket): void
  data(socket: Socket, chunk: Uint8Array): void
  drain(socket: Socket): void
  end(socket: Socket): void
  close(socket: Socket, cause?: unknown): void
  error(socket: Socket, cause: unknown): void
}

/** Stays empty for a Unix socket. */
interface SocketName {
  address?: string
  port?: number
}

interface Server {
  readonly port: number
  getsockname(name: SocketName): void
  stop(closeActiveConnections?: boolean): void
}

type Endpoint = { readonly hostname: string; readonly port: number } | { readonly unix: string }
type Inherited = { readonly fd: number }

interface Options {
  readonly allowHalfOpen: boolean
  readonly reusePort?: boolean
  readonly socket: Handlers
}

declare const Bun: {
  listen(options: (Endpoint | Inherited) & Options): Server
  connect(options: Endpoint & Options): Promise<Socket>
}
