/**
 * The rates that one connection is held to: its own and those of its client's address, which it shares with the others
 * from there.
 */
import { Meter } from "./Meter.ts"
import type { Limits } from "./Settings.ts"

type Rates = NonNullable<Limits["rates"]>

/** The throttle of one connection. Times in milliseconds. */
export class Throttle {
  readonly #own = new Meter()
  readonly #shared: Meter
  /** To be called once, when the connection has ended. */
  readonly release: () => void

  constructor(shared: Meter, release: () => void) {
    this.#shared = shared
    this.release = release
  }

  /** How many frames may be taken now. */
  frames({ connection, address }: Rates, now: number): number {
    return Math.min(this.#own.frames(connection, now), this.#shared.frames(address, now))
  }

  /** Counts frames that were taken. */
  takeFrames({ connection, address }: Rates, now: number, count: number): void {
    this.#own.takeFrames(connection, now, count)
    this.#shared.takeFrames(address, now, count)
  }

  /** Counts bytes that have come. */
  takeBytes({ connection, address }: Rates, now: number, count: number): void {
    this.#own.takeBytes(connection, now, count)
    this.#shared.takeBytes(address, now, count)
  }

  /** Milliseconds until a frame may be taken; 0 when it may. */
  frameWait({ connection, address }: Rates, now: number): number {
    return Math.max(this.#own.frameWait(connection, now), this.#shared.frameWait(address, now))
  }

  /** Milliseconds until no bytes are owed; 0 when none are. */
  byteWait({ connection, address }: Rates, now: number): number {
    return Math.max(this.#own.byteWait(connection, now), this.#shared.byteWait(address, now))
  }
}
