/**
 * The well-behaved client beside an attack: one request after another, every answer verified and timed. It runs in a
 * thread of its own, so that what the attackers cost this process is not taken for the server's slowness.
 */
import { once } from "node:events"
import { join } from "node:path"
import { Worker } from "node:worker_threads"

/** What it has got since it was last asked. */
export interface Figures {
  readonly answers: number
  /** Of the time from a request to its answer, in milliseconds; 0 when there was none. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Why it could not go on: an answer was wrong, or the connection ended. */
  readonly failure?: string
}

/** A client that asks until it is stopped. */
export class Steady {
  readonly #worker: Worker

  constructor(port: number, host = "127.0.0.1") {
    this.#worker = new Worker(join(import.meta.dirname, "SteadyWorker.ts"), { workerData: { port, host } })
  }

  /** Its figures since the last call; waits for the answer that is under way. Rejects when none comes within `millis`. */
  async figures(millis = 10_000): Promise<Figures> {
    this.#worker.postMessage("figures")
    const [figures] = await once(this.#worker, "message", { signal: AbortSignal.timeout(millis) })
    return figures
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
