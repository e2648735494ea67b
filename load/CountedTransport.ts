/** A transport whose bytes are counted, and whose first one is timed. Nothing else of it is changed. */
import type { Address } from "../core/Address.ts"
import type { Receiver, Transport } from "../core/Sockets.ts"
import type { Measurement } from "./Measurement.ts"
import { record } from "./Recorder.ts"

/** One that is just connected. */
export class CountedTransport implements Transport {
  readonly #transport: Transport
  readonly #measurement: Measurement
  readonly #connectedAt: number

  constructor(transport: Transport, measurement: Measurement) {
    this.#transport = transport
    this.#measurement = measurement
    this.#connectedAt = measurement.now()
  }

  get localAddress(): Address | undefined {
    return this.#transport.localAddress
  }

  get remoteAddress(): Address | undefined {
    return this.#transport.remoteAddress
  }

  get sending(): number {
    return this.#transport.sending
  }

  attach(receiver: Receiver): void {
    let began = false
    this.#transport.attach({
      bytes: (chunk) => {
        const { recorder, now } = this.#measurement
        recorder.bytesReceived += chunk.length
        if (!began) record(recorder.firstByte, now() - this.#connectedAt)
        began = true
        receiver.bytes(chunk)
      },
      writable: () => receiver.writable(),
      fin: () => receiver.fin(),
      closed: (end) => receiver.closed(end),
    })
  }

  write(bytes: Uint8Array): number {
    const taken = this.#transport.write(bytes)
    this.#measurement.recorder.bytesSent += taken
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
