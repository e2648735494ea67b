/**
 * A threshold that says once that it was crossed, and again only after it was left and a cooldown has passed. What is
 * crossed during the cooldown and not left is said when that is over.
 */

/** Numbers in, verdict out; times in milliseconds. */
export class Threshold {
  #said = false
  #quietUntil = -Infinity

  /** Whether it is to be said of a value that it has risen to the threshold. The clock is asked only where it matters. */
  crossed(value: number, threshold: number, now: () => number, cooldown: number): boolean {
    if (value < threshold) {
      this.#said = false
      return false
    }
    if (this.#said) return false
    const time = now()
    if (time < this.#quietUntil) return false
    this.#said = true
    this.#quietUntil = time + cooldown
    return true
  }
}
