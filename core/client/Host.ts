/** What the connections of a client need of it: they stand on the same engine as those of a server. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { Budget } from "../Budget.ts"
import { Deadlines } from "../Deadlines.ts"
import { InFlight } from "../InFlight.ts"
import type { Settings } from "../Settings.ts"
import type { Supervisor } from "../Supervisor.ts"
import { Turn } from "../Turn.ts"

/** The host of one client's connections, which are one at a time. */
export class Host implements Supervisor {
  readonly turn: Turn
  readonly deadlines: Deadlines
  readonly settings: Settings
  readonly budget = new Budget()
  readonly inFlight = new InFlight()
  readonly draining = Effect.never
  readonly emit = undefined
  readonly #clock: Clock.Clock

  constructor(settings: Settings, context: Context.Context<never>) {
    this.settings = settings
    this.#clock = Context.get(context, Clock.Clock)
    this.turn = new Turn(Context.get(context, Scheduler.Scheduler))
    this.deadlines = new Deadlines(context)
  }

  now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  /** Milliseconds by a clock that nobody sets. */
  monotonic(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  throttle(): undefined {
    return undefined
  }

  forget(): void {}
}
