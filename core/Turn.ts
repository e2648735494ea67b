/**
 * One turn of the event loop, as the connections of a server share it: what was touched in it is flushed once at its
 * end, and what did not fit waits for the next.
 *
 * A handler may call anything from inside `bytes()`: send, close, kick another connection. That only changes state and
 * asks here for a flush. While few connections are active the outermost {@link Turn.leave} does it at once. When many
 * have something to read in the same turn, a few of them are read first and written then, one behind the other: who
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
/**
 * So many connections are gathered at most: what they have received and answered lies in memory meanwhile, outlives young
 * collections and is cold when it is written. With 128 a 1 KiB line of 16 in flight cost a fifth more on Node and a quarter on
 * Bun (rounds by turns); a 64 B line 2 to 4 % less on Deno, and up to a tenth more on Bun (paired bursts).
 */
const mostGathered = 4

/** The turns of one server. */
export class Turn {
  /** The one scratch buffer that encoders write to. Empty between flushes. */
  readonly writer: ByteWriter = new ByteWriter()
  readonly #scheduler: Scheduler
  readonly #dispatcher: SchedulerDispatcher
  readonly #dirty: Array<Flushable> = []
  #depth = 0
  #scheduled = false
  #gathering = false
  #flushes = 0 // since it was last looked how many there are in a turn, or since that is being counted

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
    this.#dispatcher = scheduler.makeDispatcher()
  }

  /** Everything until the matching {@link leave} is one turn. */
  enter(): void {
    this.#depth++
  }

  leave(): void {
    try {
      if (this.#depth === 1 && this.#dirty.length > 0) this.#flushOrGather()
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
    if (this.#gathering && this.#dirty.length < mostGathered) return this.#schedule()
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
    dirty.length = 0
  }
}
