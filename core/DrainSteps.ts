/**
 * What a program wants done in the course of a drain: deregister when readiness goes off, persist after the last
 * connection. Each step has a time of its own, and its line in the report; one that fails or hangs holds up nothing else.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { DrainPhase, DrainStep } from "./DrainReport.ts"

/** A step that was registered and is not done. */
interface Waiting {
  readonly phase: DrainPhase
  readonly name: string
  readonly effect: Effect.Effect<unknown, unknown>
  readonly timeout: number
}

/** The steps of one server. */
export class DrainSteps {
  /** How they went, in the order in which they ended. */
  readonly report: Array<DrainStep> = []
  readonly #waiting: Array<Waiting> = []
  readonly #begun = new Set<DrainPhase>()

  /** Registers a step. Throws when the timeout is no duration. */
  add(phase: DrainPhase, name: string, effect: Effect.Effect<unknown, unknown>, timeout: Duration.Input): void {
    this.#waiting.push({ phase, name, effect, timeout: Duration.toMillis(timeout) })
  }

  /**
   * Does all steps of a phase that begins, one after the other in the order in which they were registered, with those of
   * earlier ones that came too late for them.
   */
  run(phase: DrainPhase): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#begun.add(phase)
      return this.#rest
    })
  }

  // Asked again after each: a step may register others.
  readonly #rest: Effect.Effect<void> = Effect.suspend(() => {
    const index = this.#waiting.findIndex(({ phase }) => this.#begun.has(phase))
    const [step] = index < 0 ? [] : this.#waiting.splice(index, 1)
    return step === undefined ? Exit.void : Effect.flatMap(this.#do(step), () => this.#rest)
  })

  #do({ phase, name, effect, timeout }: Waiting): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const began = clock.monotonicTimeNanosUnsafe()
      // A drain is not interrupted, but a step that hangs has to be; in a fiber of its own, as its finalizers may hang too.
      const fiber = yield* Effect.forkDetach(Effect.interruptible(effect), { startImmediately: true })
      const exit = yield* Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), timeout)
      if (Option.isNone(exit)) fiber.interruptUnsafe()
      const duration = Number((clock.monotonicTimeNanosUnsafe() - began) / 1_000n) / 1_000
      this.report.push({ phase, name, duration, ...outcomeOf(exit) })
    })
  }
}

const outcomeOf = (exit: Option.Option<Exit.Exit<unknown, unknown>>): Pick<DrainStep, "outcome" | "cause"> => {
  if (Option.isNone(exit)) return { outcome: "timed out" }
  return Exit.isSuccess(exit.value) ? { outcome: "done" } : { outcome: "failed", cause: exit.value.cause }
}
