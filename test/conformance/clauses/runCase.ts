/** Runs one conformance case within a bounded time, and says how it went. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Sockets } from "../../../core/Sockets.ts"
import { type Case, Skipped } from "./Case.ts"

/** How a case went. */
export interface Result {
  readonly name: string
  readonly outcome: "passed" | "failed" | "skipped"
  readonly detail?: string
}

const limit = "20 seconds"

/** The case's number and name, as one line. */
export const titleOf = (one: Case): string => `clause ${one.clause}: ${one.name}`

/** Runs a case, and never fails. */
export const runCase = (one: Case): Effect.Effect<Result, never, Sockets> =>
  Effect.gen(function* () {
    const name = titleOf(one)
    const { capabilities } = yield* Sockets
    if (one.needs !== undefined && !capabilities[one.needs]) {
      return { name, outcome: "skipped", detail: `${capabilities.runtime} has no ${one.needs}` }
    }
    const exit = yield* Effect.exit(Effect.scoped(Effect.timeout(one.run, limit)))
    if (Exit.isSuccess(exit)) return { name, outcome: "passed" }
    const error = Cause.squash(exit.cause)
    if (error instanceof Skipped) return { name, outcome: "skipped", detail: error.message }
    return { name, outcome: "failed", detail: Cause.pretty(exit.cause) }
  })
