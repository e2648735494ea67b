/**
 * What the flags of `anyport bench` mean together, read and checked before anything is measured.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { statSync } from "node:fs"
import { basename, resolve } from "node:path"
import { all, type Draft, generators, own } from "../../bench/Scenarios.ts"
import { type RuntimeName, Scenario } from "../../bench/Result.ts"
import { UsageError } from "../UsageError.ts"
import type { Input } from "./flags.ts"

/** What is to be compared. */
export interface Ask {
  readonly kind: "runtimes" | "service" | "generators"
  readonly quick: boolean
  readonly only: ReadonlyArray<string>
  /** Undefined for all three. */
  readonly runtimes: ReadonlyArray<RuntimeName> | undefined
  readonly versions: ReadonlyArray<string>
  readonly custom: ReadonlyArray<string>
  readonly own: { readonly service: string; readonly client: string } | undefined
  readonly seed: number | undefined
  readonly seconds: number | undefined
  readonly trials: number | undefined
}

/** What was asked for. */
export const make = Effect.fnUntraced(function* (input: Input): Effect.fn.Return<Ask, UsageError> {
  const { quick, only, contender: custom } = input
  for (const one of only) {
    if (!names.includes(one) && !cells.includes(one)) {
      return yield* fail(`--only: Expected ${names.join(", ")} or a cell such as ${cells[0]}, got ${one}`)
    }
  }
  const chosen: Array<RuntimeName> = []
  const versions: Array<string> = []
  for (const one of input.runtime) {
    if (isRuntime(one)) chosen.push(one)
    else if (/^(node|bun|deno)@[^=]+=./.test(one)) versions.push(one)
    else return yield* fail(`--runtime: Expected node, bun, deno, or another version as bun@1.3=PATH, got ${one}`)
  }
  const [service, client] = [Option.getOrUndefined(input.service), Option.getOrUndefined(input.client)]
  if ((service === undefined) !== (client === undefined)) {
    const [given, wanted] = service === undefined ? ["--client", "--service"] : ["--service", "--client"]
    return yield* fail(`${given} ${service ?? client}: it wants ${wanted} beside it`)
  }
  const kind = input.generators ? "generators" : service === undefined ? "runtimes" : "service"
  const excluded = kind === "runtimes"
    ? undefined
    : only.length > 0
    ? "--only"
    : custom.length > 0
    ? "--contender"
    : undefined
  if (input.generators && service !== undefined) return yield* fail("--generators: it excludes --service")
  if (excluded !== undefined) return yield* fail(`--${kind}: it excludes ${excluded}`)
  for (const [flag, module] of [["--service", service], ["--client", client]] as const) {
    if (module !== undefined && !isFile(module)) {
      return yield* fail(`${flag} ${module}: there is no file ${resolve(module)}`)
    }
  }
  const seconds = Option.getOrUndefined(input.seconds)
  if (seconds !== undefined && !(Number(seconds) > 0 && Number(seconds) <= 60)) {
    return yield* fail(`--seconds: Expected a number up to 60, got ${seconds}`)
  }
  const trials = Option.getOrUndefined(input.trials)
  if (trials !== undefined && !(trials >= 1 && trials <= 100)) {
    return yield* fail(`--trials: Expected a number from 1 to 100, got ${trials}`)
  }
  return {
    kind,
    quick,
    only,
    runtimes: chosen.length === 0 ? undefined : chosen,
    versions,
    custom,
    own: service === undefined || client === undefined ? undefined : { service, client },
    seed: Option.getOrUndefined(input.seed),
    seconds: seconds === undefined ? undefined : Number(seconds),
    trials,
  }
})

/** The cells among which the plan chooses. `cores`: how many CPUs servers may have. */
export const draftsOf = (ask: Ask, cores: number): ReadonlyArray<Draft> =>
  ask.kind === "generators"
    ? generators
    : ask.own === undefined
    ? all(cores)
    : [own(basename(ask.own.service), basename(ask.own.client))]

const names: ReadonlyArray<string> = Scenario.literals.filter((name) => name !== "generator")

const cells = all(Infinity).map(({ cell }) => cell.id)

const isRuntime = (text: string): text is RuntimeName => text === "node" || text === "bun" || text === "deno"

const isFile = (path: string): boolean => statSync(resolve(path), { throwIfNoEntry: false })?.isFile() === true

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
