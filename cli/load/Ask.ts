/**
 * What was asked for, read and checked: a plan, and what becomes of its result. Everything that can be wrong with flags is
 * found here, before anything is sent, and said in one line.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { availableParallelism } from "node:os"
import * as Beat from "../../load/Beat.ts"
import * as Expectation from "../../load/Expectation.ts"
import * as FindMax from "../../load/FindMax.ts"
import * as Fit from "../../load/Fit.ts"
import * as Framing from "../../load/Framing.ts"
import * as Hello from "../../load/Hello.ts"
import * as Messages from "../../load/Messages.ts"
import type { Mode, Plan } from "../../load/Plan.ts"
import { Random } from "../../load/Random.ts"
import { constant, Schedule, type Stage } from "../../load/Schedule.ts"
import type { Simulation } from "../../load/Simulation.ts"
import * as Sources from "../../load/Sources.ts"
import * as Stages from "../../load/Stages.ts"
import * as Target from "../../load/Target.ts"
import * as Threshold from "../../load/Threshold.ts"
import type { UsageError } from "../UsageError.ts"
import type { Input } from "./flags.ts"
import { checked, contentOf, defaults, fail, isGiven, rateOf, sizeOf, sourcesOf, timeOf } from "./Given.ts"
import * as Module from "./simulation.ts"

/** What was asked for. */
export interface Ask {
  readonly plan: Plan
  /** Clients of a module play it, and not the messages of the plan. */
  readonly simulation: Simulation | undefined
  /** As they were asked for, for the result. */
  readonly framing: string
  readonly message: string
  readonly thresholds: ReadonlyArray<Threshold.Threshold>
  /** The highest rate is searched for. */
  readonly search: Search | undefined
  readonly processes: number
}

/** How the highest rate is searched for. All times in milliseconds. */
export interface Search {
  readonly thresholds: ReadonlyArray<Threshold.Threshold>
  readonly start: number
  readonly trial: number
  readonly confirmation: number
}

/** A trial of a search is so much shorter than its confirmation. */
const trialsInConfirmation = 6

/** What the flags ask for. */
export const make = Effect.fnUntraced(function* (input: Input): Effect.fn.Return<Ask, UsageError> {
  if (Option.isNone(input.target)) {
    return yield* fail(`There is nothing to load: give ${Target.accepted}, or a module such as ./sim.ts`)
  }
  if (Module.isModule(input.target.value)) return yield* ofModule(input.target.value, input)
  if (Option.isSome(input.against)) {
    return yield* fail(`${input.against.value} is one server too many, beside ${input.target.value}`)
  }
  const mode = yield* modeOf(input)
  const together = wrongTogether(input, mode)
  if (together !== undefined) return yield* fail(together)
  const target = yield* checked(Target.parse(input.target.value))
  const expect = yield* Option.match(input.expect, {
    onNone: () => Effect.succeed({ _tag: "Any" } as const),
    onSome: (text) => checked(Expectation.parse(text), "--expect"),
  })
  const maxFrame = yield* sizeOf(input.maxFrame, "--max-frame")
  const framing = yield* checked(
    Framing.parse(Option.getOrUndefined(input.framing), target, {
      expect,
      ...maxFrame === undefined ? {} : { maxFrame },
    }),
    "--framing",
  )
  const seed = Option.getOrElse(input.seed, () => defaults.seed)
  const { content, message } = yield* contentOf(input, framing, seed)
  const hello = yield* Option.match(input.hello, {
    onNone: () => Effect.succeed(undefined),
    onSome: (text) => checked(Hello.parse(text, Option.getOrUndefined(input.helloExpect)), "--hello"),
  })
  const beat = yield* Option.match(input.heartbeat, {
    onNone: () => Effect.succeed(undefined),
    onSome: (text) => checked(Beat.parse(text), "--heartbeat"),
  })
  const sources = yield* sourcesOf(input.sourceAddress)
  const inFlight = Option.getOrElse(input.inFlight, () => defaults.inFlight)
  const misfit = Fit.problemOf({ target, framing, content, expect, hello, beat, sources, mode, inFlight })
  if (misfit !== undefined) return yield* fail(misfit)

  const search = yield* searchOf(input)
  const given = yield* timeOf(input.duration, "--duration")
  const stages = yield* stagesOf(input, given ?? defaults.duration)
  const plan: Plan = {
    ...yield* timesOf(input),
    target,
    sources,
    framing: framing.codec,
    mode,
    inFlight,
    stages,
    polls: mode === "open" && pollsOf(input),
    duration: stages.length === 0 ? given ?? defaults.duration : new Schedule(stages).duration,
    think: (yield* timeOf(input.think, "--think", true)) ?? 0,
    messages: content,
    expect,
    hello,
    beat,
    connectTimeout: (yield* timeOf(input.connectTimeout, "--connect-timeout")) ?? defaults.connectTimeout,
    seed,
  }
  return {
    plan,
    simulation: undefined,
    framing: framing.name,
    message,
    thresholds: yield* thresholdsOf(input.threshold),
    search,
    processes: yield* processesOf(input, plan),
  }
})

