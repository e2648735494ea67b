/**
 * One turn of the event loop, as the connections of a server share it: what was touched in it is flushed once at its
 * end, and what did not fit waits for the next.
 *
 * A handler may call anything from inside `bytes()`: send, close, kick another connection. That only changes state and
 * asks here for a flush; the outermost {@link Turn.leave} does it.
 */
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"
import { ByteWriter } from "./ByteWriter.ts"

/** What is flushed at the end of a turn. */
export interface Flushable {
  flush(): void
}

/** The turns of one server. */
export class Turn {
  /** The one scratch buffer that encoders write to. Empty between flushes. */
  readonly writer: ByteWriter = new ByteWriter()
  readonly #scheduler: Scheduler
  readonly #dispatcher: SchedulerDispatcher
  readonly #dirty: Array<Flushable> = []
  #depth = 0
  #scheduled = false

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
      if (this.#depth === 1) this.#flush()
    } finally {
      this.#depth--
    }
  }

  /** Flushes at the end of the running turn; outside of one, in the next, together with whatever else comes by then. */
  flushLater(target: Flushable): void {
    this.#dirty.push(target)
    if (this.#depth === 0 && !this.#scheduled) {
      this.#scheduled = true
      this.#dispatcher.scheduleTask(this.#runScheduled, 0)
    }
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

  readonly #runScheduled = (): void => {
    this.#scheduled = false
    this.enter()
    this.leave()
  }

  // A flush may make other connections dirty (a resumed one handles frames): they are appended and flushed as well.
  #flush(): void {
    const dirty = this.#dirty
    for (let index = 0; index < dirty.length; index++) dirty[index]!.flush()
    dirty.length = 0
  }
}
