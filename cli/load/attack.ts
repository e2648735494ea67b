/**
 * `anyport load --mode slowloris` and the others that do harm: reads what was asked for, attacks, and says what came of it.
 * Exit codes: 0 done · 1 nobody could be connected to.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import process from "node:process"
import * as Framing from "../../load/Framing.ts"
import * as Hostile from "../../load/hostile/Hostile.ts"
import { json, summary } from "../../load/hostile/Summary.ts"
import { remedy } from "../../load/Remedy.ts"
import * as Sources from "../../load/Sources.ts"
import * as Target from "../../load/Target.ts"
import * as Signals from "../../ops/signals.ts"
import type { UsageError } from "../UsageError.ts"
import { cpu } from "./cpu.ts"
import type { Input } from "./flags.ts"
import { checked, contentOf, defaults, fail, isGiven, sizeOf, sourcesOf, timeOf } from "./Given.ts"
import * as Outputs from "./outputs.ts"
import { missing } from "./permitted.ts"
import * as Sockets from "./sockets.ts"

/** Attacks. Returns the exit code. */
export const attack = Effect.fnUntraced(function* (mode: Hostile.HostileMode, input: Input) {
  const plan = yield* planOf(mode, input)
  yield* Outputs.check(input)
  const lacking = missing(plan)
  if (lacking !== undefined) return yield* fail(lacking)
  const signal = yield* Signals.listen((signal) => process.exit(Signals.exitCode(signal)))
  const outcome = yield* Effect.provide(
    Hostile.run(plan, { cpu, stop: Effect.asVoid(signal) }),
    Sockets.layer(plan.sources),
  )
  const problems = yield* Outputs.tell(input, {
    json: () => json(plan.target.url, outcome),
    text: () => summary(plan.target.url, outcome),
  })
  for (const problem of problems) say(problem)
  if (outcome.connections > 0) return problems.length > 0 ? 1 : 0
  const [[kind] = ["connect-failed" as const]] = [...outcome.failures]
  const { meaning, remedy: advice } = remedy(kind)
  say(`${plan.target.url}: could not connect (${kind}): ${meaning}; ${advice}`)
  return 1
})

const planOf = Effect.fnUntraced(function* (
  mode: Hostile.HostileMode,
  input: Input,
): Effect.fn.Return<Hostile.HostilePlan, UsageError> {
  if (Option.isNone(input.target)) return yield* fail(`There is nothing to attack: give ${Target.accepted}`)
  const other = others.find(([name]) => isGiven(input, name))
  if (other !== undefined) return yield* fail(`${other[1]} means nothing to --mode ${mode}; leave it out`)
  if (input.threshold.length > 0) return yield* fail(`--threshold means nothing to --mode ${mode}; leave it out`)
  const target = yield* checked(Target.parse(input.target.value))
  const guarded = Hostile.guard(target, input.iOwnThisTarget)
  if (guarded !== undefined) return yield* fail(guarded)
  const maxFrame = yield* sizeOf(input.maxFrame, "--max-frame")
  const framing = yield* checked(
    Framing.parse(Option.getOrUndefined(input.framing), target, maxFrame === undefined ? {} : { maxFrame }),
    "--framing",
  )
  const sources = yield* sourcesOf(input.sourceAddress)
  const misfit = Sources.wrong(sources, target)
  if (misfit !== undefined) return yield* fail(misfit)
  const seed = Option.getOrElse(input.seed, () => defaults.seed)
  const { content } = yield* contentOf(input, framing, seed)
  const message = content.next(0).slice()
  const refused = framing.refuses(message)
  if (refused !== undefined) return yield* fail(`--message: ${refused}`)
  const connections = Option.getOrElse(input.connections, () => defaults.connections)
  const duration = (yield* timeOf(input.duration, "--duration")) ?? defaults.duration
  if (connections > Hostile.bounds.connections) {
    return yield* fail(
      `--connections: Expected 1 to ${Hostile.bounds.connections} of a hostile mode, got ${connections}`,
    )
  }
  if (duration > Hostile.bounds.duration) {
    return yield* fail(`--duration: Expected at most 1h of a hostile mode, got ${duration} ms`)
  }
  const connectTimeout = (yield* timeOf(input.connectTimeout, "--connect-timeout")) ?? defaults.connectTimeout
  return { target, sources, framing, mode, connections, duration, message, connectTimeout, seed }
})

/** Flags of runs that are measured. */
const others: ReadonlyArray<readonly [name: keyof Input, flag: string]> = [
  ["against", "a second server"],
  ["inFlight", "--in-flight"],
  ["rate", "--rate"],
  ["warmup", "--warmup"],
  ["stages", "--stages"],
  ["findMax", "--find-max"],
  ["hello", "--hello"],
  ["helloExpect", "--hello-expect"],
  ["messageFile", "--message-file"],
  ["heartbeat", "--heartbeat"],
  ["expect", "--expect"],
  ["think", "--think"],
  ["connectRate", "--connect-rate"],
  ["grace", "--grace"],
  ["pace", "--pace"],
  ["processes", "--processes"],
  ["report", "--report"],
  ["hgrm", "--hgrm"],
]

const say = (line: string): void => void process.stderr.write(`anyport: ${line.replace(/\s+/g, " ")}\n`)