/** What means something to clients of a module as well. */
const timesOf = Effect.fnUntraced(function* (input: Input) {
  const connectRate = yield* rateOf(input.connectRate, "--connect-rate")
  return {
    connections: Option.getOrElse(input.connections, () => defaults.connections),
    connecting: defaults.connecting,
    ...connectRate === undefined ? {} : { connectRate },
    warmup: (yield* timeOf(input.warmup, "--warmup", true)) ?? defaults.warmup,
    grace: (yield* timeOf(input.grace, "--grace", true)) ?? defaults.grace,
    reconnect: true,
  }
})

const processesOf = (input: Input, { connections }: Plan): Effect.Effect<number, UsageError> => {
  const processes = Option.getOrElse(input.processes, () => 1)
  return processes > connections
    ? fail(`--processes ${processes} share ${connections} connections; give --connections ${processes}`)
    : Effect.succeed(processes)
}

/** Whether the moments of an open run are polled for: where nothing is said, if that takes nobody's core away. */
const pollsOf = ({ pace, processes }: Input): boolean =>
  Option.match(pace, {
    onNone: () => Option.getOrElse(processes, () => 1) < availableParallelism(),
    onSome: (pace) => pace === "poll",
  })

/** What flags ask of the clients of a module. */
const ofModule = Effect.fnUntraced(function* (module: string, input: Input): Effect.fn.Return<Ask, UsageError> {
  const other = [...meant, ...ofMessages].find(([name]) => isGiven(input, name))
  if (other !== undefined) return yield* fail(`${other[1]} is not for a simulation: ${module} says that itself`)
  const given = yield* timeOf(input.duration, "--duration")
  const times = yield* timesOf(input)
  const sources = yield* sourcesOf(input.sourceAddress)
  const thresholds = yield* thresholdsOf(input.threshold)
  const against = yield* Option.match(input.against, {
    onNone: () => Effect.succeed(undefined),
    onSome: (text) => checked(Target.parse(text)),
  })
  const simulation = yield* Module.load(module)
  const target = against ?? simulation.target
  if (target === undefined) {
    return yield* fail(`${module} names no server; give one behind it: ${Target.accepted}`)
  }
  const misfit = Sources.wrong(sources, target)
  if (misfit !== undefined) return yield* fail(misfit)
  const plan: Plan = {
    ...times,
    target,
    sources,
    duration: given ?? defaults.duration,
    seed: Option.getOrElse(input.seed, () => defaults.seed),
    // What a client does is its own, and of one kind: what it asks next depends on what came before.
    mode: "closed",
    inFlight: 1,
    stages: [],
    framing: () => {
      throw new Error("A simulation has a codec of its own")
    },
    think: 0,
    messages: Messages.constant(new Uint8Array(0)),
    expect: { _tag: "Any" },
    hello: undefined,
    beat: undefined,
    connectTimeout: defaults.connectTimeout,
  }
  return {
    plan,
    simulation,
    framing: "client module",
    message: module,
    thresholds,
    search: undefined,
    processes: yield* processesOf(input, plan),
  }
})

/** The part of what was asked for that one of several processes does: together they do all of it. */
export const share = (ask: Ask, index: number, of: number): Ask => {
  const { plan } = ask
  const first = Math.floor((plan.connections * index) / of)
  const { connectRate, messages, seed } = plan
  const { simulation } = ask
  return {
    ...ask,
    // Connections are numbered as they would be in one process.
    simulation: simulation === undefined ? undefined : {
      ...simulation,
      live: (stage, cues, context) => {
        const connection = first + context.connection
        return simulation.live(stage, cues, { ...context, connection, seed: new Random(seed, connection).uint32() })
      },
    },
    plan: {
      ...plan,
      connections: Math.floor((plan.connections * (index + 1)) / of) - first,
      stages: plan.stages.map(({ from, to, duration }) => ({ from: from / of, to: to / of, duration })),
      phase: (of - 1 - index) / of,
      ...connectRate === undefined ? {} : { connectRate: connectRate / of },
      messages: { ...messages, next: (connection) => messages.next(first + connection) },
    },
  }
}

/** The same at another rate for another time, in milliseconds. */
export const atRate = (ask: Ask, rate: number, duration: number): Ask => ({
  ...ask,
  plan: { ...ask.plan, stages: constant(rate, duration), duration },
})

