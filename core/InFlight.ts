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

/** The requests of one server. */
export class InFlight {
  /** Weight of all that are begun and not answered. */
  used = 0
  /** How often somebody had to wait. */
  waits = 0
  /** Milliseconds waited, of all who went on. */
  waited = 0
  /** Told of each change while there is a bound. */
  onChange: ((used: number, bound: number) => void) | undefined
  #bound = Infinity
  readonly #line: Array<Waiting> = []

  /** Whether anything is bounded. */
  get bounded(): boolean {
    return this.#bound < Infinity
  }

  /** How many are waiting. */
  get waiting(): number {
    return this.#line.length
  }

  /** Changes the bound. Those who fit now go on. */
  update(bound: number, now: number): void {
    this.#bound = bound
    this.#serve(now)
  }

  /** Takes room; whether there was any. What is heavier than the bound fits when nothing else is there. */
  take(weight: number): boolean {
    if (this.#line.length > 0 || !this.#fits(weight)) return false
    this.#use(weight)
    return true
  }

  /** Waits in line for room, which is taken when `go` is called. Returns how to leave the line. */
  wait(weight: number, now: number, go: () => void): () => void {
    const waiting: Waiting = { weight, since: now, go }
    this.#line.push(waiting)
    this.waits++
    return () => {
      const index = this.#line.indexOf(waiting)
      if (index >= 0) this.#line.splice(index, 1)
      if (index === 0) this.#serve(now)
    }
  }

  /** Gives room back. */
  give(weight: number, now: number): void {
    this.#use(-weight)
    if (this.#line.length > 0) this.#serve(now)
  }

  #use(weight: number): void {
    this.used += weight
    if (this.bounded) this.onChange?.(this.used, this.#bound)
  }

  #fits(weight: number): boolean {
    return this.used + Math.min(weight, this.#bound) <= this.#bound || this.used === 0
  }

  #serve(now: number): void {
    while (this.#line.length > 0 && this.#fits(this.#line[0]!.weight)) {
      const { weight, since, go } = this.#line.shift()!
      this.#use(weight)
      this.waited += now - since
      go()
    }
  }
}
