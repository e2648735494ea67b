/**
 * One hostile connection: bytes as they are, no frames read, and every end noticed. What it does with them is an attack's.
 */
import * as Effect from "effect/Effect"
import type { Receiver, Transport, TransportEnd } from "../../core/Sockets.ts"

/** A connection that an attack has in its hands. */
export class Peer implements Receiver {
  bytesSent = 0
  bytesReceived = 0
  /** The server has finished writing. */
  finished = false
  /** How it ended; undefined while it is there. */
  end: TransportEnd | undefined
  readonly #transport: Transport
  /** Whether the server's FIN is answered by one of ours, as a client does that is not half dead. */
  readonly #polite: boolean
  #unsent: Uint8Array = none
  #waiting: Array<() => void> = []

  constructor(transport: Transport, polite: boolean) {
    this.#transport = transport
    this.#polite = polite
    transport.attach(this)
  }

  /** Waits until the transport has taken all of it; for ever, once the connection has ended. */
  send(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#unsent = bytes
      this.#write()
      return this.#unsent.length === 0 && this.end === undefined
        ? Effect.void
        : this.#until(() => this.#unsent.length === 0)
    })
  }

  /** Waits until so many bytes have come since the beginning. */
  received(count: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.bytesReceived >= count ? Effect.void : this.#until(() => this.bytesReceived >= count)
    )
  }

  /** Waits until the server has finished writing, or the connection has ended. */
  get over(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.finished || this.end !== undefined ? Effect.void : this.#until(() => this.finished || this.end !== undefined)
    )
  }

  /** Waits until nothing of it is left. */
  get gone(): Effect.Effect<void> {
    return Effect.suspend(() => this.end !== undefined ? Effect.void : this.#until(() => this.end !== undefined))
  }

  /** Reads nothing, or goes on reading. */
  pause(): void {
    this.#transport.pause()
  }

  resume(): void {
    this.#transport.resume()
  }

  finish(): void {
    this.#transport.shutdown()
  }

  reset(): void {
    this.#transport.abort()
  }

  // ── Receiver ─────────────────────────────────────────────────────────────────────────────────────────────────────

  bytes(chunk: Uint8Array): void {
    this.bytesReceived += chunk.length
    this.#wake()
  }

  writable(): void {
    this.#write()
    if (this.#unsent.length === 0) this.#wake()
  }

  fin(): void {
    this.finished = true
    if (this.#polite) this.#transport.shutdown()
    this.#wake()
  }

  closed(end: TransportEnd): void {
    this.end = end
    this.#wake()
  }

  #write(): void {
    if (this.#unsent.length === 0 || this.end !== undefined) return
    const taken = this.#transport.write(this.#unsent)
    this.bytesSent += taken
    this.#unsent = this.#unsent.subarray(taken)
  }

  #until(reached: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const look = (): void => {
        if (reached()) resume(Effect.void)
        else this.#waiting.push(look)
      }
      look()
      return Effect.sync(() => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== look)
      })
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const look of waiting) look()
  }
}

const none = new Uint8Array(0)
