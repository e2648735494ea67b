/**
 * `anyport load --self-test`: what the generator reaches on this machine, in a table.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import process from "node:process"
import * as Duration from "../../core/Duration.ts"
import * as Units from "../../load/Units.ts"
import { granted } from "../../ops/permissions.ts"
import { argumentsWith, program } from "../../ops/workers/Command.ts"
import { UsageError } from "../UsageError.ts"
import type { Input } from "./flags.ts"
import { type Ceiling, selfTest } from "./selfTest.ts"
import * as Sockets from "./sockets.ts"

/** What makes this program the sink. */
export const sink = "sink"

/** Measures the generator and says what it found. */
export const measure = Effect.fnUntraced(function* (input: Input) {
  const other = (Object.keys(input) as Array<keyof Input>) // its own keys
    .find((name) => !allowed.has(name) && isGiven(input[name]))
  if (other !== undefined) {
    return yield* fail(`--self-test has a server and requests of its own; of ${named(other)} it takes nothing`)
  }
  const duration = Option.map(input.duration, (text) => Duration.parse(text))
  if (Option.isSome(duration) && (duration.value === undefined || duration.value === Infinity)) {
    return yield* fail(`--duration: Expected a duration such as 3s, got ${Option.getOrElse(input.duration, () => "")}`)
  }
  const again = program("--self-test", false)
  if ("problem" in again) return yield* fail(again.problem)
  if (!granted({ name: "net", host: "127.0.0.1" })) {
    return yield* fail("--self-test listens on a free port and connects to it: Deno wants --allow-net=127.0.0.1")
  }
  const json = Option.isSome(input.json)
  if (!json) process.stdout.write(row(["", "a second", "CPU each", "of a core", "p50", "p99"]))
  const found = yield* Effect.provide(
    selfTest({
      command: () => [...again, ...argumentsWith("--self-test", `--part=${sink}`)],
      ...Option.isSome(duration) ? { duration: duration.value! } : {}, // as above
      ...Option.isSome(input.connections) ? { connections: input.connections.value } : {},
      onCeiling: (ceiling) => {
        if (!json) process.stdout.write(row(cells(ceiling)))
      },
    }),
    Sockets.layer([]),
  )
  process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : `\n${found.runtime}\n`)
})

const allowed: ReadonlySet<keyof Input> = new Set(["selfTest", "json", "duration", "connections", "quiet", "part"])

const isGiven = (value: Input[keyof Input]): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : typeof value === "boolean"
    ? value
    : "_tag" in value && value._tag === "Some"

const named = (name: string): string =>
  name === "target" || name === "against"
    ? "a server"
    : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const cells = ({ name, rate, cpu, share, p50, p99 }: Ceiling): ReadonlyArray<string> => [
  name,
  Units.count(Math.round(rate)),
  Units.latency(cpu),
  Units.share(share),
  Units.latency(p50),
  Units.latency(p99),
]

const row = ([first = "", ...rest]: ReadonlyArray<string>): string =>
  `${first.padEnd(26)}${rest.map((cell) => cell.padStart(12)).join("")}\n`

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
