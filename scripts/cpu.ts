/**
 * What the engine costs: CPU time per message of `serve echo` against the tightest hand-written server on the same
 * runtime (`bench/contenders/`, where a line is a string and a function answers it, as in a service), 64-byte lines over 50 connections, 1 and 16 in flight, every reply compared.
 *
 * Each of five pairs runs both servers in fresh processes, warms them up and loads them by turns, in ten bursts each in
 * random order, so that whatever else the machine does meets both alike; the ratio is hand-written over Anyport, and the
 * median of the pairs must reach the bar. The server has a CPU of its own where
 * `taskset` exists. Needs Linux (`/proc`). This is no benchmark of throughput or latency.
 *
 * ```
 * node scripts/cpu.ts [--runtime node|bun|deno] [--pairs 5] [--quick] [--gate] [--seed N] [--against 'COMMAND'] [--record]
 * ```
 * `--quick` sends a tenth, to try the script: engines have not warmed up by then. `--gate` is the gate's: one pair that is
 * sent a quarter, and one wide bar, which a machine that does much else does not meet either. `--against` measures that command, with
 * the ready line of `serve`, in Anyport's place. `--record` writes the figures into the README. Exit code 1 below a bar.
 */
import { command, cpuSeconds, pin, type Runtime, runtimes, serve, start } from "./child.ts"
import { open } from "./cpu/client.ts"
import { type Cpu, machine, record } from "./figures.ts"
import { read, refuse } from "./flags.ts"

const connections = 50
const burstsOfEach = 10

/** Enough messages that the 10 ms steps of the CPU clock are under 1% of a figure. */
const loads = [{ inFlight: 1, messages: 200_000 }, { inFlight: 16, messages: 3_000_000 }] as const

/** The least ratio of hand-written to Anyport, by lines in flight. */
const bars: Record<Runtime, Record<1 | 16, number>> = {
  node: { 1: 0.85, 16: 0.80 },
  bun: { 1: 0.85, 16: 0.80 },
  deno: { 1: 0.85, 16: 0.75 },
}

/** The least ratio in the gate: what is below has lost something that matters, on any machine. */
const gateBar = 0.6

const flags = read({
  runtime: { type: "string", multiple: true },
  pairs: { type: "string", default: "5" },
  quick: { type: "boolean", default: false },
  gate: { type: "boolean", default: false },
  seed: { type: "string" },
  against: { type: "string" },
  record: { type: "boolean", default: false },
})
const chosen = runtimes.filter((runtime) => flags.runtime?.includes(runtime) ?? true)
const pairs = flags.gate ? 1 : Number(flags.pairs)
const part = flags.quick ? 10 : flags.gate ? 4 : 1
const seed = Number(flags.seed ?? Date.now() % 1_000_000)
if (chosen.length === 0 || !(pairs >= 1) || !Number.isInteger(seed)) {
  refuse("Cannot compare: --runtime takes node, bun or deno, --pairs a number from 1, --seed an integer")
}
if (flags.record && (chosen.length < runtimes.length || part > 1 || flags.against !== undefined)) {
  refuse("Cannot record a part: --record excludes --runtime, --quick, --gate and --against")
}

/** Marsaglia's xorshift32: the order of the bursts can be had again from the seed. */
let state = (seed | 0) || 1
const coin = (): boolean => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state & 1) === 1
}

const cpus = pin()

/** A fresh server that is loaded in bursts, and the CPU time that they took it. */
interface Contender {
  readonly burst: () => Promise<void>
  /** CPU time per message of all bursts so far, in microseconds. */
  readonly perMessage: () => number
  readonly end: () => Promise<void>
}

/** Starts a server and warms it up with as much as half of the load. */
const enter = async (server: ReadonlyArray<string>, inFlight: number, messages: number): Promise<Contender> => {
  const child = await start(server, cpus?.server)
  try {
    const load = await open(child.port, connections)
    await load.run(messages / 2, inFlight)
    let spent = 0
    let bursts = 0
    return {
      burst: async () => {
        const before = cpuSeconds(child.pid)
        await load.run(messages / burstsOfEach, inFlight)
        spent += cpuSeconds(child.pid) - before
        bursts++
      },
      perMessage: () => spent * 1e6 / (bursts * messages / burstsOfEach),
      end: () => {
        load.close()
        return child.stop()
      },
    }
  } catch (error) {
    await child.stop()
    throw error
  }
}

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

interface Pair {
  readonly hand: number
  readonly anyport: number
}

const measurePair = async (runtime: Runtime, inFlight: number, messages: number): Promise<Pair> => {
  const entered: Array<Contender> = []
  try {
    for (
      const server of [
        command(runtime, `bench/contenders/hand-${runtime}.ts`),
        flags.against?.split(" ") ?? serve(runtime, "echo"),
      ]
    ) {
      entered.push(await enter(server, inFlight, messages))
    }
    const [hand, anyport] = entered as [Contender, Contender] // two were entered
    for (let round = 0; round < burstsOfEach; round++) {
      for (const contender of coin() ? [hand, anyport] : [anyport, hand]) await contender.burst()
    }
    return { hand: hand.perMessage(), anyport: anyport.perMessage() }
  } finally {
    for (const contender of entered) await contender.end()
  }
}

const rows: Array<Cpu["rows"][number]> = []

/** Prints one line of the table; whether its ratio reaches the bar. */
const compare = async (runtime: Runtime, { inFlight, messages }: typeof loads[number]): Promise<boolean> => {
  const results: Array<Pair> = []
  while (results.length < pairs) {
    results.push(await measurePair(runtime, inFlight, messages / part))
  }
  const bar = flags.gate ? gateBar : bars[runtime][inFlight]
  const ratio = median(results.map(({ hand, anyport }) => hand / anyport))
  const [hand, anyport] = [median(results.map(({ hand }) => hand)), median(results.map(({ anyport }) => anyport))]
  rows.push({ runtime, inFlight, hand, anyport, ratio })
  const columns = [
    runtime.padEnd(8),
    String(inFlight).padStart(9),
    `${hand.toFixed(2)} µs`.padStart(9),
    `${anyport.toFixed(2)} µs`.padStart(9),
    ratio.toFixed(2).padStart(6),
    bar.toFixed(2).padStart(5),
    ` ${results.map(({ hand, anyport }) => `${hand.toFixed(2)}/${anyport.toFixed(2)}`).join(" ")}`,
  ]
  console.log(columns.join(" ") + (ratio < bar ? "  BELOW" : ""))
  return ratio >= bar
}

console.log(
  `CPU time per message, 64-byte lines, ${connections} connections, seed ${seed}, ` +
    (cpus === undefined ? "not pinned" : `server on CPU ${cpus.server}, client on CPU ${cpus.client}`),
)
console.log("runtime  in flight   by hand   anyport  ratio   bar  pairs")
try {
  let below = 0
  for (const runtime of chosen) {
    for (const load of loads) if (!await compare(runtime, load)) below++
  }
  if (below > 0) {
    console.error(`Below the bar in ${below} of ${chosen.length * loads.length} comparisons`)
    process.exitCode = 1
  }
  if (flags.record) record("cpu", { machine: machine(), rows })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
