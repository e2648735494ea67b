/**
 * What `anyport load` does: makes what was asked for, shows how it goes, and says what came of it.
 *
 * Exit codes: 0 done · 1 nothing was answered, or a process of it died · 98 the result is not valid · 99 a threshold does not
 * hold. At the first signal a run ends early and has a result like any other, at the second the program ends at once.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import process from "node:process"
import * as FindMax from "../../load/FindMax.ts"
import { isHostile } from "../../load/hostile/modes.ts"
import { remedy } from "../../load/Remedy.ts"
import type { Result } from "../../load/Result.ts"
import { finding } from "../../load/Summary.ts"
import * as Threshold from "../../load/Threshold.ts"
import * as Units from "../../load/Units.ts"
import { argumentsWith, program } from "../../ops/workers/Command.ts"
import * as Signals from "../../ops/signals.ts"
import { UsageError } from "../UsageError.ts"
import * as Ask from "./Ask.ts"
import * as Ceiling from "./ceiling.ts"
import type { Input } from "./flags.ts"
import * as View from "./live.ts"
import * as Local from "./Local.ts"
import * as Outputs from "./outputs.ts"
import * as Part from "./Part.ts"
import * as Parts from "./Parts.ts"
import { missing } from "./permitted.ts"
import * as Sockets from "./sockets.ts"

/** Exit codes of a result. */
export const codes = { done: 0, failed: 1, invalid: 98, threshold: 99 } as const

/** Does what the flags say. The exit code is left in `exit`. */
export const load = Effect.fnUntraced(function* (input: Input, exit: (code: number) => void) {
  if (input.selfTest) {
    if (Option.contains(input.part, Ceiling.sink)) {
      yield* Effect.promise(() => import("./sink.ts"))
      return yield* Effect.never // it ends with its standard input
    }
    return yield* Ceiling.measure(input)
  }
  const mode = Option.getOrUndefined(input.mode)
  if (mode !== undefined && isHostile(mode)) {
    const { attack } = yield* Effect.promise(() => import("./attack.ts"))
    return exit(yield* attack(mode, input))
  }
  const ask = yield* Ask.make(input)
  if (Option.isSome(input.part)) {
    const part = Part.parse(input.part.value)
    if (part === undefined || process.send === undefined) {
      return yield* fail("--part is for the processes that --processes starts; give --processes instead")
    }
    const share = (ask: Ask.Ask): Ask.Ask => Ask.share(ask, part.index, part.of)
    return yield* Effect.provide(Part.serve(share, ask), Sockets.layer(ask.plan.sources))
  }
  yield* Outputs.check(input)
  const lacking = missing(ask.plan)
  if (lacking !== undefined) return yield* fail(lacking)
  const view = input.quiet ? View.none : View.make()
  // Whatever ends the program, the terminal has its cursor.
  process.on("exit", () => view.end())
  const signal = yield* Signals.listen((signal) => process.exit(Signals.exitCode(signal)))
  const made = yield* Effect.scoped(make(ask, view, Effect.asVoid(signal)))
  view.end()
  if (made.result === undefined) {
    say(made.dead[0] === undefined ? "No process has a result" : `Each process ${made.dead[0]}`)
    return exit(codes.failed)
  }
  const result = {
    ...made.result,
    thresholds: Threshold.checkAll(ask.search?.thresholds ?? ask.thresholds, made.result),
  }
  for (const how of made.dead) say(`A process ${how}; the result is that of the others`)
  exit(yield* tell(result, input, made.dead.length > 0))
})

/** Writes a result and says why it is none to be glad of. Returns the exit code. */
export const tell = Effect.fnUntraced(
  function* (result: Result, outputs: Parameters<typeof Outputs.write>[1], failed = false) {
    const problems = yield* Outputs.write(result, outputs)
    for (const problem of problems) say(problem)
    const { code, line } = verdictOf(result)
    if (line !== undefined) say(line)
    return code === codes.failed || failed || problems.length > 0 ? codes.failed : code
  },
)

