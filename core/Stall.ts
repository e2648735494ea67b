/**
 * Whether a peer takes what waits for it: something in each `deadlines.writeStall`, and `limits.minRate` bytes a second
 * on average. Numbers in, verdict out; times are the wheel's.
 *
 * What a peer has read is not known, only what was taken on the way to it, and a kernel takes more only when much of its
 * room is free again: of a steady peer nothing for seconds, and then hundreds of kilobytes. So what was taken counts for
 * up to half a minute. What a peer could not take, because it was not there, is not wanted of it.
 */
import * as CloseReason from "./CloseReason.ts"
import type { Bounds, Limits } from "./Settings.ts"

/** How far ahead a peer may be of the least rate, besides the grace. */
const aheadMillis = 30_000
/** Looks in a `writeStall`: so much late is it noticed that a peer takes nothing any more. */
const looks = 8

/** The writes of one connection, from when something waits until nothing does. */
export class Stall {
  #taken: number
  #tookAt: number
  // All that was waiting when the peer last had taken all that was waiting before.
  #wanted: number
  #slowAt: number

  /** `taken`: all bytes that the peer's side has taken so far; `waiting`: those that it has not. */
  constructor(taken: number, waiting: number, now: number, { grace }: Bounds) {
    this.#taken = taken
    this.#tookAt = now
    this.#wanted = taken + waiting
    this.#slowAt = now + grace + aheadMillis
  }

  /** Why it has to end, or when to look again. */
  look(
    taken: number,
    waiting: number,
    now: number,
    { writeStall, grace }: Bounds,
    { minRate }: Limits,
  ): CloseReason.CloseReason | number {
    const progress = taken - this.#taken
    if (progress > 0) {
      const farthest = now + grace + aheadMillis
      this.#taken = taken
      this.#tookAt = now
      if (taken >= this.#wanted) {
        this.#wanted = taken + waiting
        this.#slowAt = farthest
      } else this.#slowAt = Math.min(this.#slowAt + progress * 1_000 / minRate, farthest)
    }
    const stallsAt = this.#tookAt + writeStall
    if (now >= stallsAt) return CloseReason.writeStalled
    if (minRate > 0 && now >= this.#slowAt) return CloseReason.tooSlow
    return Math.min(stallsAt, now + writeStall / looks, minRate > 0 ? this.#slowAt : Infinity)
  }
}
