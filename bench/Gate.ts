/**
 * Whether a trial counts. The reasons are for people; what was measured stays in the raw data either way.
 */
import type { Measures, Scenario } from "./Result.ts"

/** The bounds, as shares of the measured time. */
export const bounds = {
  /** Most that others may take of the server's core. */
  elsewhere: 0.05,
  /** Most that the hypervisor may keep. */
  stolen: 0.02,
  /** From here on the generator's own queues are in the latencies. */
  generator: 0.85,
  /** Least share of a schedule that has to be kept. */
  achieved: 0.99,
  /** Least that the server's core has to be busy for the rate to be the server's. */
  busy: 0.95,
} as const

/** What is said of a trial whose rate says nothing about the server. */
export const generatorBound = "generator-bound"

/** Why a trial does not count, empty when it does; and what is to be known of one that does. */
export interface Judgement {
  readonly void: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}

/** What is judged. */
export interface Observed {
  readonly scenario: Scenario
  readonly measures: Measures
  /** Wrong bytes and lost connections. */
  readonly errors: number
  /** Whatever else went wrong, such as a server that died. */
  readonly problems: ReadonlyArray<string>
  /** Processes that serve, each on a core of its own. Default 1. */
  readonly servers?: number
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

/** Judges one trial. */
export const judge = ({ scenario, measures, errors, problems, servers = 1 }: Observed): Judgement => {
  const reasons = [...problems]
  const share = (of: string): number => {
    const seconds = measures["seconds"]
    const value = measures[of]
    return seconds === undefined || value === undefined || seconds === 0 ? 0 : value / seconds
  }
  const over = (of: "elsewhere" | "stolen", who: string): void => {
    const part = share(of)
    if (part > bounds[of]) {
      reasons.push(`${who} ${percent(part)} of the server's core, allowed is ${percent(bounds[of])}`)
    }
  }
  // Of the simulators' errors a table is made.
  if (errors > 0 && scenario !== "generator") reasons.push(errors === 1 ? "1 error" : `${errors} errors`)
  over("elsewhere", "others took")
  over("stolen", "the hypervisor kept")
  if (scenario === "latency" || scenario === "frozen") {
    const generator = share("generatorCpu")
    if (generator >= bounds.generator) {
      reasons.push(
        `the generator was ${percent(generator)} busy, from ${percent(bounds.generator)} on it is part of it`,
      )
    }
    const kept = (measures["achieved"] ?? 0) / (measures["target"] ?? 1)
    if (!(kept >= bounds.achieved)) {
      reasons.push(`${percent(kept)} of the schedule was kept, wanted is ${percent(bounds.achieved)}`)
    }
  }
  if (["echo", "churn", "workers", "latency", "frozen", "allocation"].includes(scenario) && !measures["messages"]) {
    if (reasons.length === 0) reasons.push("nothing was answered")
  }
  const saturated = scenario === "echo" || scenario === "churn" || scenario === "workers"
  return {
    void: reasons,
    notes: saturated && share("serverCpu") < bounds.busy * servers ? [generatorBound] : [],
  }
}
