/**
 * Whether `anyport load` measures what is there: ours and a client in C (`bench/clients/client.c`) that shares nothing
 * with it, against the same echo server.
 *
 * ```
 * npm run agreement [-- --runtime node|bun|deno] [--seconds 5] [--runs 5]
 * ```
 * First the highest rate that the C client reaches, one at a time on 50 connections; then a quarter of it as a schedule, in
 * runs by turns: against the echo service, and against one that takes a millisecond. Medians have to agree: throughput within
 * 5 %, p50 of the service time within 15 %; but of the echo on Deno, which sees its sockets about 0.1 ms late. And one at a
 * time ours has to reach 70 % of what the C client does. Exit code 1 if not. Wants a C compiler, and a machine that does
 * nothing else.
 */
import { build, ours, type Tool } from "./agreement/tools.ts"
import type { Measured } from "./agreement/ours.ts"
import { pin, type Runtime, runtimes, serve, start } from "./child.ts"
import { read, refuse } from "./flags.ts"

const flags = read({
  runtime: { type: "string", multiple: true },
  seconds: { type: "string", default: "5" },
  runs: { type: "string", default: "5" },
})
const seconds = Number(flags.seconds)
if (!(seconds >= 1 && seconds <= 600)) refuse("Cannot measure: --seconds takes a number from 1 to 600")
const runs = Number(flags.runs)
if (!(Number.isInteger(runs) && runs >= 1 && runs <= 100)) refuse("Cannot measure: --runs takes a number from 1 to 100")
const unknown = flags.runtime?.find((name) => !runtimes.some((runtime) => runtime === name))
if (unknown !== undefined) refuse(`Unknown --runtime ${unknown}; accepted are ${runtimes.join(", ")}`)

const warmup = 2
const connections = 50
const share = 0.25
const allowed = { throughput: 0.05, p50: 0.15, oneAtATime: 0.7 }

interface Contender {
  readonly name: string
  readonly tool: Tool
}

const cpus = pin()
const contenders: ReadonlyArray<Contender> = [
  { name: "C", tool: await build() },
  ...runtimes.filter((runtime) => flags.runtime?.includes(runtime) ?? true).map((runtime: Runtime) => ({
    name: runtime,
    tool: ours(runtime),
  })),
]

const losses: Array<string> = []

/** The median of each figure, of runs by turns, so that what happens to the machine happens to all. */
const compare = async (port: number, connections: number, rate: number): Promise<ReadonlyMap<string, Measured>> => {
  const found = new Map<string, Array<Measured>>(contenders.map(({ name }) => [name, []]))
  for (let run = 0; run < runs; run++) {
    for (const { name, tool } of contenders) {
      const measured = await tool({ port, connections, rate, warmup, seconds }, cpus?.client)
      found.get(name)!.push(measured)
      if (measured.errors > 0) losses.push(`${name}: ${measured.errors} errors`)
    }
  }
  return new Map([...found].map(([name, all]) => [name, medians(all)]))
}

const medians = (all: ReadonlyArray<Measured>): Measured => {
  const of = (pick: (measured: Measured) => number): number => median(all.map(pick))
  const percentiles = (name: "service" | "response") => ({
    p50: of((one) => one[name].p50),
    p99: of((one) => one[name].p99),
    max: of((one) => one[name].max),
  })
  return {
    sent: of(({ sent }) => sent),
    replies: of(({ replies }) => replies),
    errors: of(({ errors }) => errors),
    rate: of(({ rate }) => rate),
    cpu: of(({ cpu }) => cpu),
    service: percentiles("service"),
    response: percentiles("response"),
  }
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2
}

const show = (title: string, results: ReadonlyMap<string, Measured>): void => {
  console.log(`\n${title}, medians of ${runs}\n`)
  console.log("        replies/s    of C   p50 µs    of C   p99 µs   CPU µs a request")
  const reference = results.get("C")!
  for (const [name, { cpu, rate, service }] of results) {
    const cells = [
      Math.round(rate).toLocaleString("en-US").padStart(11),
      percent(rate / reference.rate).padStart(7),
      service.p50.toFixed(0).padStart(8),
      percent(service.p50 / reference.service.p50).padStart(7),
      service.p99.toFixed(0).padStart(8),
      cpu.toFixed(1).padStart(10),
    ]
    console.log(`${name.padEnd(5)} ${cells.join(" ")}`)
  }
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`

/** What a service may be seen to take longer by some than by C. */
const excused: Readonly<Record<string, ReadonlyArray<string>>> = { echo: ["deno"] }

for (const service of ["echo", "./scripts/agreement/waiting.ts"]) {
  const server = await start(serve("node", service), cpus?.server)
  try {
    console.log(`\nA server of ${service}`)
    const closed = await compare(server.port, connections, 0)
    show(`One at a time on ${connections} connections`, closed)
    const highest = closed.get("C")!
    for (const [name, { rate }] of closed) {
      const ratio = rate / highest.rate
      if (ratio >= allowed.oneAtATime) continue
      losses.push(`${service}, ${name} reaches ${percent(ratio)} of C; wanted is ${percent(allowed.oneAtATime)}`)
    }
    show("One at a time on one connection", await compare(server.port, 1, 0))

    const rate = Math.round(highest.rate * share)
    const open = await compare(server.port, connections, rate)
    show(`${rate.toLocaleString("en-US")} a second, a quarter of what C reaches`, open)
    const reference = open.get("C")!
    for (const [name, found] of open) {
      const throughput = Math.abs(found.rate / reference.rate - 1)
      const p50 = Math.abs(found.service.p50 / reference.service.p50 - 1)
      if (throughput > allowed.throughput) {
        losses.push(`${service}, ${name}: throughput differs by ${percent(throughput)}`)
      }
      if (p50 > allowed.p50 && excused[service]?.includes(name) !== true) {
        losses.push(`${service}, ${name}: p50 differs by ${percent(p50)}`)
      }
    }
  } finally {
    await server.stop()
  }
}

for (const loss of losses) console.error(`DOES NOT HOLD: ${loss}`)
process.exitCode = losses.length === 0 ? 0 : 1
