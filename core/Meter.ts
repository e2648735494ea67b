/**
 * How many frames and bytes somebody sends in a time: one connection, or all of one client address.
 *
 * Frames are asked for before they are taken. Bytes have come when they are counted, so they may be owed. Times in
 * milliseconds, never going back; `from` is one, not after now, since when nothing that was not taken is forgotten.
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
  #rates: Rates | undefined // by which the two were counted
  // Who waits for a frame, the first in front; undefined as long as nobody ever did.
  #line: Set<object> | undefined

  /** How many frames may be taken now. */
  frames(rates: Rates, now: number, from: number): number {
    const { frames } = this.#follow(rates, now)
    return frames === undefined ? Infinity : Rate.available(frames, this.#frames, now, from)
  }

  /** Counts frames that were taken. */
  takeFrames(rates: Rates, now: number, from: number, count: number): void {
    const { frames } = this.#follow(rates, now)
    if (frames !== undefined) this.#frames = Rate.spend(frames, this.#frames, from, count)
  }

  /** Counts bytes that have come. */
  takeBytes(rates: Rates, now: number, from: number, count: number): void {
    const { bytes } = this.#follow(rates, now)
    if (bytes !== undefined) this.#bytes = Rate.spend(bytes, this.#bytes, from, count)
  }

  /** Milliseconds until a frame may be taken; 0 when it may. */
  frameWait(rates: Rates, now: number): number {
    const { frames } = this.#follow(rates, now)
    return frames === undefined ? 0 : Rate.wait(frames, this.#frames, now)
  }

  /** Milliseconds until no bytes are owed; 0 when none are. */
  byteWait(rates: Rates, now: number): number {
    const { bytes } = this.#follow(rates, now)
    return bytes === undefined ? 0 : Rate.owed(bytes, this.#bytes, now)
  }

  /** Whether nobody waits for a frame in front of somebody. */
  isFirst(who: object): boolean {
    return this.#line === undefined || this.#line.size === 0 || this.#line.values().next().value === who
  }

  /** Waits for a frame, behind the others; whoever waits already stays where he is. */
  enqueue(who: object): void {
    this.#line ??= new Set()
    this.#line.add(who)
  }

  /** Waits no longer. */
  leave(who: object): void {
    this.#line?.delete(who)
  }

  /** When everything will be as if nothing had been taken. */
  get fullAt(): number {
    return Math.max(this.#frames, this.#bytes)
  }

  // Who has waited for a low rate need not go on with that when it is raised: so much was taken, by whichever rate.
  #follow(rates: Rates, now: number): Rates {
    if (rates === this.#rates) return rates
    this.#frames = Rate.convert(this.#rates?.frames, rates.frames, this.#frames, now)
    this.#bytes = Rate.convert(this.#rates?.bytes, rates.bytes, this.#bytes, now)
    this.#rates = rates
    return rates
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
