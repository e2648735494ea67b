/**
 * A WebSocket (RFC 6455) as a Transport, by `ws`, which runs over each runtime's `node:net`. It is not made by the port's
 * `connect`: the library opens the socket itself. What is written and delivered are the frames of `MessageFrames.ts`.
 *
 * How the clauses of the port are met by something that is no byte stream:
 *
 * - Pings are answered by the library. Messages are not compressed, so that what is measured is the server.
 * - `sending` counts what the library has not handed to the system. It is filled to 256 KiB and then only by what one
 *   message, which cannot be sent in parts, is longer.
 * - What `pause` is too late for, the messages of one read, is kept until `resume`.
 * - A close with code 1000, 1001 or none is `fin` and `Finished`; any other code, and a message that is none, is `Failed`;
 *   an end without a close is `Reset`. There is no half-open: once the server has closed, nothing is taken.
 * - `abort` closes without a RST.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { WebSocket } from "ws"
import type { Address } from "../core/Address.ts"
import { ByteBuffer } from "../core/ByteBuffer.ts"
import type { Decoder } from "../core/Codec.ts"
import { ConnectError, type ConnectProblem, type Receiver, type Transport, type TransportEnd } from "../core/Sockets.ts"
import * as MessageFrames from "./MessageFrames.ts"
import type { Target } from "./Target.ts"

/** Where to connect, and from where. */
export interface Options {
  readonly target: Target & { readonly webSocket: string }
  readonly source?: string
  /** Bytes of a message that the server may send. A longer one ends the connection before it is held. */
  readonly maxMessage: number
}

/** Connects; the transport is aborted when the scope closes before it has ended by itself. */
export const connect = (options: Options): Effect.Effect<Transport, ConnectError, Scope> =>
  Effect.acquireRelease(open(options), (transport) => Effect.sync(() => transport.abort()), { interruptible: true })

const open = ({ target, source, maxMessage }: Options): Effect.Effect<Transport, ConnectError> =>
  Effect.callback<Transport, ConnectError>((resume) => {
    const fail = (cause: unknown): void => resume(Effect.fail(connectError(target.address, cause, source)))
    let socket: WebSocket
    try {
      socket = new WebSocket(target.webSocket, {
        perMessageDeflate: false,
        followRedirects: false,
        maxPayload: maxMessage,
        ...source === undefined ? {} : { localAddress: source },
      })
    } catch (cause) {
      return fail(cause)
    }
    socket.on("error", fail)
    socket.once("unexpected-response", (_, { statusCode, statusMessage }) => {
      fail(new Error(`it answered ${statusCode} ${statusMessage}, wanted is 101 Switching Protocols`))
      socket.terminate()
    })
    socket.once("open", () => {
      socket.off("error", fail)
      // What the server says at once waits for `attach`.
      socket.pause()
      resume(Effect.succeed(new WebSocketTransport(socket, target.address)))
    })
    return Effect.sync(() => {
      // It says that it was closed before it was open; nobody listens any more.
      socket.on("error", () => {})
      socket.terminate()
    })
  })

const limit = 256 * 1024
const aborted: TransportEnd = { _tag: "Aborted" }
const finished: TransportEnd = { _tag: "Finished" }
const reset: TransportEnd = { _tag: "Reset" }

class WebSocketTransport implements Transport {
  readonly localAddress: Address | undefined = undefined
  readonly remoteAddress: Address
  readonly #socket: WebSocket
  readonly #unsent = new ByteBuffer()
  readonly #decoder: Decoder<Uint8Array> = MessageFrames.withHeaders(2 ** 31).decoder()
  readonly #frames: Array<Uint8Array> = []
  readonly #unread: Array<Uint8Array> = []
  #receiver: Receiver | undefined
  #paused = false
  #shut = false
  #wanted = false // a write took less than it was given
  #pending = 0 // callbacks that are to come
  #end: TransportEnd | undefined
  #cause: unknown
  #invalid = false
  #told = false // that it is
  #closed = false
  #reported = false
  #delivering = false // a delivery is scheduled

  constructor(socket: WebSocket, remote: Address) {
    this.#socket = socket
    this.remoteAddress = remote
    socket.on("message", (message, isBinary) => {
      // The default of `binaryType`, which is a Buffer.
      this.#received(message as Uint8Array, isBinary)
    })
    socket.on("error", (cause) => {
      this.#cause = cause
      this.#invalid = "code" in cause && typeof cause.code === "string" && cause.code.startsWith("WS_ERR_")
    })
    socket.once("close", (code, reason) => {
      this.#closed = true
      this.#end ??= this.#endOf(code, String(reason))
      this.#deliverLater()
    })
  }

  get sending(): number {
    return this.#socket.bufferedAmount
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    this.#deliverLater()
  }

