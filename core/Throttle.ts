/**
 * The rates that one connection is held to: its own and those of its client's address, which it shares with the others
 * from there.
 *
 * Their time is `Deadlines.elapsed`: a process that was stopped had no less allowed to its peers, and what they sent in
 * the meantime comes all at once.
 */
import type { Deadlines } from "./Deadlines.ts"
import { Meter } from "./Meter.ts"
import type { Limits } from "./Settings.ts"

type Rates = NonNullable<Limits["rates"]>

/** The time, as a wheel has it. */
export type Times = Pick<Deadlines, "elapsed" | "stoppedAt" | "resumedAt">

/** Whoever waited is let on a little late, and may make up for that within so many milliseconds. */
const makeUpMillis = 200
/** What was sent to a stopped process has come so many milliseconds after. */
const catchUpMillis = 1_000
/** How often somebody looks whether it is his turn. */
const turnMillis = 50

/** The throttle of one connection. Times in milliseconds. */
export class Throttle {
  readonly #own = new Meter()
  readonly #shared: Meter
  // When the last wait was over, or will be.
  #dueAt = -Infinity
  /** To be called once, when the connection has ended and does not wait. */
  readonly release: () => void

  constructor(shared: Meter, release: () => void) {
    this.#shared = shared
    this.release = release
  }

  /** How many frames may be taken now. */
  frames({ connection, address }: Rates, times: Times): number {
    const { elapsed } = times
    const from = this.#from(times)
    const own = this.#own.frames(connection, elapsed, from)
    if (address.frames === undefined) return own
    return this.#shared.isFirst(this) ? Math.min(own, this.#shared.frames(address, elapsed, from)) : 0
  }

  /** Counts frames that were taken. The others from this address are next. */
  takeFrames({ connection, address }: Rates, times: Times, count: number): void {
    const from = this.#from(times)
    this.#own.takeFrames(connection, times.elapsed, from, count)
    this.#shared.takeFrames(address, times.elapsed, from, count)
    this.#shared.leave(this)
  }

  /** Counts bytes that have come, and whether they are more than the rates allow. */
  takeBytes({ connection, address }: Rates, times: Times, count: number): boolean {
    const { elapsed } = times
    const from = this.#from(times)
    this.#own.takeBytes(connection, elapsed, from, count)
    this.#shared.takeBytes(address, elapsed, from, count)
    return this.#own.byteWait(connection, elapsed) > 0 || this.#shared.byteWait(address, elapsed) > 0
  }

  /** Milliseconds until a frame may be taken and no bytes are owed; 0 when it is so. Whoever has to wait is in line. */
  wait({ connection, address }: Rates, { elapsed }: Times): number {
    const own = Math.max(this.#own.frameWait(connection, elapsed), this.#own.byteWait(connection, elapsed))
    const frame = this.#shared.frameWait(address, elapsed)
    const wait = Math.max(own, frame, this.#shared.byteWait(address, elapsed))
    const first = address.frames === undefined || this.#shared.isFirst(this)
    // Whom his own rate keeps is in nobody's way.
    if (own > 0) this.#shared.leave(this)
    else if (frame > 0 || !first) this.#shared.enqueue(this)
    if (wait > 0 || !first) this.#dueAt = elapsed + wait
    return first ? wait : Math.max(wait, turnMillis)
  }

  /** Does not wait for anything any more. */
  settle(): void {
    this.#shared.leave(this)
  }

  // Since when what was not taken is not forgotten.
  #from({ elapsed, stoppedAt, resumedAt }: Times): number {
    const late = elapsed >= this.#dueAt && elapsed - this.#dueAt <= makeUpMillis ? this.#dueAt : elapsed
    return elapsed - resumedAt <= catchUpMillis ? Math.min(late, stoppedAt) : late
  }
}
