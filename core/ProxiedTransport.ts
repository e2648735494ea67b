/**
 * A transport whose first bytes are a PROXY header: it reads the header, and is then the transport of the client that the
 * header names. Nothing is read beyond the header before somebody attaches.
 *
 * By when the header has to be there, and what becomes of a bad one, is the Gate's.
 */
import type { Address } from "./Address.ts"
import { ByteBuffer } from "./ByteBuffer.ts"
import type { Decoder, FrameError } from "./Codec.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import type { Receiver, Transport, TransportEnd } from "./Sockets.ts"
import type { Turn } from "./Turn.ts"

/** How reading a header ended. `Gone`: the peer left before it was whole; how many bytes of it had come. */
export type Greeting =
  | { readonly _tag: "Read"; readonly header: ProxyHeader }
  | { readonly _tag: "Invalid"; readonly error: FrameError }
  | { readonly _tag: "Gone"; readonly length: number }

/** One transport behind a proxy. `greeted` is called once; it may attach at once, or whenever it likes. */
export class ProxiedTransport implements Transport, Receiver {
  /** The header, once it was read. */
  header: ProxyHeader | undefined
  readonly #transport: Transport
  readonly #decoder: Decoder<ProxyHeader>
  readonly #turn: Turn
  readonly #greeted: (greeting: Greeting) => void
  readonly #unread = new ByteBuffer()
  #state: "Reading" | "Waiting" | "Attached" | "Over" = "Reading"
  #receiver: Receiver | undefined
  #inside = false
  #paused = false // by whoever attached
  #fin = false
  #end: TransportEnd | undefined

  constructor(
    transport: Transport,
    decoder: Decoder<ProxyHeader>,
    turn: Turn,
    greeted: (greeting: Greeting) => void,
  ) {
    this.#transport = transport
    this.#decoder = decoder
    this.#turn = turn
    this.#greeted = greeted
  }

  /** Begins to read. */
  begin(): void {
    this.#transport.attach(this)
  }

  // ── Transport ────────────────────────────────────────────────────────────────────────────────────────────────────

  get remoteAddress(): Address | undefined {
    return this.header?.source ?? this.#transport.remoteAddress
  }

  get localAddress(): Address | undefined {
    return this.header?.destination ?? this.#transport.localAddress
  }

  get sending(): number {
    return this.#transport.sending
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#state === "Reading") this.#state = "Waiting"
    if (!this.#inside) this.#turn.next(() => this.#deliver())
  }

  write(bytes: Uint8Array): number {
    return this.#transport.write(bytes)
  }

  pause(): void {
    this.#paused = true
    if (this.#state === "Attached") this.#transport.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#state === "Attached") this.#transport.resume()
  }

  shutdown(): void {
    this.#transport.shutdown()
  }

  abort(): void {
    if (this.#state === "Reading") this.#state = "Over"
    this.#transport.abort()
  }

  // ── Receiver ─────────────────────────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    if (this.#state === "Attached") return this.#receiver!.bytes(chunk)
    if (this.#state === "Over") return
    this.#unread.append(chunk)
    if (this.#state === "Reading") this.#read()
    this.#unread.own()
  }

  writable(): void {
    this.#receiver?.writable()
  }

  fin(): void {
    if (this.#state === "Attached") return this.#receiver!.fin()
    this.#fin = true
    if (this.#state === "Reading") this.#gone()
  }

  closed(end: TransportEnd): void {
    if (this.#state === "Attached") return this.#receiver!.closed(end)
    this.#end = end
    if (this.#state === "Reading") this.#gone()
    else if (this.#receiver !== undefined) this.#turn.next(() => this.#deliver())
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #read(): void {
    const headers: Array<ProxyHeader> = []
    const error = this.#decoder.decode(this.#unread, headers, 1)
    if (error !== undefined) return this.#greet({ _tag: "Invalid", error })
    const [header] = headers
    if (header === undefined) return
    this.header = header
    this.#greet({ _tag: "Read", header })
  }

  #gone(): void {
    this.#greet({ _tag: "Gone", length: this.#unread.length })
  }

  #greet(greeting: Greeting): void {
    this.#state = "Waiting"
    this.#inside = true
    this.#greeted(greeting)
    this.#inside = false
    if (this.#receiver !== undefined) this.#deliver()
    else this.#transport.pause()
  }

  /** Hands on what has come since the header, and from then on everything. */
  #deliver(): void {
    const receiver = this.#receiver
    if (receiver === undefined || this.#state === "Attached") return
    this.#state = "Attached"
    if (this.#unread.length > 0) {
      const rest = this.#unread.copy(this.#unread.start, this.#unread.end)
      this.#unread.clear()
      receiver.bytes(rest)
    }
    if (this.#fin) receiver.fin()
    if (this.#end !== undefined) receiver.closed(this.#end)
    else if (!this.#paused) this.#transport.resume()
    else this.#transport.pause()
  }
}
