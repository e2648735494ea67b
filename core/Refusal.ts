/**
 * A client that is being refused: it is told so where there is something to tell, gets our FIN, and what it still sends
 * is discarded until it has finished or the time is up. A reset would destroy the message.
 */
import type { Deadline, Deadlines } from "./Deadlines.ts"
import type { Receiver, Transport } from "./Sockets.ts"

/** From our FIN to the peer's. */
const patienceMillis = 2_000
/** How much it may go on sending. */
const patienceBytes = 64 * 1024

/** Refuses a client by closing; calls `done` once its transport has ended. */
export class Refusal implements Receiver, Deadline {
  slot = 0
  readonly #transport: Transport
  readonly #deadlines: Deadlines
  readonly #done: () => void
  #discarded = 0

  constructor(transport: Transport, message: Uint8Array, deadlines: Deadlines, done: () => void) {
    this.#transport = transport
    this.#deadlines = deadlines
    this.#done = done
    transport.attach(this)
    // What does not fit into an empty socket at once is not worth waiting for.
    if (message.length > 0) transport.write(message)
    transport.shutdown()
    deadlines.arm(this, patienceMillis)
  }

  bytes(chunk: Uint8Array): void {
    this.#discarded += chunk.length
    if (this.#discarded > patienceBytes) this.#transport.abort()
  }

  writable(): void {}

  fin(): void {}

  closed(): void {
    this.#deadlines.disarm(this)
    this.#done()
  }

  expire(): void {
    this.#transport.abort()
  }
}
