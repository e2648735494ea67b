/**
 * The simulated clients of a module over the sockets of one runtime, run by `simulation.test.ts`. Its arguments: the
 * module's URL and a port of 127.0.0.1. It prints one JSON line with what it has measured; times in milliseconds.
 */
import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"
import process from "node:process"
import { layer } from "../../../adapters/auto.ts"
import { isProblem } from "../../../load/Problem.ts"
import { isSimulation, run } from "../../../load/Simulation.ts"
import * as Target from "../../../load/Target.ts"

/** What it prints. */
export interface Measured {
  readonly connected: number
  readonly connections: number
  readonly sent: number
  readonly replies: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly response: number
  readonly failures: Readonly<Record<string, number>>
  readonly cut: boolean
  readonly problem: string | null
}

const [module = "", port] = process.argv.slice(2)
const { default: simulation } = await import(module)
const target = Target.parse(`tcp://127.0.0.1:${port}`)
if (!isSimulation(simulation) || isProblem(target)) throw new Error("It is no simulation, or has no target")

const program = run(simulation, {
  target,
  sources: [],
  connections: 200,
  connecting: 50,
  warmup: 0,
  duration: 3_000,
  grace: 1_000,
  seed: 1,
}, {
  cpu: () => process.cpuUsage().user / 1_000,
  now: () => performance.now(),
  onInterval: () => console.log("measuring"),
})
const { connected, cut, problem, total } = await Effect.runPromise(Effect.provide(program, layer))
const measured: Measured = {
  connected,
  connections: total.connections,
  sent: total.sent,
  replies: total.replies,
  bytesSent: total.bytesSent,
  bytesReceived: total.bytesReceived,
  response: total.response.getValueAtPercentile(50) / 1_000,
  failures: Object.fromEntries(total.failures),
  cut,
  problem: problem ?? null,
}
console.log(JSON.stringify(measured))
