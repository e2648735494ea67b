/**
 * Whether a process keeps up, by how late its event loop is. Lateness in, verdict out.
 *
 * One late sample is a long turn or a process that was stopped: nobody is let in until the next one is on time. Late for
 * several in a row is too much work: some of it has to go.
 */

/** What is to be done: nothing, let nobody in, or end somebody as well. */
export type Load = "calm" | "refusing" | "shedding"

const enough = 4

/** The load of one server. */
export class Overload {
  load: Load = "calm"
  #late = 0

  /** Takes a sample: how late the loop was, in milliseconds, and how late it may be. */
  sample(lag: number, bound: number): Load {
    this.#late = lag > bound ? this.#late + 1 : 0
    // Between half of the bound and the bound nothing changes for those who wait outside.
    if (this.#late >= enough) this.load = "shedding"
    else if (this.#late > 0) this.load = "refusing"
    else if (lag <= bound / 2) this.load = "calm"
    else if (this.load === "shedding") this.load = "refusing"
    return this.load
  }
}
