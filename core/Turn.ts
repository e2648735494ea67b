/**
 * One turn of the event loop, as the connections of a server share it: what was touched in it is flushed once at its
 * end, and what did not fit waits for the next.
 *
 * A handler may call anything from inside `bytes()`: send, close, kick another connection. That only changes state and
 * asks here for a flush. While few connections are active the outermost {@link Turn.leave} does it at once. When many
 * have something to read in the same turn, some of them are read first and written then, one behind the other: who
 * sleeps on this machine and was woken by the first write is still awake at the next. With one connection it would cost
 * 2 to 6 % (paired bursts against the code before, as `npm run cpu -- --against` makes them).
 */
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"
import { ByteWriter } from "./ByteWriter.ts"

/** What is flushed at the end of a turn. */
export interface Flushable {
  flush(): void
}

/** From so many flushes in one turn of the loop on, they are gathered. */
const crowd = 8
/** So many flushes are made at once before it is looked how many there are in a turn. */
const probeEvery = 64
/** So many connections are gathered at most. */
const mostGathered = 128
/**
 * And so many bytes of what they received: with what was answered to it, it lies in memory meanwhile, outlives young
 * collections and is cold when it is written. Without this bound a 1 KiB line of 16 in flight cost a fifth more on Node and a
 * quarter on Bun (rounds by turns); with four connections instead of it, lines of 64 B up to 5 % more on Deno, and of 1 KiB
 * up to a tenth on Node and Bun (paired bursts).
 */
const mostGatheredBytes = 16 * 1024

/** The turns of one server. */
export class Turn {
  /** The one scratch buffer that encoders write to. Empty between flushes. */
  readonly writer: ByteWriter = new ByteWriter()
  /** Whether somebody has read the clock in this turn, for whom one time is enough for all that came in it. */
  looked = false
  readonly #scheduler: Scheduler
  readonly #dispatcher: SchedulerDispatcher
  readonly #dirty: Array<Flushable> = []
  #depth = 0
  #scheduled = false
  #gathering = false
  #received = 0 // bytes, since the last flush
  #flushes = 0 // since it was last looked how many there are in a turn, or since that is being counted

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
    this.#dispatcher = scheduler.makeDispatcher()
  }

  /** Everything until the matching {@link leave} is one turn. */
  enter(): void {
    this.#depth++
  }

  /** Ends a turn, in which so many bytes were received. */
  leave(received = 0): void {
    this.#received += received
    try {
      if (this.#depth === 1) {
        if (this.#dirty.length > 0) this.#flushOrGather()
        if (!this.#scheduled) this.looked = false
      }
    } finally {
      this.#depth--
    }
  }

  /** Flushes at the end of the running turn; outside of one, in the next, together with whatever else comes by then. */
  flushLater(target: Flushable): void {
    this.#dirty.push(target)
    if (this.#depth === 0) this.#schedule()
  }

  /** Runs a task as a turn of its own, after the I/O that is waiting now has had its turn. */
  next(task: () => void): void {
    this.#dispatcher.scheduleTask(() => {
      this.enter()
      try {
        task()
      } finally {
        this.leave()
      }
    }, 0)
  }

  /** Throws an error where nobody is harmed: the tasks that one dispatcher runs together are lost behind one that throws. */
  throwLater(error: unknown): void {
    this.#scheduler.makeDispatcher().scheduleTask(() => {
      throw error
    }, 0)
  }

  #flushOrGather(): void {
    const few = this.#dirty.length < mostGathered && this.#received < mostGatheredBytes
    if (this.#gathering && few) return this.#schedule()
    this.#flush()
    if (this.#flushes >= probeEvery) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#flushes = 0
    this.#dispatcher.scheduleTask(this.#runScheduled, 0)
  }

  // What was flushed while this was waiting for its turn was so in the same one.
  readonly #runScheduled = (): void => {
    this.#scheduled = false
    this.looked = false
    this.#gathering = this.#flushes + this.#dirty.length >= crowd
    this.enter()
    try {
      this.#flush()
    } finally {
      this.#depth--
      this.#flushes = 0
    }
  }

  // A flush may make other connections dirty (a resumed one handles frames): they are appended and flushed as well.
  #flush(): void {
    const dirty = this.#dirty
    for (let index = 0; index < dirty.length; index++) dirty[index]!.flush()
    this.#flushes += dirty.length
    this.#received = 0
    this.looked = false
    dirty.length = 0
  }
}
