/**
 * What the generator can do at most: it is run against a sink that gives every byte back, in a process of its own on the
 * same runtime. What it reaches there no server can be measured beyond.
 *
 * The sink needs a core of its own; where there is none, the two share, and the figures say less.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { performance } from "node:perf_hooks"
import process from "node:process"
import * as readline from "node:readline"
import { fileURLToPath } from "node:url"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Sockets } from "../../core/Sockets.ts"
import { constant } from "../../load/Messages.ts"
import type { Plan } from "../../load/Plan.ts"
import { type Outcome, run } from "../../load/Run.ts"
import * as Schedule from "../../load/Schedule.ts"
import { type Verdict, verdict } from "../../load/Verdict.ts"
import { cpu } from "./cpu.ts"

/** One way of making load, as far as it went. Latencies in microseconds. */
export interface Ceiling {
  /** Such as `closed, 16 in flight`. */
  readonly name: string
  /** Replies a second. */
  readonly rate: number
  /** CPU time of the generator for one, in microseconds. */
  readonly cpu: number
  /** What of one core the generator used. */
  readonly share: number
  readonly p50: number
  readonly p99: number
  readonly verdict: Verdict
}

/** What the generator reaches on this machine. */
export interface SelfTest {
  readonly runtime: string
  readonly ceilings: ReadonlyArray<Ceiling>
}

/** The sink did not start. */
export class SinkError extends Data.TaggedError("SinkError")<{ readonly cause: unknown }> {
  override get message(): string {
    return `Cannot start the sink: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** How it is done. All times in milliseconds. */
export interface Options {
  /** Of each of the measurements, behind a tenth of it that is not measured. Default 3,000. */
  readonly duration?: number
  /** Default 50. */
  readonly connections?: number
  /** The command that runs a program on this runtime with the permission to listen on 127.0.0.1. Default {@link command}. */
  readonly command?: (program: string) => ReadonlyArray<string>
  /** Is told of each ceiling as soon as it is known. */
  readonly onCeiling?: (ceiling: Ceiling) => void
}

/** Runs a program as this process was run, with no more permissions than a sink needs. */
export const command = (program: string): ReadonlyArray<string> =>
  process.versions["deno"] === undefined
    ? [process.execPath, program]
    : [process.execPath, "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", program]

/**
 * Measures the generator: closed with 16 and with 1 in flight, and open at half of what that gave. On Deno it wants
 * `--allow-run` of Deno itself, and `--allow-net=127.0.0.1`.
 */
export const selfTest = (options: Options = {}): Effect.Effect<SelfTest, SinkError, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    // One that was given may need the environment; on Deno reading it wants a permission, which a sink needs not.
    const port = yield* sink(options.command ?? command, options.command === undefined)
    const base = plan(port, options.connections ?? 50, options.duration ?? 3_000)
    const ceilings: Array<Ceiling> = []
    const measure = Effect.fnUntraced(function* (name: string, plan: Plan) {
      const outcome = yield* run(plan, { cpu, now: () => performance.now() })
      const ceiling = summary(name, plan, outcome)
      ceilings.push(ceiling)
      options.onCeiling?.(ceiling)
      return ceiling
    })
    yield* measure("closed, 16 in flight", { ...base, inFlight: 16 })
    const one = yield* measure("closed, 1 in flight", base)
    const rate = Math.max(1, Math.round(one.rate / 2))
    const stages = Schedule.constant(rate, base.duration)
    yield* measure(`open, ${rate} a second`, {
      ...base,
      mode: "open",
      inFlight: Infinity,
      stages,
      polls: availableParallelism() > 1,
    })
    return { runtime, ceilings }
  }))

const runtime = ["bun", "deno", "node"].filter((name) => process.versions[name] !== undefined)
  .map((name) => `${name} ${process.versions[name]}`)[0]!

const summary = (name: string, plan: Plan, outcome: Outcome): Ceiling => {
  const { cpu, measured, total } = outcome
  return {
    name,
    rate: measured === 0 ? 0 : (1_000 * total.replies) / measured,
    cpu: (1_000 * cpu) / Math.max(1, total.replies),
    share: measured === 0 ? 0 : cpu / measured,
    p50: total.response.getValueAtPercentile(50),
    p99: total.response.getValueAtPercentile(99),
    verdict: verdict(plan.mode, outcome),
  }
}

/** A line of 64 bytes with its end. */
const message = new Uint8Array(63).fill("x".charCodeAt(0))

const plan = (port: number, connections: number, duration: number): Plan => ({
  target: { url: `tcp://127.0.0.1:${port}`, address: Address.tcp("127.0.0.1", port), webSocket: undefined },
  sources: [],
  framing: () => Lines.bytes({ maxLength: 1_024 }),
  mode: "closed",
  connections,
  inFlight: 1,
  stages: [],
  warmup: duration / 10,
  duration,
  think: 0,
  messages: constant(message),
  expect: { _tag: "Echo", prefix: new Uint8Array(0) },
  hello: undefined,
  beat: undefined,
  connectTimeout: 5_000,
  grace: 1_000,
  connecting: connections,
  reconnect: false,
  seed: 1,
})

/** Starts the sink, and gives its port; it is ended with the scope. */
const sink = (
  command: (program: string) => ReadonlyArray<string>,
  alone: boolean,
): Effect.Effect<number, SinkError, Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          const [file, ...args] = command(fileURLToPath(new URL("./sink.ts", import.meta.url)))
          return spawn(file!, args, { stdio: ["pipe", "pipe", "inherit"], ...alone ? { env: {} } : {} })
        },
        catch: (cause) => new SinkError({ cause }),
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL")),
    ),
    portOf,
  )

const portOf = (child: ChildProcess): Effect.Effect<number, SinkError> =>
  Effect.callback<number, SinkError>((resume) => {
    const failed = (cause: unknown): void => resume(Effect.fail(new SinkError({ cause })))
    child.on("error", failed)
    child.on("exit", (code) => failed(new Error(`it ended with ${code}`)))
    readline.createInterface(child.stdout!).once("line", (line) => {
      // It prints nothing else.
      resume(Effect.succeed((JSON.parse(line) as { readonly port: number }).port))
    })
  })
