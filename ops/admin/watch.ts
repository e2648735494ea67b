/**
 * What is known of one server to those who watch it: whether it is ready, and its counts. Fed by its events.
 *
 * Who asks is somebody else: the admin endpoint of this process, or a supervisor.
 */
import * as Effect from "effect/Effect"
import type { Observer } from "../../core/Event.ts"
import type { Server } from "../../core/Server.ts"
import type { Account } from "../workers/Ledger.ts"
import type { Family } from "./exposition.ts"
import { Metrics, type Reading } from "./metrics.ts"
import { Readiness } from "./readiness.ts"
import type { Sources } from "./routes.ts"

/** One server, watched; also while there is none yet. */
export interface Watch {
  /** Has to see every event of the server, from the first on. */
  readonly observe: Observer
  /** The server has started. */
  started(server: Pick<Server, "state" | "drainPhase" | "usage">): void
  /** What the admin endpoint answers from. */
  readonly sources: Sources
  /** What a worker tells its supervisor. */
  account(): Account
}

/** Watches a server of this build: what runs, by labels. */
export const make = (build: Reading["build"]): Watch => {
  const readiness = new Readiness()
  const metrics = new Metrics()
  const families = (): ReadonlyArray<Family> => {
    const { ready, draining, server } = readiness
    return metrics.families({ ready, draining, usage: server?.usage, build })
  }
  return {
    observe: (event) => {
      metrics.observe(event)
      readiness.observe(event)
    },
    started: (server) => {
      readiness.server = server
    },
    sources: {
      readiness: Effect.sync(() => readiness),
      families: Effect.sync(families),
    },
    account: () => ({
      draining: readiness.draining,
      problems: readiness.checks.flatMap(({ name, problem }) => problem === undefined ? [] : [`${name}: ${problem}`]),
      families: families(),
    }),
  }
}
