/**
 * A plan carried out: trial by trial, each kept as soon as it is made, those that do not count made again at the end.
 * Nothing is printed or written here; who asks is told of every trial.
 */
import { Random } from "../load/Random.ts"
import type { Contenders } from "./Contenders.ts"
import { judge } from "./Gate.ts"
import { swapped } from "./Machine.ts"
import * as Plan from "./Plan.ts"
import type { Cell, Trial } from "./Result.ts"
import { highest } from "./Scenarios.ts"
import { median } from "./Statistics.ts"
import { allocation } from "./trials/allocation.ts"
import { open, workers } from "./trials/echo.ts"
import { idle } from "./trials/idle.ts"
import { service, simulator } from "./trials/own.ts"
import { start } from "./trials/start.ts"
import type { Ask, Made, Tools } from "./trials/Trial.ts"
import { turns } from "./trials/turns.ts"

/** What is told. */
export interface Watch {
  /** These are going to be made: one, or by turns all of a round. */
  readonly begins: (steps: ReadonlyArray<Plan.Step>) => void
  /** They were made; `trials` are all so far, these included. */
  readonly made: (made: ReadonlyArray<Trial>, trials: ReadonlyArray<Trial>) => void
  /** A contender is not asked again, because it could not be measured whenever it was. */
  readonly gaveUp: (contender: string, reason: string) => void
  /** Ends the run; a trial that is being made then counts as never begun. */
  readonly stop: AbortSignal
}

/** What came of it. */
export interface Done {
  readonly trials: ReadonlyArray<Trial>
  /** Contenders that could not be measured. */
  readonly missing: Contenders["missing"]
  /** Whether everything was done. */
  readonly finished: boolean
}

/** So often a contender may fail to be measured at all before it is asked no more. */
const failuresAllowed = 3

/** Makes what is left of a plan after some trials. */
export const run = async (plan: Plan.Plan, before: ReadonlyArray<Trial>, tools: Tools, watch: Watch): Promise<Done> => {
  const trials = [...before]
  const failures = new Map<string, number>()
  const missing: Array<Contenders["missing"][number]> = []
  const hasGivenUp = (contender: string): boolean => (failures.get(contender) ?? 0) >= failuresAllowed
  for (;;) {
    const steps = Plan.together(plan, Plan.left(plan, trials, hasGivenUp))
    if (steps.length === 0) return { trials, missing, finished: true }
    watch.begins(steps)
    const made = await Promise.race([attempt(plan, steps, trials, tools), aborted(watch.stop)])
    if (made === undefined || watch.stop.aborted) return { trials, missing, finished: false }
    // All at once: a round by turns is whole or was never made.
    trials.push(...made.map(({ trial }) => trial))
    watch.made(made.map(({ trial }) => trial), trials)
    for (const { trial, failed } of made) {
      const { contender } = trial
      failures.set(contender, failed ? (failures.get(contender) ?? 0) + 1 : 0)
      if (!failed || !hasGivenUp(contender)) continue
      const reason = trial.void.join("; ")
      missing.push({ name: contender, reason })
      watch.gaveUp(contender, reason)
    }
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener("abort", () => resolve(undefined), { once: true })
  })

/** Makes trials that belong together: one, or by turns all of a round. */
const attempt = async (
  plan: Plan.Plan,
  steps: ReadonlyArray<Plan.Step>,
  trials: ReadonlyArray<Trial>,
  tools: Tools,
): Promise<ReadonlyArray<{ readonly trial: Trial; readonly failed: boolean }>> => {
  const { warmup, seconds } = plan
  const { round, ...first } = steps[0]! // there is one at least
  const cell = plan.cells.find(({ id }) => id === first.cell)!
  const startedAt = new Date().toISOString()
  const swappedBefore = swapped()
  const asks = steps.map(({ contender }): Ask => ({
    cell,
    program: tools.programs.get(contender)!,
    warmup,
    seconds,
    highest: reaches(trials, contender),
  }))
  const outcomes = Plan.isByTurns(cell)
    ? await turns(asks, tools, new Random(plan.seed, round))
    : await Promise.allSettled(asks.map((ask) => trialOf(cell)(ask, tools)))
  const pages = (swapped() ?? 0) - (swappedBefore ?? 0)
  return outcomes.map((outcome, index) => {
    const made = outcome.status === "fulfilled" ? outcome.value : failure(outcome.reason)
    const problems = pages === 0 ? made.problems : [...made.problems, `${pages} pages were swapped`]
    const judged = judge({ ...made, scenario: cell.scenario, problems })
    const trial = { ...steps[index]!, startedAt, ...judged, measures: made.measures } // an outcome for each step
    return { trial, failed: outcome.status === "rejected" }
  })
}

const failure = (error: unknown): Made => {
  const reason = error instanceof Error ? error.message : String(error)
  return { measures: {}, errors: 0, problems: [reason.replace(/\s+/g, " ").slice(0, 400)] }
}

const trialOf = (cell: Cell): (ask: Ask, tools: Tools) => Promise<Made> => {
  switch (cell.scenario) {
    case "echo":
    case "churn":
      return service // what is not measured by turns
    case "latency":
    case "frozen":
      return open
    case "workers":
      return workers
    case "idle":
      return idle
    case "start":
      return start
    case "allocation":
      return allocation
    case "generator":
      return simulator
  }
}

/** Requests a second that a contender reached: the median of the trials that count. */
const reaches = (trials: ReadonlyArray<Trial>, contender: string): number | undefined => {
  const rates = trials.filter((trial) =>
    trial.cell === highest && trial.contender === contender && trial.void.length === 0
  )
    .map(({ measures: { messages = 0, seconds = 1 } }) => messages / seconds)
  return rates.length === 0 ? undefined : median(rates)
}
