/**
 * The rate of an open run as it is written: `constant:1000:30s`, `linear:100-10000:60s`, `steps:100-1000/10:60s`,
 * `spike:100-5000:30s`; several with commas, one after the other.
 */
import * as Duration from "../core/Duration.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"
import { constant, linear, Schedule, spike, type Stage, steps } from "./Schedule.ts"

/** What is accepted, for messages. */
export const accepted =
  "constant:RATE:DURATION, linear:FROM-TO:DURATION, steps:FROM-TO/COUNT:DURATION or spike:BASE-PEAK:DURATION"

/** Requests a second at most. */
export const fastest = 10_000_000

const day = 86_400_000
const mostSteps = 1_000
const mostStages = 10_000

/** The stages that a text says. */
export const parse = (text: string): ReadonlyArray<Stage> | Problem => {
  const all: Array<Stage> = []
  let place = 1
  for (const part of text.split(",")) {
    const stages = single(part.trim())
    if (isProblem(stages)) {
      const at = place + part.length - part.trimStart().length
      return text === part.trim() ? stages : problem(`${stages.problem}, at character ${at} of ${text}`)
    }
    all.push(...stages)
    place += part.length + 1
  }
  if (all.length > mostStages) return problem(`Expected at most ${mostStages} stages and steps, got ${all.length}`)
  const { duration, total } = new Schedule(all)
  if (duration > day) return problem(`Expected stages of 24h together at most, got ${text}`)
  return total === 0 ? problem(`Expected stages with at least one request, got ${text}`) : all
}

/** A rate: `1000`, `2.5k`, `1M`. */
export const parseRate = (text: string): number | Problem => {
  const rate = rateOf(text)
  return rate === undefined || rate === 0
    ? problem(`Expected a rate above 0 and up to ${fastest} a second, such as 1000 or 2.5k, got ${shown(text)}`)
    : rate
}

const single = (text: string): ReadonlyArray<Stage> | Problem => {
  const [, kind = "", rates = "", length = ""] = /^([a-z]+):([^:]*):([^:]*)$/.exec(text) ?? []
  if (!["constant", "linear", "steps", "spike"].includes(kind)) {
    return problem(`Expected ${accepted}, got ${shown(text)}`)
  }
  const duration = Duration.parse(length)
  if (duration === undefined || duration > day) {
    return problem(`Expected a duration up to 24h such as 30s behind ${kind}:${rates}:, got ${shown(length)}`)
  }
  if (kind === "constant") {
    const rate = rateOf(rates)
    return rate === undefined ? wrongRate(rates) : constant(rate, duration)
  }
  const [, left = "", right = "", , count] = /^([^-/]*)-([^-/]*)(\/(\d+))?$/.exec(rates) ?? []
  const [from, to] = [rateOf(left), rateOf(right)]
  if (from === undefined || to === undefined || (kind === "steps") !== (count !== undefined)) {
    const wanted = kind === "steps" ? "FROM-TO/COUNT, such as 100-1000/10" : "two rates, such as 100-10000"
    return problem(`Expected ${wanted}, behind ${kind}:, got ${shown(rates)}`)
  }
  if (kind === "linear") return linear(from, to, duration)
  if (kind === "spike") return spike(from, to, duration)
  const number = Number(count)
  return number < 1 || number > mostSteps
    ? problem(`Expected 1 to ${mostSteps} steps, got ${count}`)
    : steps(from, to, number, duration)
}

const units: Readonly<Record<string, number>> = { "": 1, k: 1_000, M: 1_000_000 }

const rateOf = (text: string): number | undefined => {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(k|M)?$/.exec(text) ?? []
  const rate = Number(number) * units[unit]!
  return rate >= 0 && rate <= fastest ? rate : undefined
}

const wrongRate = (text: string): Problem =>
  problem(`Expected a rate of 0 to ${fastest} a second, such as 1000 or 2.5k, got ${shown(text)}`)

const shown = (text: string): string => text === "" ? "nothing" : text
