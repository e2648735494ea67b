/**
 * The simulators that are held against each other: of clients that hold sessions, ask, and report how long answers took.
 * They all ask `PING` of one server, Anyport on Node, that answers `+PONG`. What they say of themselves is taken as they
 * say it; their CPU time is the system's word.
 */
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Missing } from "../Contenders.ts"
import type { GeneratorOptions } from "../Generator.ts"
import { Loaded } from "../Load.ts"
import { run, runtimeCommand, runtimes, versionOf } from "../Program.ts"
import type { RuntimeName } from "../Result.ts"
import * as LoadResult from "../../load/Result.ts"
import * as Compiler from "../Compiler.ts"
import * as C from "./c.ts"

/** One of them. */
export interface Simulator {
  /** `python`, `redis-benchmark`, `c`, `load-node`. */
  readonly id: string
  readonly title: string
  readonly runtime?: RuntimeName
  /** As it is started: `{port}`, `{connections}`, `{seconds}` stand for what it is told. */
  readonly command: string
  /** `cpu`: the only one that it may use. Rejects when it fails altogether. */
  readonly run: (asked: Asked, options?: { readonly cpu?: number | undefined }) => Promise<Simulated>
}

/** What a simulator is told. */
export interface Asked {
  readonly port: number
  readonly connections: number
  readonly seconds: number
}

/** What a simulator says of itself; times in seconds, latencies in microseconds. */
export interface Simulated {
  /** Connections that were held at once. */
  readonly sessions: number
  readonly messages: number
  readonly seconds: number
  readonly mean: number
  readonly p99: number
  readonly errors: number
  /** Of the whole process, its start included, in steps of 10 ms. */
  readonly generatorCpu: number
}

/** The command of the server that they ask. */
export const pong = ({ main }: GeneratorOptions): ReadonlyArray<string> => [
  ...runtimeCommand("node"),
  ...[main, "serve", here(`../contenders/pong${extension}`), "--host", "127.0.0.1", "--port", "0"],
]

/** All simulators of this machine. */
export const generators = async (
  options: GeneratorOptions,
): Promise<{ readonly present: ReadonlyArray<Simulator>; readonly missing: ReadonlyArray<Missing> }> => {
  const found = [python(), redis(), client(), ...runtimes.map((runtime) => load(runtime, options))]
  const present: Array<Simulator> = []
  const missing: Array<Missing> = []
  for (const one of await Promise.all(found)) {
    if ("reason" in one) missing.push(one)
    else present.push(one)
  }
  return { present, missing }
}

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** For starting, connecting and the last replies; seconds. */
const patience = 60

const told = (words: ReadonlyArray<string>, asked: Asked): ReadonlyArray<string> =>
  words.map((word) =>
    word.replace("{port}", String(asked.port)).replace("{connections}", String(asked.connections))
      .replace("{seconds}", String(asked.seconds))
  )

/** Runs one whose words are those of its command. */
const running = (
  words: ReadonlyArray<string>,
  parse: (stdout: string, asked: Asked) => Omit<Simulated, "generatorCpu">,
): Simulator["run"] =>
async (asked, { cpu } = {}) => {
  const ran = await run(told(words, asked), { cpu, seconds: asked.seconds + patience })
  return { ...parse(ran.stdout, asked), generatorCpu: ran.cpu }
}

const Said = Schema.Struct({
  sessions: Schema.Finite,
  messages: Schema.Finite,
  seconds: Schema.Finite,
  mean: Schema.Finite,
  p99: Schema.Finite,
  errors: Schema.Finite,
})

const python = async (): Promise<Simulator | Missing> => {
  const name = "Python simulator"
  const source = here("simulator.py")
  if (!existsSync(source)) return { name, reason: "it is not in the one-file build" }
  const version = await versionOf("python3")
  if (version === undefined) return { name, reason: "there is no python3 on PATH" }
  const args = ["{port}", "{connections}", "{seconds}"]
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Said))
  return {
    id: "python",
    title: `Python asyncio (${version})`,
    command: ["python3 simulator.py", ...args].join(" "),
    run: running(["python3", source, ...args], (stdout) => decode(stdout)),
  }
}

