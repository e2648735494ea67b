/**
 * Whether a peer takes what waits for it: something in each `deadlines.writeStall`, and `limits.minRate` bytes a second
 * over each window once `deadlines.grace` is over. Numbers in, verdict out; times are the wheel's.
 */
import * as CloseReason from "./CloseReason.ts"
import type { Bounds, Limits } from "./Settings.ts"

/** A rate is judged over so long, beside the grace, so that what the kernel takes at once does not decide. */
const windowMillis = 10_000

/** The writes of one connection. */
export class Stall {
  #watching = false
  #taken = 0
  #stallsAt = 0
  #windowAt = 0
  #wanted = 0

  /** Whether something was waiting at the last look. */
  get watching(): boolean {
    return this.#watching
  }

  /** Nothing is waiting any more. */
  rest(): void {
    this.#watching = false
  }

  /**
   * Why it has to end, or when to look again. `taken`: all bytes that the peer's side has taken so far; `waiting`: those
   * that it has not.
   */
  look(
    taken: number,
    waiting: number,
    now: number,
    deadlines: Bounds,
    { minRate }: Limits,
  ): CloseReason.CloseReason | number {
    if (!this.#watching) {
      this.#watching = true
      this.#windowAt = 0
      this.#taken = taken
      this.#stallsAt = now + deadlines.writeStall
    } else if (taken !== this.#taken) {
      this.#taken = taken
      this.#stallsAt = now + deadlines.writeStall
    } else if (now >= this.#stallsAt) return CloseReason.writeStalled
    if (minRate === 0) return this.#stallsAt
    if (now >= this.#windowAt) {
      if (this.#windowAt > 0 && taken < this.#wanted) return CloseReason.tooSlow
      // What was waiting is all that can be wanted of it.
      this.#wanted = taken + Math.min(waiting, minRate * windowMillis / 1_000)
      this.#windowAt = now + deadlines.grace + windowMillis
    }
    return Math.min(this.#stallsAt, this.#windowAt)
  }
}
