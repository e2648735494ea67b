/**
 * The highest rate of an open run at which thresholds hold: doubled until they fail, halved in between to a precision, and
 * then confirmed by a longer run. What was not confirmed is not claimed; a noisy machine makes the rate lower, not higher.
 *
 * A trial whose generator was late says nothing of the server. It bounds the search all the same, and the search says so.
 */
import * as Effect from "effect/Effect"
import type { Result, Search } from "./Result.ts"
import * as Threshold from "./Threshold.ts"

/** How to search. All times in milliseconds, all rates per second. */
export interface Options {
  readonly thresholds: ReadonlyArray<Threshold.Threshold>
  /** The first rate. Default 100. */
  readonly start?: number
  /** No rate above it is tried. Default 10,000,000. */
  readonly ceiling?: number
  /** How near to the lowest rate that failed the highest that held has to be. Default 0.05, which is 5 %. */
  readonly precision?: number
  /** Of a trial. Default 5,000. */
  readonly trial?: number
  /** Of a confirmation. Default 30,000. */
  readonly confirmation?: number
  /** Between two runs, so that a server gets rid of what it owes. Default 1,000. */
  readonly pause?: number
  /** Runs at most, but that a rate that was found is confirmed once in any case. Default 50. */
  readonly runs?: number
  /** Is told of every run. */
  readonly onTrial?: (trial: Trial) => void
}

/** The options that apply where none are given. */
export const defaults = {
  start: 100,
  ceiling: 10_000_000,
  precision: 0.05,
  trial: 5_000,
  confirmation: 30_000,
  pause: 1_000,
  runs: 50,
} as const

/** One run of a search. */
export type Trial = Search["trials"][number]

/** What a search has found. */
export interface Found extends Search {
  /** Of the confirmation, or of the last run where none was confirmed; undefined where there was no run. */
  readonly result: Result | undefined
}

/** Rates below are not tried. */
const lowest = 1
/** A trial that failed is made once more: one hiccup is no limit. */
const attempts = 2

/** Searches. A trial is one run at a rate, per second, of a length in milliseconds; one that was `cut` ends the search. */
export const findMax: <E, R>(
  options: Options,
  trial: (rate: number, duration: number) => Effect.Effect<Result, E, R>,
) => Effect.Effect<Found, E, R> = Effect.fnUntraced(function* <E, R>(
  options: Options,
  trial: (rate: number, duration: number) => Effect.Effect<Result, E, R>,
): Effect.fn.Return<Found, E, R> {
  const { start, ceiling, precision, pause, runs, ...settings } = { ...defaults, ...options }
  const trials: Array<Trial> = []
  let result: Result | undefined
  let held: number | undefined
  let failed: number | undefined
  let limit: Search["limit"] = "ceiling"

  const one = Effect.fnUntraced(function* (rate: number, confirmation: boolean) {
    if (trials.length > 0) yield* Effect.sleep(pause)
    const duration = confirmation ? settings.confirmation : settings.trial
    result = yield* trial(rate, duration)
    const thresholds = Threshold.checkAll(options.thresholds, result)
    const done: Trial = {
      rate,
      duration,
      confirmation,
      outcome: outcomeOf(result, thresholds),
      achieved: result.rates.achieved,
      thresholds,
    }
    trials.push(done)
    options.onTrial?.(done)
    return done.outcome
  })
  const several = Effect.fnUntraced(function* (rate: number) {
    let outcome = yield* one(rate, false)
    for (let again = 1; again < attempts && isFailure(outcome) && trials.length < runs; again++) {
      outcome = yield* one(rate, false)
    }
    return outcome
  })
  const found = (rate: number | undefined, limit: Search["limit"]): Found => ({
    thresholds: options.thresholds.map(({ text }) => text).join(","),
    ...rate === undefined ? {} : { rate },
    limit,
    trials,
    result,
  })

  for (
    let rate: number | undefined = Math.min(start, ceiling);
    rate !== undefined;
    rate = next(held, failed, ceiling, precision)
  ) {
    if (trials.length >= runs) {
      limit = "runs"
      break
    }
    const outcome: Trial["outcome"] = yield* several(rate)
    if (outcome === "cut") return found(undefined, "cut")
    if (outcome === "held") held = rate
    else {
      failed = rate
      limit = limitOf(outcome)
    }
  }
  // What held for a short time may not hold for longer, so that the steps down grow.
  let step = precision
  for (let rate = held; rate !== undefined && rate >= lowest; rate = rounded(rate * (1 - step)), step *= 2) {
    // At the bound of runs a rate that was found is still confirmed once.
    if (trials.length >= runs && rate !== held) return found(undefined, "runs")
    const outcome: Trial["outcome"] = yield* one(rate, true)
    if (outcome === "held") return found(rate, limit)
    if (outcome === "cut") return found(undefined, "cut")
    limit = limitOf(outcome)
    if (step >= 1) break
  }
  return found(undefined, limit)
})

const outcomeOf = (result: Result, thresholds: Result["thresholds"]): Trial["outcome"] => {
  if (result.cut) return "cut"
  // Figures of a run that is not valid are none of the server, good or bad.
  if (!result.valid) return "generator"
  return thresholds.every(({ ok }) => ok) ? "held" : "failed"
}

const isFailure = (outcome: Trial["outcome"]): boolean => outcome === "failed" || outcome === "generator"

const limitOf = (outcome: Trial["outcome"]): Search["limit"] => outcome === "generator" ? "generator" : "server"

/** The next rate to try; undefined where the search is over. */
const next = (
  held: number | undefined,
  failed: number | undefined,
  ceiling: number,
  precision: number,
): number | undefined => {
  if (failed === undefined) return held === undefined || held >= ceiling ? undefined : Math.min(held * 2, ceiling)
  if (held === undefined) return failed / 2 < lowest ? undefined : rounded(failed / 2)
  if (failed - held <= held * precision) return undefined
  const middle = rounded((held + failed) / 2)
  return middle > held && middle < failed ? middle : undefined
}

/** Three digits: more would claim what no run can tell. */
const rounded = (rate: number): number => Number(rate.toPrecision(3))
