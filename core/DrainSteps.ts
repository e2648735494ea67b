/**
 * What a program wants done in the course of a drain: deregister when readiness goes off, persist after the last
 * connection. Each step has a time of its own, and its line in the report; one that fails or hangs holds up nothing else.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { DrainPhase, DrainStep } from "./DrainReport.ts"

/** A step that was registered. */
interface Registered {
  readonly phase: DrainPhase
  readonly name: string
  readonly effect: Effect.Effect<unknown, unknown>
  readonly timeout: Duration.Input
}

/** The steps of one server. */
export class DrainSteps {
  /** How they went, in the order in which they ended. */
  readonly report: Array<DrainStep> = []
  readonly #steps: Array<Registered> = []

  /** Registers a step. */
  add(step: Registered): void {
    this.#steps.push(step)
  }

  /** Does all steps of a phase, one after the other in the order in which they were registered. */
  run(phase: DrainPhase): Effect.Effect<void> {
    return Effect.forEach(this.#steps.filter((step) => step.phase === phase), (step) => this.#do(step), {
      discard: true,
    })
  }

  #do({ phase, name, effect, timeout }: Registered): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const began = clock.monotonicTimeNanosUnsafe()
      // A drain is not interrupted, but a step that hangs has to be.
      const exit = yield* Effect.exit(Effect.timeoutOption(Effect.interruptible(effect), timeout))
      const duration = Number((clock.monotonicTimeNanosUnsafe() - began) / 1_000n) / 1_000
      const outcome = Exit.isFailure(exit) ? "failed" : Option.isNone(exit.value) ? "timed out" : "done"
      const cause = Exit.isFailure(exit) ? { cause: exit.cause } : {}
      this.report.push({ phase, name, outcome, duration, ...cause })
    })
  }
}
