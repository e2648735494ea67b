/**
 * How many frames and bytes somebody sends in a time: one connection, or all of one client address.
 *
 * Frames are asked for before they are taken. Bytes have come when they are counted, so they may be owed. Times in
 * milliseconds, never going back.
 */
import * as Rate from "./Rate.ts"

/** The rates of one kind of sender. */
export interface Rates {
  readonly frames: Rate.Rate | undefined
  readonly bytes: Rate.Rate | undefined
}

/** What one sender has used. */
export class Meter {
  #frames = 0
  #bytes = 0

  /** How many frames may be taken now. */
  frames({ frames }: Rates, now: number): number {
    return frames === undefined ? Infinity : Rate.available(frames, this.#frames, now)
  }

  /** Counts frames that were taken. */
  takeFrames({ frames }: Rates, now: number, count: number): void {
    if (frames !== undefined) this.#frames = Rate.spend(frames, this.#frames, now, count)
  }

  /** Counts bytes that have come. */
  takeBytes({ bytes }: Rates, now: number, count: number): void {
    if (bytes !== undefined) this.#bytes = Rate.spend(bytes, this.#bytes, now, count)
  }

  /** Milliseconds until a frame may be taken; 0 when it may. */
  frameWait({ frames }: Rates, now: number): number {
    return frames === undefined ? 0 : Rate.wait(frames, this.#frames, now)
  }

  /** Milliseconds until no bytes are owed; 0 when none are. */
  byteWait({ bytes }: Rates, now: number): number {
    return bytes === undefined ? 0 : Rate.wait(bytes, this.#bytes, now)
  }

  /** When everything will be as if nothing had been taken. */
  get fullAt(): number {
    return Math.max(this.#frames, this.#bytes)
  }
}

/** The meters of client addresses. One is kept while somebody uses it, and then until it is full again. */
export class Meters {
  readonly #meters = new Map<string, { readonly meter: Meter; users: number }>()
  #sweptAt = 0

  /** How many meters are kept. */
  get size(): number {
    return this.#meters.size
  }

  /** The meter of an address, for one more user. */
  acquire(key: string, now: number): Meter {
    this.#sweep(now)
    let entry = this.#meters.get(key)
    if (entry === undefined) this.#meters.set(key, entry = { meter: new Meter(), users: 0 })
    entry.users++
    return entry.meter
  }

  /** One user less. */
  release(key: string, now: number): void {
    const entry = this.#meters.get(key)
    if (entry === undefined) return
    entry.users--
    if (entry.users === 0 && entry.meter.fullAt <= now) this.#meters.delete(key)
  }

  // Those that were not full when their last user went, now and then.
  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepMillis) return
    this.#sweptAt = now
    for (const [key, { meter, users }] of this.#meters) {
      if (users === 0 && meter.fullAt <= now) this.#meters.delete(key)
    }
  }
}

const sweepMillis = 10_000
