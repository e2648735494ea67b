/**
 * The wheel: every deadline of a server in coarse slots, looked at by one fiber that sleeps until the next occupied slot
 * and not at all when nothing is armed.
 *
 * `now` is the server's active time in milliseconds, not the wall's: it advances by the monotonic time that passed, at
 * most by half a second between two looks, so a process that was stopped or starved blames no peer. A deadline is at
 * most one slot late and never early.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Fiber } from "effect/Fiber"

const slotMillis = 50
const longestStep = 500
// Half of the longest step, so that a timer that fires late does not make the wheel slow.
const longestSleep = 250

/** `slot` of a deadline whose time is up in the tick that is running. */
const due = -1

/** Something with a deadline. `slot` is the wheel's: 0 when nothing is armed. */
export interface Deadline {
  slot: number
  /** The time is up. May arm again. */
  expire(): void
}

/** The wheel of one server. */
export class Deadlines {
  /** Active milliseconds since the wheel began. As old as the last look. */
  now = 0
  /**
   * Not before now, and not before the next look, however late that is: whoever writes it down for when something
   * happened is late by half a second at most, and never early. A whole number, so that writing it allocates nothing.
   */
  ahead = longestStep
  /**
   * Milliseconds since the wheel began, also those in which the process did not run, as of the last look. For what is
   * counted rather than blamed: see Throttle.
   */
  elapsed = 0
  /** When the process last did not run: {@link elapsed} before and after it. */
  stoppedAt = -Infinity
  resumedAt = -Infinity
  /** How late the last sleep ended, in milliseconds: the event loop had something else to do. */
  lag = 0
  readonly #clock: Clock.Clock
  readonly #fork: (effect: Effect.Effect<void>) => Fiber<void>
  readonly #slots = new Map<number, Set<Deadline>>()
  readonly #beganAt: bigint
  #lastLook = 0 // microseconds since then
  #fiber: Fiber<void> | undefined
  #wakesAt = Infinity
  #sleepsUntil = 0 // microseconds, as the last look
  #passed = 0 // the last slot that was looked into

  constructor(context: Context.Context<never>) {
    this.#clock = Context.get(context, Clock.Clock)
    this.#fork = Effect.runForkWith(context)
    this.#beganAt = this.#clock.monotonicTimeNanosUnsafe()
  }

  /** Calls `deadline.expire()` once `millis` have passed, instead of whenever it was armed for before. */
  arm(deadline: Deadline, millis: number): void {
    if (deadline.slot !== 0) this.disarm(deadline)
    if (millis === Infinity) return
    this.look()
    const slot = slotAfter(this.now + millis)
    if (this.#slots.size === 0) this.#passed = Math.floor(this.now / slotMillis)
    const members = this.#slots.get(slot)
    if (members === undefined) this.#slots.set(slot, new Set([deadline]))
    else members.add(deadline)
    deadline.slot = slot
    if (slot < this.#wakesAt) this.#sleep(slot)
  }

  /** Arms it unless it is armed for as soon already. */
  armBy(deadline: Deadline, millis: number): void {
    if (deadline.slot === 0 || deadline.slot > slotAfter(this.now + millis)) this.arm(deadline, millis)
  }

  /** Forgets a deadline. */
  disarm(deadline: Deadline): void {
    const { slot } = deadline
    if (slot === 0) return
    deadline.slot = 0
    const members = this.#slots.get(slot)
    if (members?.delete(deadline) && members.size === 0) this.#slots.delete(slot)
  }

  /** Forgets everything and ends the fiber. */
  stop(): void {
    this.#slots.clear()
    this.#fiber?.interruptUnsafe()
    this.#fiber = undefined
  }

  /** Reads the clock; the time then. For what happens seldom. */
  look(): number {
    // Whole microseconds; what is left of one counts in the next look, or many looks would make the wheel slow. One step
    // with big integers instead of five, for each of them allocates.
    const micros = Math.floor(Number(this.#clock.monotonicTimeNanosUnsafe() - this.#beganAt) / 1_000)
    const passed = (micros - this.#lastLook) / 1_000
    this.#lastLook = micros
    if (passed > longestStep && this.#slots.size > 0) {
      this.stoppedAt = this.elapsed
      this.resumedAt = this.elapsed + passed
    }
    this.elapsed += passed
    this.now += Math.min(passed, longestStep)
    this.ahead = Math.ceil(this.now) + longestStep
    return this.now
  }

  #sleep(slot: number): void {
    // Not later than the sleep ends: one that has ended too late is not to be replaced, or nobody learns how late.
    this.#wakesAt = Math.min(slot, slotAfter(this.now + longestSleep))
    const sleeping = this.#fiber
    this.#fiber = undefined
    sleeping?.interruptUnsafe()
    const millis = Math.max(0, Math.min(slot * slotMillis - this.now, longestSleep))
    this.#sleepsUntil = this.#lastLook + Math.ceil(millis * 1e3)
    this.#fiber = this.#fork(
      Effect.flatMap(
        Effect.sleep(millis),
        () => Effect.sync(() => this.#tick()),
      ),
    )
  }

  #tick(): void {
    this.#fiber = undefined
    this.#wakesAt = Infinity
    this.look()
    this.lag = Math.max(0, (this.#lastLook - this.#sleepsUntil) / 1e3)
    const current = Math.floor(this.now / slotMillis)
    const expiring: Array<Deadline> = []
    while (this.#passed < current) {
      const members = this.#slots.get(++this.#passed)
      if (members === undefined) continue
      this.#slots.delete(this.#passed)
      for (const deadline of members) {
        deadline.slot = due
        expiring.push(deadline)
      }
    }
    if (this.#slots.size > 0) this.#sleep(this.#next())
    for (const deadline of expiring) {
      // One of those in front may have moved it, or made an end of it.
      if (deadline.slot !== due) continue
      deadline.slot = 0
      deadline.expire()
    }
  }

  /** The next occupied slot, if it is among those that one sleep passes over; else the last of these. */
  #next(): number {
    const last = this.#passed + longestSleep / slotMillis
    for (let slot = this.#passed + 1; slot < last; slot++) if (this.#slots.has(slot)) return slot
    return last
  }
}

const slotAfter = (time: number): number => Math.floor(time / slotMillis) + 1
