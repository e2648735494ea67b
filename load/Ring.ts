/**
 * A queue that neither shifts memory nor gives it back while it is in use.
 */

/** First in, first out. */
export class Ring<A> {
  length = 0
  #items: Array<A | undefined> = new Array(16)
  #first = 0

  /** The item that is next. */
  get first(): A | undefined {
    return this.length === 0 ? undefined : this.#items[this.#first]
  }

  push(item: A): void {
    if (this.length === this.#items.length) this.#grow()
    this.#items[(this.#first + this.length++) & (this.#items.length - 1)] = item
  }

  shift(): A | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#first]
    this.#items[this.#first] = undefined // or it would be kept from the collector
    this.#first = (this.#first + 1) & (this.#items.length - 1)
    this.length--
    return item
  }

  #grow(): void {
    const items = new Array<A | undefined>(2 * this.#items.length)
    for (let index = 0; index < this.length; index++) {
      items[index] = this.#items[(this.#first + index) & (this.#items.length - 1)]
    }
    this.#items = items
    this.#first = 0
  }
}
