/**
 * The port over `node:net`.
 *
 * How it differs from its siblings:
 *
 * - `write` copies each piece into one scratch buffer of the process. Where libuv could hand it to the kernel at once
 *   (`writableLength` is 0 afterwards), that memory is free again; else it is left to that write, which is then the only
 *   one of its connection in flight. Memory that is overwritten earlier arrives corrupted, and a large write shows no
 *   progress until its last byte is gone.
 * - Reading is flowing `data`: `readable` and `read()` concatenate, `onread` is ignored on accepted sockets.
 * - A paused socket still reads up to 64 KiB, which wait in the stream; FIN and RST behind them are invisible
 *   (https://github.com/nodejs/node/issues/46015).
 * - `Listener.pause` unbinds: there is no way to leave clients in the backlog, and those that wait there are reset.
 * - When descriptors run out, libuv accepts with a spare one and closes at once; nothing reports that, so
 *   `acceptFailed` is not called for it.
 * - libuv accepts one connection a turn of the loop (https://github.com/libuv/libuv/pull/3696).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Buffer } from "node:buffer"
import * as net from "node:net"
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
import { codeOf, connectError, listenError, transportEnd } from "./SystemError.ts"
import { UnbindingListener } from "./UnbindingListener.ts"
import { takeOver } from "./UnixPath.ts"

const capabilities: Capabilities = {
  runtime: `node ${process.versions.node}`,
  reset: true,
  reusePort: process.platform === "linux",
  stopAccepting: "unbind",
  adoptDescriptor: process.platform !== "win32",
  abstractUnix: process.platform === "linux",
  bindSource: true,
}

// ── Transport ──────────────────────────────────────────────────────────────────────────────────────────────────────

const aborted: TransportEnd = { _tag: "Aborted" }
const finished: TransportEnd = { _tag: "Finished" }
const nothing = new Uint8Array(0)

const transportOf = Symbol("anyport/node/transport")

/** A socket that knows its transport, so that all sockets share their event handlers. */
interface Socket extends net.Socket {
  [transportOf]: NodeTransport
}

class NodeTransport implements Transport {
  readonly localAddress: Address.Address | undefined
  readonly remoteAddress: Address.Address | undefined
  readonly #socket: net.Socket
  readonly #tcp: boolean
  #receiver: Receiver | undefined
  #end: TransportEnd | undefined
  #paused = false
  #shut = false
  #wanted = false // a write took less than it was given
  #closed = false

