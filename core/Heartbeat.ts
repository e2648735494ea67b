/**
 * Signs of life. The service says what they look like, the server how often they are wanted; anything that comes from the
 * peer is one.
 *
 * Times in, verdict out; they are the wheel's, in milliseconds.
 */
import type { Deadlines } from "./Deadlines.ts"
import type { HeartbeatSettings } from "./Settings.ts"
import { Suspicion } from "./Suspicion.ts"

/** The heartbeat of a service, whose connections end as `HeartbeatLost` when nothing comes for some intervals. */
export interface Heartbeat<In, Out> {
  /** Makes the frame that is sent in every interval. Left out where it is the client that sends one by itself. */
  ping?(): Out
  /** Whether a frame is nothing but the answer to a ping: it is counted, and the handler does not see it. */
  isPong?(frame: In): boolean
}

/** What a look at a pulse found. */
export interface Beat {
  /** Too much silence: it has to end. */
  readonly lost: boolean
  /** A ping is due. */
  readonly ping: boolean
  /** The level of suspicion, when it has just risen to `suspectAt`. */
  readonly suspected: number | undefined
  /** Milliseconds without anything from the peer. */
  readonly silence: number
  /** When to look again. */
  readonly next: number
}

/** The pulse of one connection. */
export class Pulse<In, Out> {
  readonly heartbeat: Heartbeat<In, Out>
  /** Milliseconds from a ping to when its answer was read, of the last one that was. */
  roundTrip: number | undefined
  readonly #suspicion: Suspicion
  #own: number | undefined
  #interval: number
  #beatAt: number
  #pingedAt: number | undefined
  #heardAt: number
  #suspected = false

  constructor(heartbeat: Heartbeat<In, Out>, { interval }: HeartbeatSettings, now: number) {
    this.heartbeat = heartbeat
    this.#interval = interval
    this.#suspicion = new Suspicion(interval, now)
    this.#beatAt = now + interval
    this.#heardAt = now
  }

  /** An interval for this connection alone; undefined for the server's. Wants a look. */
  set own(interval: number | undefined) {
    this.#own = interval
  }

  /** The level of suspicion: see `heartbeat.suspectAt`. `heardAt`: when something came last. */
  level(now: number, heardAt: number): number {
    this.#hear(heardAt)
    return this.#suspicion.level(Math.max(now, this.#heardAt))
  }

  /** A ping was sent. */
  pinged(now: number): void {
    // Answers come in the order of their pings: the next one is that of the first.
    this.#pingedAt ??= now
  }

  /** Takes the answers to pings out of what was received. */
  takePongs(frames: Array<In>, deadlines: Pick<Deadlines, "look">): void {
    if (this.heartbeat.isPong === undefined) return
    let kept = 0
    for (const frame of frames) {
      if (this.#isPong(frame)) this.#answered(deadlines.look())
      else frames[kept++] = frame
    }
    frames.length = kept
  }

  /** Looks whether a ping is due, or the peer gone. */
  look(now: number, heardAt: number, settings: HeartbeatSettings): Beat {
    const interval = this.#own ?? settings.interval
    if (interval !== this.#interval) {
      this.#interval = interval
      this.#suspicion.expect(interval, now)
      this.#beatAt = now + interval
      // Nobody has missed what was not wanted of him.
      this.#heardAt = Math.max(this.#heardAt, now)
    }
    const level = this.level(now, heardAt)
    const ping = now >= this.#beatAt
    if (ping) this.#beatAt = now + interval
    const silence = now - this.#heardAt
    const lostAt = this.#heardAt + interval * settings.missed
    const suspected = level >= settings.suspectAt && !this.#suspected ? level : undefined
    this.#suspected = level >= settings.suspectAt
    // Suspicion rises only once something is due.
    const soon = silence >= interval ? now + interval / 4 : Infinity
    return {
      lost: now >= lostAt || level >= settings.loseAt,
      ping,
      suspected,
      silence: Math.max(0, silence),
      next: Math.min(this.#beatAt, lostAt, soon),
    }
  }

  #isPong(frame: In): boolean {
    try {
      return this.heartbeat.isPong!(frame)
    } catch {
      return false // what is wrong with the frame is the service's to say
    }
  }

  #answered(now: number): void {
    if (this.#pingedAt === undefined) return
    this.roundTrip = now - this.#pingedAt
    this.#pingedAt = undefined
  }

  #hear(heardAt: number): void {
    if (heardAt <= this.#heardAt) return
    this.#heardAt = heardAt
    this.#suspicion.arrived(heardAt)
  }
}
