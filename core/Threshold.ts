/** A threshold that says once that it was crossed, and again only after it was left and a cooldown has passed. */

/** Numbers in, verdict out; times in milliseconds. */
export class Threshold {
  #above = false
  #quietUntil = -Infinity

  /** Whether a value has just risen to the threshold, and nothing was said of it during the cooldown. */
  crossed(value: number, threshold: number, now: number, cooldown: number): boolean {
    const rose = value >= threshold && !this.#above
    this.#above = value >= threshold
    if (!rose || now < this.#quietUntil) return false
    this.#quietUntil = now + cooldown
    return true
  }
}
