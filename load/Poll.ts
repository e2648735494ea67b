/**
 * Looking at the clock again and again, turn by turn of the loop, while something is due so soon that a sleep might miss its
 * moment. What that spends without finding anything to do is known, and is no work.
 */

/** Who sleeps may sleep so many milliseconds longer than wanted. */
const soonMillis = 2
/** A look that finds nothing to do takes microseconds; what was longer was not this process's doing. */
const longestLookMillis = 0.05

/** The poll of one generator. Times in milliseconds. */
export class Poll {
  /** How long it was looked for nothing. */
  idled = 0
  readonly #now: () => number
  readonly #later: (task: () => void) => void
  readonly #dueAt: () => number
  readonly #act: (now: number) => void
  #polling = false
  #lookedAt = 0
  #worked = false // since then

  /** `dueAt`: the next moment, Infinity where there is none. `act` does what is due, which moves it. */
  constructor(
    now: () => number,
    later: (task: () => void) => void,
    dueAt: () => number,
    act: (now: number) => void,
  ) {
    this.#now = now
    this.#later = later
    this.#dueAt = dueAt
    this.#act = act
  }

  /** Begins, unless there is time for a sleep. */
  begin(now: number): void {
    if (this.#polling) return
    this.#worked = true
    this.#goOn(now)
  }

  /** Something else was done in this turn. */
  work(): void {
    this.#worked = true
  }

  readonly #look = (): void => {
    const now = this.#now()
    if (!this.#worked) this.idled += Math.min(longestLookMillis, now - this.#lookedAt)
    this.#worked = this.#dueAt() <= now
    if (this.#worked) this.#act(now)
    this.#goOn(now)
  }

  #goOn(now: number): void {
    this.#lookedAt = now
    this.#polling = this.#dueAt() - now <= soonMillis
    if (this.#polling) this.#later(this.#look)
  }
}
