/**
 * Whether new connections should be sent here, and why not. A server that is alive and not ready is to be left alone, not
 * to be restarted.
 */
import type { Event } from "../../core/Event.ts"
import type { Server } from "../../core/Server.ts"

/** One thing that readiness wants, and what is wrong with it; undefined when nothing is. */
export interface Check {
  readonly name: string
  readonly problem: string | undefined
}

/** The readiness of one server, also while there is none yet. */
export class Readiness {
  /** What has started. */
  server: Pick<Server, "state" | "drainPhase" | "usage"> | undefined
  #listening = false

  /** What it has to know of events: whether anybody can connect. */
  readonly observe = (event: Event): void => {
    if (event._tag === "Listening" || event._tag === "Resumed") this.#listening = true
    // What the runtime unbound is bound again some time after `resume`.
    if (event._tag === "Suspended" || (event._tag === "Draining" && event.phase === "ending")) this.#listening = false
  }

  /** All checks, the same ones in the same order each time. */
  get checks(): ReadonlyArray<Check> {
    const { server } = this
    const usage = server?.usage
    return [
      check("started", server !== undefined, "the server has not started yet"),
      check("listening", this.#listening, "nobody can connect"),
      check("suspension", server?.state !== "Suspended", "accepting is suspended until it is resumed"),
      check("drain", !this.draining, `${server?.drainPhase}, ${usage?.connections} connections are left`),
      check("overload.lag", usage?.overloaded !== "overload.lag", `the event loop is ${usage?.lag.toFixed()} ms late`),
      check("limits.memory", usage?.overloaded !== "memory", `connections hold ${usage?.memory} bytes`),
    ]
  }

  get ready(): boolean {
    return this.checks.every(({ problem }) => problem === undefined)
  }

  get draining(): boolean {
    return this.server?.state === "Draining" || this.server?.state === "Stopped"
  }
}

const check = (name: string, ok: boolean, problem: string): Check => ({ name, problem: ok ? undefined : problem })
