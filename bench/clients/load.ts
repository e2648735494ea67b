/** The load that `anyport load` makes, in a process of its own, where there is no compiler for the better one. */
import { connect, type Socket } from "node:net"
import process from "node:process"
import type { Load, Loaded, Percentiles } from "../Load.ts"
import * as Result from "../../load/Result.ts"
import type { Generator, GeneratorOptions } from "../Generator.ts"
import { cpuSeconds, run, runtimeCommand } from "../Program.ts"
import type { RuntimeName } from "../Result.ts"

/** For starting, connecting, and for the last replies; seconds. */
const patience = 60

/** How it ends when it missed its own schedule. That is seen by what it achieved. */
const late = 98

/** Whichever runtime runs this makes the load as well. */
const runtime: RuntimeName = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node"

/** Into so many runs what is measured is cut; a process starts for each. */
const runs = 4

/**
 * The warm-up is a run of its own, so that the server's CPU time before and after the other is that of what was measured
 * (and of connecting). Its contents are all alike; of what others took on the server's CPU it knows nothing.
 */
export const make = ({ main }: GeneratorOptions): Generator => {
  /** One run, of which all is measured. */
  const measure = async (load: Load, duration: number, cpu: number | undefined): Promise<Loaded> => {
    const command = [...runtimeCommand(runtime), main, ...asked(load, duration)]
    const spent = () => load.server === undefined ? undefined : cpuSeconds(load.server.pid)
    const before = spent()
    const { stdout } = await run(command, { cpu, seconds: duration + patience, accepted: [0, late] })
    const after = spent()
    const result = Result.decode(stdout)
    if (typeof result === "object" && "problem" in result) throw new Error(result.problem)
    return loaded(result, after === undefined ? undefined : after - before!)
  }
  return {
    id: "load",
    title: `anyport load on ${runtime} ${process.versions[runtime] ?? ""}`,
    run: async (load, { cpu } = {}) => {
      const { port, frozen = 0, warmup, seconds } = load
      const sockets = Array.from({ length: frozen }, () => freeze(port, load))
      try {
        const before = warmup > 0 ? await measure(load, warmup, cpu) : undefined
        const measured = await measure(load, seconds, cpu)
        return { ...measured, errors: (before?.errors ?? 0) + measured.errors }
      } finally {
        sockets.forEach((socket) => socket.destroy())
      }
    },
    parts: (load, { cpu } = {}) => {
      const count = 1 + runs
      const parts: Array<Loaded> = []
      return Promise.resolve({
        count,
        next: async () => {
          parts.push(await measure(load, parts.length === 0 ? load.warmup : load.seconds / runs, cpu))
          return parts.length === count ? together(parts) : undefined
        },
        stop: () => Promise.resolve(), // a run ends by itself
      })
    },
  }
}

/** What the parts behind the first say together; latencies are of the last one, since those of a closed run say nothing. */
const together = ([warmup, ...parts]: ReadonlyArray<Loaded>): Loaded => {
  const sum = (of: (one: Loaded) => number | undefined): number =>
    parts.reduce((total, one) => total + (of(one) ?? 0), 0)
  const last = parts.at(-1)! // there is one at least
  const problem = [warmup!, ...parts].find(({ problem }) => problem !== undefined)?.problem // the first is always there
  return {
    ...last,
    messages: sum(({ messages }) => messages),
    seconds: sum(({ seconds }) => seconds),
    ...last.serverCpu === undefined ? {} : { serverCpu: sum(({ serverCpu }) => serverCpu) },
    generatorCpu: sum(({ generatorCpu }) => generatorCpu),
    errors: warmup!.errors + sum(({ errors }) => errors),
    ...problem === undefined ? {} : { problem },
    sent: sum(({ sent }) => sent),
    replies: sum(({ replies }) => replies),
  }
}

const asked = (load: Load, duration: number): ReadonlyArray<string> => {
  const { port, mode, connections, inFlight, size, framing, prefix, rate } = load
  return [
    "load",
    `tcp://127.0.0.1:${port}`,
    ...["--mode", mode, "--connections", String(connections)],
    ...mode === "churn" ? [] : ["--in-flight", String(inFlight)],
    ...rate === undefined ? [] : ["--rate", String(rate)],
    ...["--duration", `${Math.round(duration * 1_000)}ms`, "--warmup", "off", "--grace", "10s", "--json", "--quiet"],
    ...["--framing", framing === "lines" ? "lines" : "length:4"],
    ...["--message", `{size:${size - (framing === "lines" ? 1 : 4)}}`, "--expect", `echo:${prefix}`],
  ]
}

const loaded = (result: Result.Result, serverCpu: number | undefined): Loaded => {
  const { measured, rates, counts, latency, generator } = result
  const [problem] = Object.keys(result.errors.byKind)
  return {
    messages: counts.replies,
    seconds: measured / 1_000,
    ...serverCpu === undefined ? {} : { serverCpu },
    generatorCpu: generator.cpuMillis / 1_000,
    errors: result.errors.total + counts.unsent,
    ...problem === undefined ? {} : { problem },
    ...rates.target === undefined ? {} : { target: rates.target, achieved: rates.achieved },
    sent: counts.sent,
    replies: counts.replies,
    response: percentiles(latency.response),
    service: percentiles(latency.service),
  }
}

const percentiles = (found: Result.Result["latency"]["response"]): Percentiles => {
  const { mean, p50, p90, p99, "p99.9": p999, max } = found ?? { mean: 0, p50: 0, p90: 0, p99: 0, "p99.9": 0, max: 0 }
  return { mean, p50, p90, p99, p999, max }
}

/** A connection that sends requests as long as they are taken, and never reads. */
const freeze = (port: number, { size, framing }: Load): Socket => {
  const request = Buffer.alloc(size, "x")
  if (framing === "lines") request.write("\n", size - 1)
  else request.writeUInt32BE(size - 4)
  const socket = connect({ port, host: "127.0.0.1" })
  const push = (): void => {
    while (!socket.destroyed && socket.write(request));
  }
  return socket.pause().on("connect", push).on("drain", push).on("error", () => {}) // the server may end it
}