/** It is told how many requests, and not how long: as many as it did in a short run before. */
const redis = async (): Promise<Simulator | Missing> => {
  const version = await versionOf("redis-benchmark")
  if (version === undefined) {
    return { name: "redis-benchmark", reason: "there is no redis-benchmark on PATH; Debian has it in redis-tools" }
  }
  const args = (requests: string) =>
    `-h 127.0.0.1 -p {port} -c {connections} -n ${requests} -t ping_inline --csv`.split(" ")
  const once = (requests: number): Simulator["run"] =>
    running(["redis-benchmark", ...args(String(requests))], (stdout, { connections }) => {
      const line = stdout.split("\n").find((line) => line.includes("PING_INLINE"))
      const [rate, mean, , , , p99] = line?.split(",").slice(1).map((cell) => Number(cell.replaceAll('"', ""))) ?? []
      if (rate === undefined || mean === undefined || p99 === undefined) {
        throw new Error(`redis-benchmark: no figures of PING_INLINE in what it wrote: ${stdout.trim() || "nothing"}`)
      }
      // It ends at the first error, and says nothing of a number.
      return {
        sessions: connections,
        messages: requests,
        seconds: requests / rate,
        mean: mean * 1e3,
        p99: p99 * 1e3,
        errors: 0,
      }
    })
  return {
    id: "redis-benchmark",
    title: `redis-benchmark (${version})`,
    command: ["redis-benchmark", ...args("REQUESTS")].join(" "),
    run: async (asked, options) => {
      const { messages, seconds } = await once(20_000)(asked, options)
      return once(Math.max(1_000, Math.round(messages / seconds * asked.seconds)))(asked, options)
    },
  }
}

const client = async (): Promise<Simulator | Missing> => {
  const compiled = await C.compile()
  if ("reason" in compiled) return { name: "C client", reason: compiled.reason }
  const args = ["port={port}", "connections={connections}", "seconds={seconds}", "warmup=0"]
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Loaded))
  return {
    id: "c",
    title: `C client (${await Compiler.version("cc") ?? "unknown compiler"})`,
    command: ["client", ...args, "request=PING", "reply=+PONG"].join(" "),
    run: running([compiled.file, ...args, "request=PING\r\n", "reply=+PONG\r\n"], (stdout, { connections }) => {
      const { messages, seconds, service: { mean, p99 }, errors } = decode(stdout)
      return { sessions: connections, messages, seconds, mean, p99, errors }
    }),
  }
}

const load = async (runtime: RuntimeName, { main }: GeneratorOptions): Promise<Simulator | Missing> => {
  const version = await versionOf(runtime)
  if (version === undefined) return { name: `anyport load on ${runtime}`, reason: `there is no ${runtime} on PATH` }
  const args = [
    ...[
      "load",
      "tcp://127.0.0.1:{port}",
      "--connections",
      "{connections}",
      "--duration",
      "{seconds}s",
      "--warmup",
      "off",
    ],
    ...["--framing", "lines:crlf", "--message", "PING", "--expect", "regex:/^\\+PONG$/", "--json", "--quiet"],
  ]
  return {
    id: `load-${runtime}`,
    title: `anyport load on ${runtime} ${version}`,
    runtime,
    command: ["anyport", ...args].join(" "),
    run: running([...runtimeCommand(runtime), main, ...args], (stdout) => {
      const result = LoadResult.decode(stdout)
      if ("problem" in result) throw new Error(`anyport load: ${result.problem}`)
      const { counts, measured, latency: { service }, errors } = result
      const { mean = 0, p99 = 0 } = service ?? {}
      return {
        sessions: counts.connected,
        messages: counts.replies,
        seconds: measured / 1_000,
        mean,
        p99,
        errors: errors.total,
      }
    }),
  }
}