  constructor(socket: net.Socket, local: Address.Address | undefined, remote: Address.Address | undefined) {
    this.#socket = socket
    this.#tcp = (local ?? remote)?._tag !== "Unix"
    this.localAddress = local
    this.remoteAddress = remote
    const own = socket as Socket // it is one from the next line on
    own[transportOf] = this
    own.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose)
  }

  get sending(): number {
    return this.#socket.writableLength
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#closed) queueMicrotask(() => this.#report())
    else if (!this.#paused) this.#socket.resume()
  }

  write(bytes: Uint8Array): number {
    const socket = this.#socket
    if (this.#shut || this.#end !== undefined) return 0
    let taken = 0
    // After a write that failed at once it takes the rest as well, and drops it: `writable` is false then.
    while (taken < bytes.length && socket.writableLength === 0 && socket.writable) {
      const piece = scratch.copy(bytes, taken)
      taken += piece.length
      socket.write(piece)
      if (socket.writableLength > 0) {
        scratch.leave(piece)
        // Called when the piece in front of it is gone; `drain` would only be for pieces above the high-water mark.
        socket.write(nothing, () => this.#written())
      }
    }
    if (taken < bytes.length) this.#wanted = true
    return taken
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#receiver !== undefined) this.#socket.resume()
  }

  shutdown(): void {
    if (this.#shut || this.#end !== undefined) return
    this.#shut = true
    this.#socket.end()
  }

  abort(): void {
    // Destroyed but not yet closed: it has ended by itself, and is about to say so.
    if (this.#end !== undefined || this.#socket.destroyed) return
    this.#end = aborted
    // For what is no TCP socket, `resetAndDestroy` throws. While a FIN is on its way, libuv refuses to reset, and the
    // descriptor would stay open for good (https://github.com/libuv/libuv/issues/3661).
    if (!this.#tcp) this.#socket.destroy()
    else if (this.#shut && this.sending === 0 && !this.#socket.writableFinished) this.#socket.once("finish", onFinish)
    else this.#socket.resetAndDestroy()
  }

  received(chunk: Uint8Array): void {
    if (this.#end === undefined) this.#receiver?.bytes(chunk)
  }

  peerFinished(): void {
    if (this.#end === undefined) this.#receiver?.fin()
  }

  failed(cause: unknown): void {
    this.#end ??= transportEnd(cause)
  }

  closed(): void {
    this.#closed = true
    this.#report()
  }

  #written(): void {
    if (!this.#wanted || this.#end !== undefined) return
    this.#wanted = false
    this.#receiver?.writable()
  }

  #report(): void {
    this.#receiver?.closed(this.#end ?? finished)
  }
}

function onData(this: Socket, chunk: Uint8Array): void {
  this[transportOf].received(chunk)
}

function onEnd(this: Socket): void {
  this[transportOf].peerFinished()
}

function onFinish(this: Socket): void {
  this.resetAndDestroy()
}

function onError(this: Socket, cause: unknown): void {
  this[transportOf].failed(cause)
}

// Node closes by itself once both directions have ended, after `error`, and after `destroy`; always in a later tick.
function onClose(this: Socket): void {
  this[transportOf].closed()
}

/** Memory for pieces on their way to the kernel, shared by all connections: at most 64 KiB of it are left to each. */
class Scratch {
  #slab = Buffer.allocUnsafeSlow(slabSize)
  #start = 0

  /** A copy of as much as fits a piece, from `offset` on. Good until the next `copy`, unless it is left. */
  copy(bytes: Uint8Array, offset: number): Buffer {
    const length = Math.min(bytes.length - offset, slabSize)
    if (this.#start + length > slabSize) {
      this.#slab = Buffer.allocUnsafeSlow(slabSize)
      this.#start = 0
    }
    this.#slab.set(length === bytes.length ? bytes : bytes.subarray(offset, offset + length), this.#start)
    return this.#slab.subarray(this.#start, this.#start + length)
  }

  /** Leaves the memory of the last copy to a write that still needs it. */
  leave(piece: Buffer): void {
    this.#start += piece.length
  }
}

const slabSize = 64 * 1024
const scratch = new Scratch()

// ── Listener ───────────────────────────────────────────────────────────────────────────────────────────────────────

// Nobody waits for its callback, which comes after the last connection.
const unbind = (server: net.Server): void => void server.close()

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

type Bind = Effect.Effect<net.Server, ListenError>

const bindServer = (
  options: ListenOptions,
  address: Address.Address,
  accept: (transport: Transport) => void,
): Bind =>
  Effect.callback<net.Server, ListenError>((resume) => {
    const { descriptor } = options
    const fail = (cause: unknown) =>
      resume(Effect.fail(descriptor === undefined ? listenError(address, cause) : descriptorError(descriptor, cause)))
    let bound = address
    // Without `pauseOnConnect` it reads before anybody has attached.
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true })
    server.once("error", fail)
    server.once("listening", () => {
      server.off("error", fail)
      server.on("error", (cause) => options.acceptFailed?.({ code: codeOf(cause), cause }))
      bound = boundAddress(server, options)
      resume(Effect.succeed(server))
    })
    server.on("connection", (socket) =>
      accept(
        bound._tag === "Unix"
          ? new NodeTransport(socket, bound, undefined)
          : new NodeTransport(socket, localOf(socket), remoteOf(socket)),
      ))
    try {
      if (descriptor !== undefined) server.listen({ fd: descriptor, backlog: 511 })
      else server.listen({ ...endpoint(address), backlog: 511, ipv6Only: false, reusePort: options.reusePort ?? false })
    } catch (cause) {
      fail(cause)
    }
    return Effect.sync(() => {
      server.close()
    })
  })

const boundAddress = (server: net.Server, options: ListenOptions): Address.Address => {
  const bound = server.address()
  if (options.descriptor !== undefined) return adoptedAddress(options.address, bound)
  if (options.address._tag === "Unix" || bound === null || typeof bound === "string") return options.address
  return Address.tcp(options.address.host, bound.port)
}

// ── Connect ────────────────────────────────────────────────────────────────────────────────────────────────────────

const connect = (options: ConnectOptions) =>
  Effect.acquireRelease(
    open(options),
    (transport) => Effect.sync(() => transport.abort()),
    { interruptible: true },
  )

const open = ({ address, source }: ConnectOptions): Effect.Effect<Transport, ConnectError> =>
  Effect.callback<Transport, ConnectError>((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(connectError(address, cause, source)))
    let socket: net.Socket
    try {
      socket = net.connect({ ...endpoint(address), ...from(address, source), ...clientOptions })
    } catch (cause) {
      return fail(cause)
    }
    socket.pause()
    socket.once("error", fail)
    socket.once("connect", () => {
      socket.off("error", fail)
      resume(
        Effect.succeed(
          address._tag === "Unix"
            ? new NodeTransport(socket, undefined, address)
            : new NodeTransport(socket, localOf(socket), remoteOf(socket)),
        ),
      )
    })
    return Effect.sync(() => {
      socket.destroy()
    })
  })

const clientOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true }

const from = (address: Address.Address, source: string | undefined) => {
  if (source === undefined) return {}
  // Node would leave it out without a word for a path; from the other family Bun's `node:net` would be "refused".
  const family = address._tag === "Unix" ? 0 : net.isIP(address.host) || net.isIP(source)
  if (net.isIP(source) !== family) throw Object.assign(new TypeError("it is of another family"), { code: "EINVAL" })
  return { localAddress: source }
}

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────────────────────────

const endpoint = (address: Address.Address) => {
  if (address._tag === "Unix") return { path: address.path }
  // Which Node would take for "any host".
  if (address.host === "") throw new TypeError("the host is empty")
  return { host: address.host, port: address.port }
}

const localOf = ({ localAddress, localPort }: net.Socket): Address.Address | undefined =>
  localAddress === undefined || localPort === undefined ? undefined : Address.fromPeer(localAddress, localPort)

const remoteOf = ({ remoteAddress, remotePort }: net.Socket): Address.Address | undefined =>
  remoteAddress === undefined || remotePort === undefined ? undefined : Address.fromPeer(remoteAddress, remotePort)

/** The sockets of Node. */
export const layer: Layer.Layer<Sockets> = Layer.succeed(
  Sockets,
  enforce(floors.node, process.versions.node, { capabilities, listen, connect }),
)
