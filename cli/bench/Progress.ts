/**
 * What is seen of a run while it goes: one line on stderr for each trial, with how much is left.
 */
import process from "node:process"
import { performance } from "node:perf_hooks"
import * as Plan from "../../bench/Plan.ts"
import type { Cell, Trial } from "../../bench/Result.ts"
import * as Units from "../../load/Units.ts"

/** What is going to be done, and how long it takes, before it begins. */
export const announce = (plan: Plan.Plan, before: ReadonlyArray<Trial>, generator: string): string => {
  const steps = Plan.left(plan, before)
  const trials = `${Units.count(steps.length)} trial${steps.length === 1 ? "" : "s"}`
  const rest = before.length === 0 ? "" : ` (${before.length} are there)`
  return [
    `About ${
      Units.time(Plan.duration(plan, steps) * 1_000)
    }: ${trials}${rest} of ${plan.contenders.length} contenders ` +
    `in ${plan.cells.length} cells, seed ${plan.seed}`,
    `Load: ${generator}`,
  ].join("\n")
}

/** Follows a run. */
export class Progress {
  readonly #plan: Plan.Plan
  readonly #began = performance.now()
  #expected = 0
  #made = 0

  constructor(plan: Plan.Plan) {
    this.#plan = plan
  }

  /** By turns nothing is known of anybody until it is of all. */
  begins(steps: ReadonlyArray<Plan.Step>): void {
    const [step] = steps
    if (step === undefined || steps.length === 1) return
    const time = Units.time(Plan.duration(this.#plan, steps) * 1_000)
    say(`${step.cell}, round ${step.round}: ${steps.length} contenders by turns, about ${time}`)
  }

  /** Trials were made; `all` are those of the run so far. */
  made(made: ReadonlyArray<Trial>, all: ReadonlyArray<Trial>): void {
    const left = Plan.left(this.#plan, all)
    this.#made += made.length
    this.#expected += Plan.duration(this.#plan, made)
    // What was expected is corrected by what it took so far, once that says something.
    const pace = this.#made < 5 ? 1 : (performance.now() - this.#began) / 1_000 / this.#expected
    const rest = left.length === 0
      ? "done"
      : `${left.length} left, ${Units.time(Plan.duration(this.#plan, left) * pace * 1_000)}`
    const [cells, contenders] = [this.#plan.cells, this.#plan.contenders].map((all) =>
      Math.max(...all.map(({ id }) => id.length))
    )
    for (const trial of made) {
      const cell = this.#plan.cells.find(({ id }) => id === trial.cell)!
      say(
        [
          trial.cell.padEnd(cells ?? 0),
          trial.contender.padEnd(contenders ?? 0),
          said(trial, cell).padEnd(38),
          `(${rest})`,
        ].join("  "),
      )
    }
  }
}

/** What went on, as all of a run says it. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`)

const said = ({ measures, void: reasons }: Trial, { scenario }: Cell): string => {
  const figures = reasons.length > 0 ? [`VOID: ${reasons.join("; ")}`] : figuresOf(scenario, measures)
  return figures.join(", ")
}

const figuresOf = (scenario: Cell["scenario"], measures: Trial["measures"]): ReadonlyArray<string> => {
  const { messages, seconds, serverCpu, rss, p50, p99, heapPerMessage, sessions } = measures
  const each = serverCpu === undefined || !messages ? "? µs" : `${(serverCpu / messages * 1e6).toPrecision(3)} µs`
  const rate = messages === undefined || !seconds ? "?/s" : Units.rate(Math.round(messages / seconds))
  switch (scenario) {
    case "idle":
      return [`${Units.count(Math.round(rss ?? 0))} B a connection`]
    case "start":
      return [Units.time((seconds ?? 0) * 1_000), `${((rss ?? 0) / 2 ** 20).toFixed(0)} MiB`]
    case "latency":
    case "frozen":
      return [`p50 ${Units.latency(p50 ?? 0)}`, `p99 ${Units.latency(p99 ?? 0)}`, rate]
    case "allocation":
      return [heapPerMessage === undefined ? "few collections" : `${Math.round(heapPerMessage)} B a message`, rate]
    case "generator":
      return [`${sessions ?? 0} sessions`, `p99 ${Units.latency(p99 ?? 0)}`, rate]
    default:
      return [each, rate]
  }
}
