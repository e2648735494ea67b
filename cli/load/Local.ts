/**
 * A run in this process.
 */
import * as Effect from "effect/Effect"
import { availableParallelism } from "node:os"
import { performance } from "node:perf_hooks"
import process from "node:process"
import { Sockets } from "../../core/Sockets.ts"
import * as Result from "../../load/Result.ts"
import * as Run from "../../load/Run.ts"
import { run as play } from "../../load/Simulation.ts"
import { verdict } from "../../load/Verdict.ts"
import { version } from "../version.ts"
import type { Ask } from "./Ask.ts"
import { cpu } from "./cpu.ts"
import * as Second from "./Second.ts"

/** Who follows a run, and ends it. */
export interface Watch {
  /** So many connections are there. Sending waits for it. */
  readonly ready: (connected: number) => Effect.Effect<void>
  readonly second: (second: Second.Second) => void
  /** Ends the run early. */
  readonly stop: Effect.Effect<void>
}

/** One run of what was asked for. */
export const run = Effect.fnUntraced(function* (
  { plan, simulation, framing, message }: Ask,
  watch: Watch,
): Effect.fn.Return<Result.Result, never, Sockets> {
  const { capabilities } = yield* Sockets
  let startedAt = new Date()
  let from = 0
  const options: Run.Options = {
    cpu,
    now: () => performance.now(),
    ready: (connected) =>
      Effect.tap(watch.ready(connected), () =>
        Effect.sync(() => {
          startedAt = new Date()
        })),
    onInterval(interval) {
      watch.second(Second.of(interval, from))
      from = interval.at
    },
    stop: watch.stop,
  }
  const outcome = yield* simulation === undefined ? Run.run(plan, options) : play(simulation, plan, options)
  const facts = {
    ...runtimeOf(capabilities.runtime),
    platform: `${process.platform} ${process.arch}`,
    cpus: availableParallelism(),
    startedAt: startedAt.toISOString(),
    framing,
    message,
  }
  const found = verdict(plan.mode, outcome)
  return Result.make(plan, outcome, facts, {
    generatorBound: found._tag === "GeneratorBound",
    invalid: found._tag === "Invalid" ? [found.reason] : [],
    warnings: [
      ...found._tag === "GeneratorBound" ? [`Of the generator: ${found.reason}`] : [],
      ...outcome.problem === undefined ? [] : [`It ended, for it could not send on: ${outcome.problem}`],
    ],
  })
})

/** `node 24.21.0`, or `bun 1.4.5 by node:net`. */
const runtimeOf = (text: string): { readonly runtime: string; readonly versions: Readonly<Record<string, string>> } => {
  const [name = "", number = "", ...rest] = text.split(" ")
  const runtime = [name, ...rest].join(" ")
  return { runtime, versions: { [runtime]: number, anyport: version } }
}