  write(bytes: Uint8Array): number {
    if (!this.#open) return 0
    let taken = 0
    for (let room = this.#room; taken < bytes.length && room > 0; room = this.#room) {
      const piece = bytes.subarray(taken, taken + room)
      taken += piece.length
      this.#unsent.append(piece)
      this.#send()
      this.#unsent.own()
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
    this.#deliverLater()
  }

  shutdown(): void {
    if (!this.#open) return
    this.#shut = true
    this.#socket.close(1000)
  }

  abort(): void {
    if (this.#reported || this.#end === aborted) return
    // Closed, and about to say so: only who was told that there is no frame ends it once more.
    if (this.#end !== undefined && !this.#told) return
    this.#end = aborted
    this.#unread.length = 0
    this.#socket.terminate()
  }

  get #open(): boolean {
    return !this.#shut && this.#end === undefined && this.#socket.readyState === WebSocket.OPEN
  }

  /** How much may be taken. Where nothing is on its way, a message is taken whole, however long it is. */
  get #room(): number {
    return this.sending === 0 ? limit : limit - this.sending - this.#unsent.length
  }

  #send(): void {
    // A frame of our own session: there is none that is wrong.
    while (this.#decoder.decode(this.#unsent, this.#frames, framesPerDecode) === undefined && this.#frames.length > 0) {
      const last = this.#frames.length - 1
      for (const [index, frame] of this.#frames.entries()) {
        const binary = frame[0] === MessageFrames.kinds.binary
        const message = frame.subarray(MessageFrames.headerSize)
        // One callback tells of all messages in front of it.
        if (index < last) this.#socket.send(message, { binary })
        else this.#socket.send(message, { binary }, this.#sent)
      }
      this.#pending++
      this.#frames.length = 0
    }
  }

  readonly #sent = (): void => {
    this.#pending--
    if (!this.#wanted || (this.sending > limit / 2 && this.#pending > 0) || !this.#open) return
    this.#wanted = false
    this.#receiver?.writable()
  }

  #received(message: Uint8Array, isBinary: boolean): void {
    if (this.#end === aborted) return
    const frame = new Uint8Array(MessageFrames.headerSize + message.length)
    MessageFrames.writeHeader(frame, isBinary ? "binary" : "text", message.length)
    frame.set(message, MessageFrames.headerSize)
    if (this.#paused || this.#receiver === undefined || this.#unread.length > 0) this.#unread.push(frame)
    else this.#receiver.bytes(frame)
  }

  #endOf(code: number, reason: string): TransportEnd {
    if (this.#invalid) return { _tag: "Failed", cause: this.#cause }
    if (code === 1006) return reset
    if (code === 1000 || code === 1001 || code === 1005) return finished
    return { _tag: "Failed", cause: new Error(`the server closed with ${code}${reason === "" ? "" : `: ${reason}`}`) }
  }

  #deliverLater(): void {
    if (this.#delivering) return
    this.#delivering = true
    queueMicrotask(() => {
      this.#delivering = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const receiver = this.#receiver
    if (receiver === undefined || this.#reported) return
    while (this.#unread.length > 0) {
      if (this.#paused || this.#end === aborted) break
      receiver.bytes(this.#unread.shift()!)
    }
    if (!this.#paused) this.#socket.resume()
    // A FIN behind messages that nobody wants yet is not seen either.
    if (!this.#closed || (this.#unread.length > 0 && this.#end !== aborted)) return
    if (this.#end === finished) receiver.fin()
    if (this.#invalid && this.#end !== aborted) {
      this.#told = true
      // What is no message is no frame: a length that none has tells the decoder so.
      receiver.bytes(new Uint8Array(MessageFrames.headerSize).fill(0xff))
    }
    this.#reported = true
    receiver.closed(this.#end!)
  }
}

const framesPerDecode = 1_024

// The same codes as an adapter knows, in an error of `node:http`.
const connectError = (address: Address, cause: unknown, source: string | undefined): ConnectError => {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""
  const foreign = source !== undefined && (code === "EADDRNOTAVAIL" || code === "EINVAL")
  const denied = cause instanceof Error && cause.name === "NotCapable"
  const problem = foreign ? "InvalidSource" : denied ? "PermissionDenied" : problems[code] ?? "HandshakeFailed"
  return new ConnectError({ problem, address, source, cause })
}

const problems: Record<string, ConnectProblem> = {
  ECONNREFUSED: "Refused",
  ENOTFOUND: "NameNotFound",
  EAI_AGAIN: "NameNotFound",
  EAI_FAIL: "NameNotFound",
  EADDRNOTAVAIL: "AddressUnavailable",
  EADDRINUSE: "AddressUnavailable",
  EMFILE: "TooManyDescriptors",
  ENFILE: "TooManyDescriptors",
  ECONNRESET: "Reset",
  EPIPE: "Reset",
  ETIMEDOUT: "TimedOut",
  EHOSTUNREACH: "Unreachable",
  ENETUNREACH: "Unreachable",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
}
