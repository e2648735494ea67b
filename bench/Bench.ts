/**
 * A plan carried out: trial by trial, each kept as soon as it is made, those that do not count made again at the end.
 * Nothing is printed or written here; who asks is told of every trial.
 */
import type { Contenders } from "./Contenders.ts"
import { judge } from "./Gate.ts"
import { swapped } from "./Machine.ts"
import * as Plan from "./Plan.ts"
import type { Cell, Trial } from "./Result.ts"
import { highest } from "./Scenarios.ts"
import { median } from "./Statistics.ts"
import { allocation } from "./trials/allocation.ts"
import { echo, workers } from "./trials/echo.ts"
import { idle } from "./trials/idle.ts"
import { service, simulator } from "./trials/own.ts"
import { start } from "./trials/start.ts"
import type { Ask, Made, Tools } from "./trials/Trial.ts"

/** What is told. */
export interface Watch {
  /** A trial was made; `trials` are all so far, this one included. Resolves when they are kept. */
  readonly trial: (trial: Trial, trials: ReadonlyArray<Trial>) => void
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
    const step = Plan.left(plan, trials).find(({ contender }) => !hasGivenUp(contender))
    if (step === undefined) return { trials, missing, finished: true }
    const made = await Promise.race([attempt(plan, step, trials, tools), aborted(watch.stop)])
    if (made === undefined || watch.stop.aborted) return { trials, missing, finished: false }
    trials.push(made.trial)
    failures.set(step.contender, made.failed ? (failures.get(step.contender) ?? 0) + 1 : 0)
    watch.trial(made.trial, trials)
    if (!hasGivenUp(step.contender)) continue
    const reason = made.trial.void.join("; ")
    missing.push({ name: step.contender, reason })
    watch.gaveUp(step.contender, reason)
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener("abort", () => resolve(undefined), { once: true })
  })

const attempt = async (
  plan: Plan.Plan,
  step: Plan.Step,
  trials: ReadonlyArray<Trial>,
  tools: Tools,
): Promise<{ readonly trial: Trial; readonly failed: boolean }> => {
  const cell = plan.cells.find(({ id }) => id === step.cell)!
  const program = tools.programs.get(step.contender)!
  const startedAt = new Date().toISOString()
  const swappedBefore = swapped()
  const reached = reaches(trials, step.contender)
  let failed = false
  const made = await trialOf(cell)(
    { cell, program, warmup: plan.warmup, seconds: plan.seconds, highest: reached },
    tools,
  )
    .catch((error: unknown): Made => {
      failed = true
      const reason = error instanceof Error ? error.message : String(error)
      return { measures: {}, errors: 0, problems: [reason.replace(/\s+/g, " ").slice(0, 400)] }
    })
  const pages = (swapped() ?? 0) - (swappedBefore ?? 0)
  const problems = pages === 0 ? made.problems : [...made.problems, `${pages} pages were swapped`]
  const judged = judge({ ...made, scenario: cell.scenario, problems })
  return { trial: { ...step, startedAt, ...judged, measures: made.measures }, failed }
}

const trialOf = (cell: Cell): (ask: Ask, tools: Tools) => Promise<Made> => {
  switch (cell.scenario) {
    case "echo":
      return cell.framing === "own" ? service : echo
    case "latency":
    case "frozen":
    case "churn":
      return echo
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
