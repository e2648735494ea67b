/**
 * A rate with a burst, as a token bucket in one number: the generic cell rate algorithm (ITU-T I.371, annex A).
 *
 * Numbers in, verdict out: the time is the caller's, in milliseconds, and never goes back.
 */

/** So many a second in the long run, and so many at once after a pause. */
export interface Rate {
  /** More than 0; need not be whole. */
  readonly perSecond: number
  /** At least 1. */
  readonly burst: number
}

/** Whether a rate is one; for options. */
export const isRate = ({ perSecond, burst }: Rate): boolean =>
  perSecond > 0 && Number.isFinite(perSecond) && burst >= 1 && Number.isFinite(burst)

/** Milliseconds in which an empty bucket is full again: then it is as if nothing had been taken. */
export const recovery = ({ perSecond, burst }: Rate): number => burst * 1_000 / perSecond

/**
 * Takes one: the new state of a bucket, or undefined when there is none to take. The state is when the bucket will be
 * full again; whatever is not later than `now` is a full one.
 */
export const take = (rate: Rate, state: number, now: number): number | undefined => {
  const next = Math.max(state, now) + 1_000 / rate.perSecond
  // What a sum of fractions is off by must not cost the last of a burst.
  return next - now <= recovery(rate) + tolerance ? next : undefined
}

const tolerance = 1e-6

/**
 * How many whole ones a bucket has at a time: none exactly when there is something to {@link wait} for. What it gained
 * since `from` is there besides the burst.
 */
export const available = (rate: Rate, state: number, now: number, from = now): number => {
  if (wait(rate, state, now) > 0) return 0
  const gained = recovery(rate) + now - Math.max(state, from)
  return Math.max(1, Math.floor((gained + tolerance) * rate.perSecond / 1_000))
}

/** Takes so many, whether they are there or not: the new state of a bucket. What was not there is owed. */
export const spend = (rate: Rate, state: number, now: number, amount: number): number =>
  Math.max(state, now) + amount * 1_000 / rate.perSecond

/** Milliseconds until there is one to take; 0 when there is. */
export const wait = (rate: Rate, state: number, now: number): number => owed(rate, state + 1_000 / rate.perSecond, now)

/** Milliseconds until nothing is owed; 0 when nothing is. */
export const owed = (rate: Rate, state: number, now: number): number => {
  const missing = state - now - recovery(rate)
  return missing > tolerance ? missing : 0
}

/** The state of a bucket of which so much was taken as of one with another rate; a full one where either has no bound. */
export const convert = (before: Rate | undefined, rate: Rate | undefined, state: number, now: number): number =>
  before === undefined || rate === undefined ? now : now + Math.max(state - now, 0) * before.perSecond / rate.perSecond

/** The buckets of many keys, of which only those that are not full are kept. */
export class Rates {
  readonly rate: Rate
  // A bucket lives in one of two generations, for at least as long as it takes to be full.
  #young = new Map<string, number>()
  #old = new Map<string, number>()
  #turnedAt: number

  constructor(rate: Rate, now: number) {
    this.rate = rate
    this.#turnedAt = now
  }

  /** How many buckets are kept. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Takes one of a key's; whether there was one. */
  take(key: string, now: number): boolean {
    if (now - this.#turnedAt >= recovery(this.rate)) this.#turn(now)
    const next = take(this.rate, this.#young.get(key) ?? this.#old.get(key) ?? now, now)
    if (next === undefined) return false
    this.#young.set(key, next)
    return true
  }

  #turn(now: number): void {
    this.#old = now - this.#turnedAt >= 2 * recovery(this.rate) ? new Map() : this.#young
    this.#young = new Map()
    this.#turnedAt = now
  }
}
