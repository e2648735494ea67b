/**
 * A generator over the sockets of one runtime, run by `load.test.ts`. Its argument is JSON: a port of 127.0.0.1, and what
 * of the plan is not usual. It prints `measuring` once all is connected, and then one JSON line with what it has measured;
 * times in milliseconds.
 */
import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"
import process from "node:process"
import { layer } from "../../../adapters/auto.ts"
import { cpu } from "../../../cli/load/cpu.ts"
import * as Address from "../../../core/Address.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import { constant } from "../../../load/Messages.ts"
import type { Plan } from "../../../load/Plan.ts"
import { run } from "../../../load/Run.ts"
import { verdict } from "../../../load/Verdict.ts"

/** What a test says. */
export interface Wanted {
  readonly port: number
  readonly mode: Plan["mode"]
  readonly connections: number
  readonly duration: number
  readonly inFlight?: number
  /** Requests a second. */
  readonly rate?: number
  readonly think?: number
  /** Sends PING so often, and wants it back. */
  readonly beat?: number
}

/** What it has measured. */
export interface Measured {
  readonly connected: number
  readonly connections: number
  readonly held: number
  readonly sent: number
  readonly replies: number
  readonly unsent: number
  readonly heartbeats: number
  readonly failures: Record<string, number>
  readonly response: Percentiles
  readonly service: Percentiles
  readonly lateness: Percentiles
  readonly verdict: string
}

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const wanted: Wanted = JSON.parse(process.argv[2]!)
const { port, mode, connections, duration, inFlight = 1, rate = 0, think = 0, beat } = wanted

const plan: Plan = {
  target: { url: `tcp://127.0.0.1:${port}`, address: Address.tcp("127.0.0.1", port), webSocket: undefined },
  sources: [],
  framing: () => Lines.bytes({ maxLength: 1_024 }),
  mode,
  connections,
  inFlight,
  stages: mode === "open" ? [{ from: rate, to: rate, duration }] : [],
  warmup: 0,
  duration,
  think,
  messages: constant(bytes("x".repeat(63))),
  expect: { _tag: "Echo", prefix: bytes("") },
  hello: undefined,
  beat: beat === undefined ? undefined : { every: beat, send: bytes("PING"), answer: bytes("PING") },
  connectTimeout: 40_000, // of a machine that has much else to do
  grace: 5_000,
  connecting: 200,
  reconnect: false,
  seed: 1,
}

let held = Infinity
let began = false
const program = run(plan, {
  cpu,
  now: () => performance.now(),
  onInterval: (interval) => {
    if (!began) console.log("measuring")
    began = true
    held = Math.min(held, interval.connections)
  },
})

const outcome = await Effect.runPromise(Effect.provide(program, layer))
const { connected, total, unsent } = outcome
const percentiles = (histogram: (typeof total)["response"]): Percentiles => ({
  count: histogram.totalCount,
  p50: histogram.getValueAtPercentile(50) / 1_000,
  p99: histogram.getValueAtPercentile(99) / 1_000,
  max: histogram.maxValue / 1_000,
})
const measured: Measured = {
  connected,
  held,
  connections: total.connections,
  sent: total.sent,
  replies: total.replies,
  unsent,
  heartbeats: total.heartbeats,
  failures: Object.fromEntries(total.failures),
  response: percentiles(total.response),
  service: percentiles(total.service),
  lateness: percentiles(total.lateness),
  verdict: verdict(mode, outcome)._tag,
}
console.log(JSON.stringify(measured))
