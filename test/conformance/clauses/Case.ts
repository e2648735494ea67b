/** One conformance case of the port: what it tests, what it needs, and its effect. How it is run is in `runCase.ts`. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Capabilities, Sockets } from "../../../core/Sockets.ts"

/** One case of the suite. */
export interface Case {
  /** The number of the clause in `core/Sockets.ts`; 0 is `listen` and `connect` themselves, which have none. */
  readonly clause: number
  readonly name: string
  readonly area: Area
  /** The ability without which it is skipped. */
  readonly needs?: keyof Capabilities
  readonly run: Run
}

/**
 * What a case needs, as far as it wants permissions of its own: TCP on 127.0.0.1, other loopback addresses, Unix
 * sockets, their paths as files, the whole system, or to have permission for nothing but 127.0.0.1.
 */
export type Area = "tcp" | "addresses" | "unix" | "files" | "system" | "denied"

/** What a case does: it fails with whatever does not hold, and leaves nothing behind its scope. */
export type Run = Effect.Effect<void, unknown, Sockets | Scope.Scope>

/** The case means nothing on this machine. */
export class Skipped extends Data.TaggedError("Skipped")<{ readonly message: string }> {}

/** A case of the area `tcp`, unless `options` name another. */
export const make = (
  clause: number,
  name: string,
  run: () => Run,
  options: Partial<Pick<Case, "area" | "needs">> = {},
): Case => ({ clause, name, area: "tcp", run: Effect.suspend(run), ...options })
