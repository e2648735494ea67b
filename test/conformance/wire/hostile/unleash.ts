/** The hostile modes of `anyport load`, let loose on the server under attack from this process. */
import { strict as assert } from "node:assert"
import * as Effect from "effect/Effect"
import { layer } from "../../../../adapters/node.ts"
import { cpu } from "../../../../cli/load/cpu.ts"
import * as Framing from "../../../../load/Framing.ts"
import * as Hostile from "../../../../load/hostile/Hostile.ts"
import { isProblem } from "../../../../load/Problem.ts"
import * as LoadTarget from "../../../../load/Target.ts"
import type { Target, Where } from "./Target.ts"

/** What is done. */
export interface Attack extends Pick<Where, "service"> {
  readonly mode: Hostile.HostileMode
  /** Hostile connections at once. */
  readonly connections: number
  /** In milliseconds. */
  readonly duration: number
  /** What a request says. Default `hello`. */
  readonly message?: string
}

/**
 * Attacks; what came of it. Rejects when somebody could not connect, or when the well-behaved client that the mode brings
 * along lost its connection.
 */
export const unleash = async (
  target: Target,
  { service = "respond", mode, connections, duration, message = "hello" }: Attack,
): Promise<Hostile.HostileOutcome> => {
  const url = known(LoadTarget.parse(`tcp://127.0.0.1:${target.port({ service })}`))
  const plan: Hostile.HostilePlan = {
    target: url,
    sources: [],
    framing: known(Framing.parse("lines", url)),
    mode,
    connections,
    duration,
    message: new TextEncoder().encode(message),
    connectTimeout: 5_000,
    seed: 1,
  }
  const outcome = await Effect.runPromise(Effect.provide(Hostile.run(plan, { cpu }), layer))
  assert.deepEqual([...outcome.failures, ...outcome.decent.total.failures], [])
  return outcome
}

const known = <A>(parsed: A | { readonly problem: string }): A => {
  if (isProblem(parsed)) throw new Error(parsed.problem)
  return parsed as A
}
