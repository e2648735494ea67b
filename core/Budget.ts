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
/** Looks without a new low after which somebody has to end. */
const patience = 10

/** The budget of one server. */
export class Budget {
  /** Bytes held. */
  total = 0
  /** How many connections there are, for the average. */
  holders = 0
  /** Called when the total has come near the bound; {@link look} is wanted from then on until it says that all is calm. */
  onTight: (() => void) | undefined
  #bound = Infinity
  #held = new Set<Holder>()
  #tight = false
  #lowest = Infinity
  #looksLeft = patience

  get tight(): boolean {
    return this.#tight
  }

  /** Changes the bound, in bytes. */
  set bound(bytes: number) {
    this.#bound = bytes
  }

  /** Somebody holds another amount than before. */
  change(holder: Holder, before: number, after: number): void {
    this.total += after - before
    if (this.total < this.#bound * nearShare) return
    if (!this.#tight) {
      this.#tight = true
      this.#lowest = Infinity
      this.#looksLeft = patience
      this.onTight?.()
    }
    if (after <= before || after * this.holders < this.total || this.#held.has(holder)) return
    this.#held.add(holder)
    holder.hold()
  }

  /** Somebody has gone who holds nothing any more. */
  forget(holder: Holder): void {
    this.#held.delete(holder)
  }

  /** To be called now and then while it is tight. How many bytes have to go, by ending whoever holds them. */
  look(): number {
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
      return 1
    }
    return 0
  }
}
