/**
 * What `client.c` does, by the generator of `load/`, on one runtime: the same arguments (a port of 127.0.0.1, connections, a
 * rate or 0, seconds of warm-up and seconds) and the same line of JSON.
 */
import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"
import process from "node:process"
import { layer } from "../../adapters/auto.ts"
import { cpu as cpuTime } from "../../cli/load/cpu.ts"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { constant as always } from "../../load/Messages.ts"
import { run } from "../../load/Run.ts"
import { constant } from "../../load/Schedule.ts"

/** What one run has measured. Times in microseconds. */
export interface Measured {
  /** Of those that were due while it was measured. */
  readonly sent: number
  readonly replies: number
  readonly errors: number
  /** Replies a second. */
  readonly rate: number
  /** CPU time for each request. */
  readonly cpu: number
  readonly service: Percentiles
  readonly response: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const [port = 0, connections = 1, rate = 0, warmup = 0, seconds = 1] = process.argv.slice(2).map(Number)
const address = Address.tcp("127.0.0.1", port)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const program = run({
  target: { url: `tcp://127.0.0.1:${port}`, address, webSocket: undefined },
  sources: [],
  framing: () => Lines.bytes({ maxLength: 1_024 }),
  mode: rate === 0 ? "closed" : "open",
  connections,
  inFlight: rate === 0 ? 1 : 64,
  stages: rate === 0 ? [] : constant(rate, seconds * 1_000),
  polls: rate > 0,
  warmup: warmup * 1_000,
  duration: seconds * 1_000,
  think: 0,
  messages: always(bytes("x".repeat(63))),
  expect: { _tag: "Echo", prefix: bytes("echo: ") },
  hello: undefined,
  beat: undefined,
  connectTimeout: 10_000,
  grace: 10_000,
  connecting: 100,
  reconnect: false,
  seed: 1,
}, {
  cpu: cpuTime,
  now: () => performance.now(),
})

const { cpu, measured, total } = await Effect.runPromise(Effect.provide(program, layer))
const percentiles = (histogram: (typeof total)["service"]): Percentiles => ({
  p50: histogram.getValueAtPercentile(50),
  p99: histogram.getValueAtPercentile(99),
  max: histogram.maxValue,
})
const result: Measured = {
  sent: total.sent,
  replies: total.replies,
  errors: total.errors,
  rate: (total.replies * 1_000) / measured,
  cpu: (cpu * 1_000) / Math.max(1, total.sent),
  service: percentiles(total.service),
  response: percentiles(total.response),
}
console.log(JSON.stringify(result))
