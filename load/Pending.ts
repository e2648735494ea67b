/**
 * The requests of one connection that wait for a reply, in order: when each was meant to be sent, and when it was. Numbers
 * in typed rings, because there is one of them for each request of a generator.
 */

const smallest = 16

/** What a connection waits for. All times in milliseconds. */
export class Pending {
  length = 0
  #intended = new Float64Array(smallest)
  // When it was sent; of those that are not sent as a whole, by which byte of the connection they are.
  #sent = new Float64Array(smallest)
  #first = 0
  #marked = 0 // of them, from the first on, that are sent

  /** A request that was meant to be sent at a moment, and is sent with this many bytes of its connection. */
  push(intended: number, end: number): void {
    if (this.length === this.#intended.length) this.#grow()
    const at = this.#index(this.length++)
    this.#intended[at] = intended
    this.#sent[at] = end
  }

  /** Those that are not sent as a whole. */
  get unsent(): number {
    return this.length - this.#marked
  }

  /** So many bytes of the connection are sent now. Returns how many requests that has completed. */
  mark(bytes: number, now: number): number {
    const before = this.#marked
    for (; this.#marked < this.length; this.#marked++) {
      const at = this.#index(this.#marked)
      if (this.#sent[at]! > bytes) break
      this.#sent[at] = now
    }
    return this.#marked - before
  }

  /**
   * Takes from the front at most `limit` requests that were meant and sent at the same moments, and tells of them, without
   * the second where one was not sent as a whole. Returns how many they are.
   */
  take(limit: number, tell: (intended: number, sent: number | undefined, count: number) => void): number {
    const most = Math.min(limit, this.length)
    if (most === 0) return 0
    const intended = this.#intended[this.#first]!
    const isSent = this.#marked > 0
    const sent = isSent ? this.#sent[this.#first]! : undefined
    let count = 1
    for (; count < most && count < this.#marked; count++) {
      const at = this.#index(count)
      if (this.#intended[at] !== intended || this.#sent[at] !== sent) break
    }
    this.#first = this.#index(count)
    this.length -= count
    if (isSent) this.#marked -= count
    tell(intended, sent, count)
    return count
  }

  #index(nth: number): number {
    return (this.#first + nth) & (this.#intended.length - 1)
  }

  #grow(): void {
    const { length } = this.#intended
    const turned = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(2 * length)
      to.set(from.subarray(this.#first))
      to.set(from.subarray(0, this.#first), length - this.#first)
      return to
    }
    this.#intended = turned(this.#intended)
    this.#sent = turned(this.#sent)
    this.#first = 0
  }
}
