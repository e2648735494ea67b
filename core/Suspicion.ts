/**
 * How much a peer that says nothing is to be suspected of being gone: the φ accrual failure detector (Hayashibara,
 * Défago, Yared, Katayama, 2004), one for each connection.
 *
 * Numbers in, level out: all times are the caller's, in milliseconds, and never go back. What level is too much is for
 * others to say, and nothing here ends a connection.
 */

/** The suspicion of one peer, learnt from how late it was the last times. */
export class Suspicion {
  #interval = 0
  #arrivedAt = 0
  #countedAt = 0
  // How late the peer was, the newest last. Not there as long as it never was.
  #delays: Array<number> | undefined

  /** `interval`: milliseconds in which something is expected from the peer; until it was late, it is held to that. */
  constructor(interval: number, now: number) {
    this.expect(interval, now)
  }

  /** Something came from the peer. Cheap enough to be called for each read; not needed more than once an interval. */
  arrived(now: number): void {
    const delay = now - this.#arrivedAt - this.#interval
    this.#arrivedAt = now
    // At most once an interval, or a burst would wash out what was learnt. Whatever is late is counted: it took longer.
    if (now - this.#countedAt < this.#interval) return
    this.#countedAt = now
    // What comes early counts as in time: who had much to say need not go on with that.
    if (delay > 0) this.#count(Math.min(delay, this.#interval * longestDelay))
    else if (this.#delays !== undefined) this.#count(0)
  }

  /** From now on, something is expected in an interval; what was learnt is forgotten and the silence begins anew. */
  expect(interval: number, now: number): void {
    this.#interval = interval
    this.#arrivedAt = now
    this.#countedAt = now
    this.#delays = undefined
  }

  /**
   * How unlikely it is that the peer is only late: 0 while it is no later than it usually is and always within the
   * interval, 1 for one in ten, 2 for one in a hundred, at most 300. Never falls while the peer is silent.
   */
  level(now: number): number {
    const delays = this.#delays ?? never
    let mean = 0
    for (const delay of delays) mean += delay / remembered
    const late = now - this.#arrivedAt - this.#interval - mean
    if (!(late > 0)) return 0 // also for a time that is none: no reason to suspect
    let variance = 0
    for (const delay of delays) variance += (delay - mean) ** 2 / remembered
    const level = tail(late / Math.max(Math.sqrt(variance), this.#interval * leastDeviation, leastDeviationMillis))
    return level < highest ? level : highest // also where an infinite silence leaves no number
  }

  #count(delay: number): void {
    this.#delays ??= Array.from({ length: remembered }, () => 0)
    this.#delays.copyWithin(0, 1)
    this.#delays[remembered - 1] = delay
  }
}

/**
 * −log10 of the chance that a normal variable is more than `y` deviations above its mean, for y ≥ 0. By Börjesson and
 * Sundberg (1979), to 0.3 % of the chance however small it is; the logistic curve that Akka takes has 7.3 for 6.5 at
 * five deviations, and 37.6 for 23.1 at ten. As a logarithm throughout, so it does not underflow.
 */
const tail = (y: number): number =>
  (y * y / 2 + Math.log(Math.sqrt(2 * Math.PI) * (0.661 * y + 0.339 * Math.sqrt(y * y + 5.51)))) / Math.LN10

const never: ReadonlyArray<number> = []

/** Delays in the window, so that it covers at least as many intervals: 8 min of 30 s. */
const remembered = 16

/**
 * In intervals. A longer delay, once survived, says that the peer can be late and not how late it may be: counted in
 * full, a single one would make blind for the rest of the window. So five intervals, of 5 s or more each, are above 8
 * whatever was learnt.
 */
const longestDelay = 1

/**
 * In intervals. Sixteen delays do not tell of what happens once in a thousand: retransmissions that back off, a change
 * of network, a phone asleep. With a fifth, a peer that never was late is at 6.5 after two silent intervals, so one
 * missed beat stays below the usual threshold of 8, and at 23 after three.
 */
const leastDeviation = 1 / 5

/** The times are whole numbers and up to half a second late, the difference of two off by as much: twice that. */
const leastDeviationMillis = 1_000

/** Not far from where a chance is too small to be a number: above, a level says nothing more. */
const highest = 300
