/**
 * Seeded faults: what may go wrong on a network in memory, and whether it does now.
 *
 * The generator is one of integers, so that a seed means the same on every runtime. Nothing here knows what a fault
 * does.
 */

/** What goes wrong, each 0 (never) by default. All but `delay` are chances from 0 to 1. */
export interface Faults {
  /** A delivery is cut at a random place; the rest comes in the next. */
  readonly split?: number
  /** A delivery is put off, so that it comes together with what is sent meanwhile. */
  readonly merge?: number
  /** A write takes only a random part of what there is room for. */
  readonly partialWrite?: number
  /** A delivery resets the connection instead, for both sides. */
  readonly reset?: number
  /** From this delivery on nothing arrives any more, in neither direction: no bytes, no FIN, no RST. */
  readonly vanish?: number
  /** Each delivery is put off by a random time of at most so many milliseconds. */
  readonly delay?: number
}

/** Decides about faults. The same seed gives the same answers to the same questions. */
export class FaultSource {
  readonly seed: number
  readonly #faults: Required<Faults>
  readonly #random: () => number

  constructor(seed: number, faults: Faults) {
    this.seed = seed
    this.#faults = { ...none, ...faults }
    this.#random = mulberry32(seed)
  }

  /** Whether a fault happens now. */
  strikes(fault: Exclude<keyof Faults, "delay">): boolean {
    return this.#faults[fault] > 0 && this.#random() < this.#faults[fault]
  }

  /** A random integer from 1 to `most`. */
  upTo(most: number): number {
    return 1 + Math.floor(this.#random() * most)
  }

  /** How long the next delivery is put off, in milliseconds. */
  delay(): number {
    return this.#faults.delay === 0 ? 0 : this.#random() * this.#faults.delay
  }
}

const none: Required<Faults> = { split: 0, merge: 0, partialWrite: 0, reset: 0, vanish: 0, delay: 0 }

/** Tommy Ettinger's mulberry32: 32 bits of state, from 0 up to but not 1. */
const mulberry32 = (seed: number) => {
  let state = seed | 0
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
