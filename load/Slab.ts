/**
 * Memory for messages that are made one by one: each has its own, which is never written again, and most share one buffer.
 */

const slabSize = 64 * 1024

/** Gives memory away in pieces. */
export class Slab {
  #bytes = new Uint8Array(slabSize)
  #at = 0

  /** So many bytes that nobody else has. */
  take(length: number): Uint8Array {
    if (length > slabSize / 4) return new Uint8Array(length)
    if (this.#at + length > slabSize) {
      this.#bytes = new Uint8Array(slabSize)
      this.#at = 0
    }
    return this.#bytes.subarray(this.#at, this.#at += length)
  }
}