/** The thresholds that flags say. */
export const thresholdsOf = (
  texts: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<Threshold.Threshold>, UsageError> =>
  Effect.map(
    Effect.forEach(texts, (text) => checked(Threshold.parse(text), "--threshold")),
    (thresholds) => thresholds.flat(),
  )

// ── What goes together ─────────────────────────────────────────────────────────────────────────────────────────────

const modeOf = (input: Input): Effect.Effect<Mode, UsageError> => {
  const rated = Option.isSome(input.rate) || Option.isSome(input.stages) || Option.isSome(input.findMax)
  const mode = Option.getOrElse(input.mode, () => rated ? "open" as const : "closed" as const)
  switch (mode) {
    case "closed":
    case "open":
    case "idle":
    case "churn":
    case "flood":
      return Effect.succeed(mode)
    default:
      return fail(`--mode ${mode} attacks; it is no run that is measured`) // `attack.ts` has those
  }
}

/** Which modes a flag means something in; all others refuse it, rather than to ignore it. */
const meant: ReadonlyArray<readonly [name: keyof Input, flag: string, modes: ReadonlyArray<Mode>]> = [
  ["rate", "--rate", ["open"]],
  ["stages", "--stages", ["open"]],
  ["findMax", "--find-max", ["open"]],
  ["pace", "--pace", ["open"]],
  ["inFlight", "--in-flight", ["closed", "open"]],
  ["think", "--think", ["closed"]],
  ["message", "--message", ["closed", "open", "churn", "flood"]],
  ["messageFile", "--message-file", ["closed", "open", "churn", "flood"]],
  ["expect", "--expect", ["closed", "open", "churn", "flood"]],
  ["heartbeat", "--heartbeat", ["closed", "open", "idle", "flood"]],
]

/** Flags that say what a module says itself, besides. */
const ofMessages: ReadonlyArray<readonly [name: keyof Input, flag: string]> = [
  ["mode", "--mode"],
  ["hello", "--hello"],
  ["helloExpect", "--hello-expect"],
  ["framing", "--framing"],
  ["maxFrame", "--max-frame"],
  ["connectTimeout", "--connect-timeout"],
]

/** Flags of which one says what the other does. */
const either: ReadonlyArray<readonly [keyof Input, string, keyof Input, string]> = [
  ["rate", "--rate", "stages", "--stages"],
  ["duration", "--duration", "stages", "--stages"],
  ["findMax", "--find-max", "stages", "--stages"],
  ["message", "--message", "messageFile", "--message-file"],
]

const wrongTogether = (input: Input, mode: Mode): string | undefined => {
  const given = (name: keyof Input): boolean => isGiven(input, name)
  for (const [name, flag, modes] of meant) {
    if (!modes.includes(mode) && given(name)) {
      return `${flag} is for --mode ${modes.join(" or ")}, and not for ${mode}`
    }
  }
  for (const [one, first, other, second] of either) {
    if (given(one) && given(other)) return `${first} excludes ${second}; give one or the other`
  }
  if (mode === "open" && !given("rate") && !given("stages") && !given("findMax")) {
    return "--mode open wants a rate; give --rate 1000, --stages or --find-max"
  }
  if (given("findMax") && input.threshold.length > 0) {
    return "--find-max says what has to hold; leave out --threshold"
  }
  if (given("helloExpect") && !given("hello")) return "--hello-expect is the answer to --hello; give that too"
  if (input.iOwnThisTarget) return `--i-own-this-target is for hostile modes, and not for ${mode}`
  return undefined
}

// ── What single flags say ──────────────────────────────────────────────────────────────────────────────────────────

const searchOf = Effect.fnUntraced(function* (input: Input): Effect.fn.Return<Search | undefined, UsageError> {
  if (Option.isNone(input.findMax)) return undefined
  const confirmation = (yield* timeOf(input.duration, "--duration")) ?? FindMax.defaults.confirmation
  return {
    thresholds: yield* checked(Threshold.parse(input.findMax.value), "--find-max"),
    start: (yield* rateOf(input.rate, "--rate")) ?? FindMax.defaults.start,
    trial: confirmation / trialsInConfirmation,
    confirmation,
  }
})

const stagesOf = Effect.fnUntraced(function* (
  input: Input,
  duration: number,
): Effect.fn.Return<ReadonlyArray<Stage>, UsageError> {
  if (Option.isSome(input.stages)) return yield* checked(Stages.parse(input.stages.value), "--stages")
  const rate = yield* rateOf(input.rate, "--rate")
  if (rate === undefined) return []
  const stages = constant(rate, duration)
  return new Schedule(stages).total > 0
    ? stages
    : yield* fail(`--rate ${rate} has no request in ${duration} ms; give a higher rate or a longer --duration`)
})
