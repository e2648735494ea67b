/**
 * What single flags say, read and checked; what is wrong with one is said with its name.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { readFileSync, statSync } from "node:fs"
import { resolve } from "node:path"
import * as Duration from "../../core/Duration.ts"
import * as Framing from "../../load/Framing.ts"
import * as MessageFile from "../../load/MessageFile.ts"
import { isProblem, type Problem } from "../../load/Problem.ts"
import * as Sources from "../../load/Sources.ts"
import * as Stages from "../../load/Stages.ts"
import * as Template from "../../load/Template.ts"
import * as Permissions from "../../ops/permissions.ts"
import * as Size from "../size.ts"
import { UsageError } from "../UsageError.ts"
import type { Input } from "./flags.ts"

/** What applies where nothing is said. All times in milliseconds. */
export const defaults = {
  connections: 50,
  inFlight: 1,
  duration: 10_000,
  warmup: 1_000,
  connectTimeout: 5_000,
  grace: 2_000,
  /** Connections that are being made at once: fewer than most servers' queue of new ones holds. */
  connecting: 100,
  messageBytes: 64,
  seed: 1,
} as const

/** Of any time that is given, in milliseconds. */
const longest = 86_400_000
/** Of a file of messages, in bytes. */
const largestFile = 256 * 1_024 * 1_024
/** Whether something was said. */
export const isGiven = (input: Input, name: keyof Input): boolean => {
  const value = input[name]
  return typeof value === "object" && "_tag" in value && value._tag === "Some"
}

/** Addresses to connect from. */
export const sourcesOf = (text: Option.Option<string>): Effect.Effect<ReadonlyArray<string>, UsageError> =>
  Option.match(text, {
    onNone: () => Effect.succeed<ReadonlyArray<string>>([]),
    onSome: (text) => checked(Sources.parse(text), "--source-address"),
  })

/** What requests say, and how that is written in a result. */
export const contentOf = Effect.fnUntraced(function* (
  { message, messageFile }: Input,
  framing: Framing.Framing,
  seed: number,
) {
  if (Option.isSome(messageFile)) {
    const file = messageFile.value
    const content = yield* checked(MessageFile.parse(yield* read(file), framing), `--message-file ${file}`)
    return { content, message: `file ${file}` }
  }
  const fixed = /^fixed:(\d+)$/.exec(framing.name)?.[1]
  const template = Option.getOrElse(message, () => `{size:${fixed ?? defaults.messageBytes}}`)
  return { content: yield* checked(Template.parse(template, { seed }), "--message"), message: template }
})

const read = (file: string): Effect.Effect<Uint8Array, UsageError> =>
  Effect.suspend(() => {
    const path = resolve(file)
    const permission = { name: "read", path } as const
    if (!Permissions.granted(permission)) {
      return fail(`--message-file: reading ${path} was not allowed; run deno with ${Permissions.flag(permission)}`)
    }
    try {
      const { size } = statSync(path)
      if (size > largestFile) {
        return fail(`--message-file: Expected a file of at most ${largestFile} bytes, got ${size} in ${path}`)
      }
      return Effect.succeed(readFileSync(path))
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined
      return fail(`--message-file: ${code === "ENOENT" ? `there is no file ${path}` : String(error)}`)
    }
  })

/** Milliseconds; undefined where nothing was said. */
export const timeOf = (
  text: Option.Option<string>,
  flag: string,
  none = false,
): Effect.Effect<number | undefined, UsageError> => {
  if (Option.isNone(text)) return Effect.succeed(undefined)
  const millis = Duration.parse(text.value)
  if (millis === Infinity && none) return Effect.succeed(0)
  return millis === undefined || millis > longest
    ? fail(
      `${flag}: Expected a duration up to 24h such as 250ms, 30s or 5m${none ? ", or off" : ""}, got ${text.value}`,
    )
    : Effect.succeed(millis)
}

/** Of a second; undefined where nothing was said. */
export const rateOf = (text: Option.Option<string>, flag: string): Effect.Effect<number | undefined, UsageError> =>
  Option.isNone(text) ? Effect.succeed(undefined) : checked(Stages.parseRate(text.value), flag)

/** Bytes; undefined where nothing was said. */
export const sizeOf = (text: Option.Option<string>, flag: string): Effect.Effect<number | undefined, UsageError> => {
  if (Option.isNone(text)) return Effect.succeed(undefined)
  const bytes = Size.parse(text.value)
  return bytes === undefined || bytes > Framing.largest
    ? fail(`${flag}: Expected a size up to ${Framing.largest} bytes such as 512, 64KiB or 1MiB, got ${text.value}`)
    : Effect.succeed(bytes)
}

/** What was read, or the usage error that says where it stands and what is wrong. */
export const checked = <A>(value: A | Problem, flag?: string): Effect.Effect<A, UsageError> =>
  isProblem(value) ? fail(flag === undefined ? value.problem : `${flag}: ${value.problem}`) : Effect.succeed(value)

/** Bad usage. */
export const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
