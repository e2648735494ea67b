/**
 * Numbers by chance, the same for the same seed: sfc32 (https://pracrand.sourceforge.net), which is fast in 32 bits. Not for
 * secrets.
 */

/** A sequence of its own for each seed and stream. */
export class Random {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(seed: number, stream = 0) {
    // All 53 bits of a seed count.
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = stream | 0
    // Until seeds that are alike have nothing in common any more.
    for (let round = 0; round < 15; round++) this.uint32()
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#count++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A whole number from 0 to `count` - 1, which is at most 2^53. */
  below(count: number): number {
    // The 53 bits that a number has, of two draws where one would be uneven.
    return count <= 2 ** 16
      ? Math.floor((this.uint32() / 2 ** 32) * count)
      : Math.floor((((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53) * count)
  }
}