const verdictOf = (result: Result): { readonly code: number; readonly line?: string } => {
  const { counts, errors, search, thresholds } = result
  const [worst] = Object.entries(errors.byKind).sort(([, one], [, other]) => other - one)
  const right = counts.replies - (errors.byKind["reply-wrong"] ?? 0)
  if (worst !== undefined && (counts.connections === 0 || (counts.sent > 0 && right <= 0))) {
    const [kind, count] = worst
    const { meaning, remedy: advice } = remedy(kind)
    const nothing = counts.connections === 0 ? "could not connect" : "no request was answered as it should be"
    const line = `${result.plan.target}: ${nothing} (${kind}, ${
      count === 1 ? "once" : `${Units.count(count)} times`
    }): ${meaning}; ${advice}`
    return { code: codes.failed, line }
  }
  if (search !== undefined) {
    if (search.rate !== undefined) return { code: codes.done }
    const code = { generator: codes.invalid, cut: codes.failed, runs: codes.failed, ceiling: codes.threshold }
    return { code: search.limit === "server" ? codes.threshold : code[search.limit], line: finding(search) }
  }
  if (!result.valid) return { code: codes.invalid, line: `The result is not valid: ${result.invalid.join("; ")}` }
  const missed = thresholds.filter(({ ok }) => !ok)
  if (missed.length === 0) return { code: codes.done }
  const what = missed.map(({ text, actual }) => `${text} (${actual})`).join(", ")
  return { code: codes.threshold, line: `The result misses ${what}` }
}

/** What came of it. */
interface Made {
  readonly result: Result | undefined
  /** Processes that died, and how. */
  readonly dead: ReadonlyArray<string>
}

const make = Effect.fnUntraced(function* (ask: Ask.Ask, view: View.View, stop: Effect.Effect<void>) {
  const parts = ask.processes === 1 ? undefined : yield* partsOf(ask.processes)
  const once = (at?: { readonly rate: number; readonly duration: number }): Effect.Effect<Result | undefined> => {
    const one = at === undefined ? ask : Ask.atRate(ask, at.rate, at.duration)
    const watch: Local.Watch = {
      // Of a churn, connections are what is measured.
      ready: (count) =>
        Effect.sync(() => {
          if (one.plan.mode !== "churn") view.connected(count)
        }),
      second: (second) => view.second(second),
      stop,
    }
    view.begin(course(one))
    return parts === undefined
      ? Effect.provide(Local.run(one, watch), Sockets.layer(one.plan.sources))
      : parts.run(one, at, watch)
  }
  const dead = parts?.dead ?? []
  if (ask.search === undefined) return { result: yield* once(), dead } satisfies Made
  const { search } = ask
  const found = yield* Effect.option(FindMax.findMax(
    {
      ...search,
      onTrial: ({ rate, outcome, confirmation, thresholds }) =>
        view.note(
          [
            Units.rate(rate).padStart(12),
            outcome === "generator" ? "generator late" : outcome,
            ...confirmation ? ["confirmation"] : [],
            ...thresholds.map(({ text, actual }) => `${text}: ${actual}`),
          ].join("  "),
        ),
    },
    (rate, duration) => Effect.flatMap(once({ rate, duration }), (result) => Effect.fromNullishOr(result)),
  ))
  if (Option.isNone(found) || found.value.result === undefined) return { result: undefined, dead } satisfies Made
  const { result, ...rest } = found.value
  return { result: { ...result, search: rest }, dead } satisfies Made
})

const partsOf = Effect.fnUntraced(function* (count: number) {
  const again = program("--processes", false)
  if ("problem" in again) return yield* fail(again.problem)
  return yield* Parts.make(
    Array.from(
      { length: count },
      (_, index) => [...again, ...argumentsWith("--processes", `--part=${Part.format(index, count)}`)],
    ),
  )
})

const course = ({ plan, framing, processes }: Ask.Ask): View.Course => {
  const [stage] = plan.stages
  const rate = stage === undefined
    ? ""
    : plan.stages.length === 1 && stage.from === stage.to
    ? ` at ${Units.rate(stage.from)}`
    : ` in ${plan.stages.length === 1 ? "a stage" : `${plan.stages.length} stages`}`
  const connections = `${Units.count(plan.connections)} connection${plan.connections === 1 ? "" : "s"}`
  const by = processes === 1 ? "" : `, ${processes} processes`
  return {
    title: `${plan.target.url}  ${plan.mode}${rate}, ${connections}, ${framing}${by}`,
    warmup: plan.warmup,
    duration: plan.duration,
    connections: plan.connections,
  }
}

/** What went wrong, as all commands say it. */
const say = (line: string): void => void process.stderr.write(`anyport: ${line.replace(/\s+/g, " ")}\n`)

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
