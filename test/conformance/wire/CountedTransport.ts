/** A transport that counts what passes between the engine and the adapter: nothing else of it is changed. */
import type { Address } from "../../../core/Address.ts"
import type { Receiver, Transport } from "../../../core/Sockets.ts"

/** Calls so far, of all transports of a server. */
export interface Traffic {
  /** Of `bytes`. */
  chunks: number
  /** Of `write` that gave bytes to the runtime. */
  writes: number
}

/** See above. */
export class CountedTransport implements Transport {
  readonly localAddress: Address | undefined
  readonly remoteAddress: Address | undefined
  readonly #transport: Transport
  readonly #traffic: Traffic

  constructor(transport: Transport, traffic: Traffic) {
    this.localAddress = transport.localAddress
    this.remoteAddress = transport.remoteAddress
    this.#transport = transport
    this.#traffic = traffic
  }

  get sending(): number {
    return this.#transport.sending
  }

  attach(receiver: Receiver): void {
    this.#transport.attach({
      bytes: (chunk) => {
        this.#traffic.chunks++
        receiver.bytes(chunk)
      },
      writable: () => receiver.writable(),
      fin: () => receiver.fin(),
      closed: (end) => receiver.closed(end),
    })
  }

  write(bytes: Uint8Array): number {
    const taken = this.#transport.write(bytes)
    if (taken > 0) this.#traffic.writes++
    return taken
  }

  pause(): void {
    this.#transport.pause()
  }

  resume(): void {
    this.#transport.resume()
  }

  shutdown(): void {
    this.#transport.shutdown()
  }

  abort(): void {
    this.#transport.abort()
  }
}
