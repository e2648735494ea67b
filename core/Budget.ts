/**
 * The bytes that all connections of a server hold together, unparsed input and queued output, against one bound.
 *
 * Near the bound (from 0.8 of it) whoever holds more than the average is not read until the total is below 0.6. At the
 * bound, or when the total has not fallen for a while although nobody is read who holds much, somebody has to end. Whom
 * that hits is the server's to say. Numbers in, verdict out.
 */

/** Somebody who holds bytes. */
export interface Holder {
  /** Is not read from now on. */
  hold(): void
  /** Is read again. */
  letGo(): void
}

const nearShare = 0.8
const calmShare = 0.6
/** Looks without a new low after which somebody has to end, and how much of the bound is to go then. */
const patience = 10
const stuckShare = 0.05

/** The budget of one server. */
export class Budget {
  /** Bytes held. */
  total = 0
  /** How many connections there are, for the average. */
  holders = 0
  /** Told of each change while there is a bound. */
  onChange: ((total: number, bound: number) => void) | undefined
  /**
   * Called when the total has come near the bound, when it has reached it, and when the bound was changed meanwhile:
   * {@link look} is wanted soon, and then now and then for as long as it is tight.
   */
  onTight: (() => void) | undefined
  #bound = Infinity
  #held = new Set<Holder>()
  #tight = false
  #asked = false // for a look that has not come
  #lowest = Infinity
  #looksLeft = patience

  /** Whether there is a bound. */
  get bounded(): boolean {
    return this.#bound < Infinity
  }

  /** Whether it is near the bound, or was and is not calm yet. */
  get tight(): boolean {
    return this.#tight
  }

  /** Changes the bound, in bytes. */
  set bound(bytes: number) {
    this.#bound = bytes
    if (this.#nears() || this.#tight) this.#ask()
  }

  /** Somebody holds another amount than before. */
  change(holder: Holder, before: number, after: number): void {
    this.total += after - before
    if (this.#bound === Infinity) return
    this.onChange?.(this.total, this.#bound)
    if (!this.#nears()) return
    if (after <= before || after * this.holders < this.total || this.#held.has(holder)) return
    this.#held.add(holder)
    holder.hold()
  }

  /** Somebody has gone who holds nothing any more. */
  forget(holder: Holder): void {
    this.#held.delete(holder)
  }

  /** How many bytes have to go, by ending whoever holds them. Lets everybody go on when all is calm. */
  look(): number {
    this.#asked = false
    if (this.total < this.#bound * calmShare) {
      this.#tight = false
      const held = this.#held
      this.#held = new Set()
      for (const holder of held) holder.letGo()
      return 0
    }
    if (this.total >= this.#bound) return this.total - this.#bound * nearShare
    if (this.total < this.#lowest) {
      this.#lowest = this.total
      this.#looksLeft = patience
    } else if (--this.#looksLeft <= 0) {
      this.#looksLeft = patience
      return this.#bound * stuckShare
    }
    return 0
  }

  #nears(): boolean {
    if (this.total < this.#bound * nearShare) return false
    if (!this.#tight) {
      this.#tight = true
      this.#lowest = Infinity
      this.#looksLeft = patience
      this.#ask()
    } else if (this.total >= this.#bound) this.#ask()
    return true
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    this.onTight?.()
  }
}
