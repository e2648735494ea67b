/**
 * How many requests of a server are begun and not answered, by weight, against one bound. Whoever finds no room waits in
 * line: the first who came is the first who goes on, also when a lighter one behind would fit.
 */

/** Somebody who waits for room. */
interface Waiting {
  readonly weight: number
  readonly since: number
  readonly go: () => void
}

/** The requests of one server. Times in milliseconds. */
export class InFlight {
  /** Weight of all that are begun and not answered. */
  used = 0
  /** Milliseconds waited, of all who went on. */
  waited = 0
  /** Told of each change while there is a bound. */
  onChange: ((used: number, bound: number) => void) | undefined
  #bound = Infinity
  #begun = 0
  readonly #line = new Set<Waiting>()

  /** Whether anything is bounded. */
  get bounded(): boolean {
    return this.#bound < Infinity
  }

  /** How many are waiting. */
  get waiting(): number {
    return this.#line.size
  }

  /** Changes the bound. Those who fit now go on. */
  update(bound: number, now: number): void {
    this.#bound = bound
    this.#serve(now)
  }

  /** Whether there is room. What is heavier than the bound fits when nothing else is there. */
  fits(weight: number): boolean {
    return this.#line.size === 0 && this.#isFree(weight)
  }

  /** Takes room, whether it {@link fits} or not. */
  take(weight: number): void {
    this.#begun++
    this.used += weight
    this.#changed()
  }

  /** Waits in line for room, which is taken when `go` is called. Returns how to leave the line. */
  wait(weight: number, now: number, go: () => void): (now: number) => void {
    const waiting: Waiting = { weight, since: now, go }
    this.#line.add(waiting)
    return (now) => {
      if (this.#line.delete(waiting)) this.#serve(now)
    }
  }

  /** Gives room back. */
  give(weight: number, now: number): void {
    // Weights need not be whole: what they leave of a sum must not keep out who wants all of the room.
    this.used = --this.#begun === 0 ? 0 : this.used - weight
    this.#changed()
    if (this.#line.size > 0) this.#serve(now)
  }

  #changed(): void {
    if (this.bounded) this.onChange?.(this.used, this.#bound)
  }

  #isFree(weight: number): boolean {
    return this.#begun === 0 || this.used + weight <= this.#bound
  }

  #serve(now: number): void {
    for (const waiting of this.#line) {
      if (!this.#isFree(waiting.weight)) return
      this.#line.delete(waiting)
      this.waited += now - waiting.since
      this.take(waiting.weight)
      waiting.go()
    }
  }
}
