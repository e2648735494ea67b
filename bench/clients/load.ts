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

/**
 * The warm-up is a run of its own, so that the server's CPU time before and after the other is that of what was measured
 * (and of connecting). Its contents are all alike; of what others took on the server's CPU it knows nothing.
 */
export const make = ({ main }: GeneratorOptions): Generator => ({
  id: "load",
  title: `anyport load on ${runtime} ${process.versions[runtime] ?? ""}`,
  run: async (load, { cpu } = {}) => {
    const { port, frozen = 0, warmup, seconds, server } = load
    const sockets = Array.from({ length: frozen }, () => freeze(port, load))
    try {
      const once = async (duration: number): Promise<Result.Result> => {
        const command = [...runtimeCommand(runtime), main, ...asked(load, duration)]
        const { stdout } = await run(command, { cpu, seconds: duration + patience, accepted: [0, late] })
        const result = Result.decode(stdout)
        if (typeof result === "object" && "problem" in result) throw new Error(result.problem)
        return result
      }
      const before = warmup > 0 ? await once(warmup) : undefined
      const spent = server === undefined ? undefined : cpuSeconds(server.pid)
      const result = await once(seconds)
      const serverCpu = server === undefined ? undefined : cpuSeconds(server.pid) - spent!
      return loaded(result, (before?.errors.total ?? 0) + result.errors.total, serverCpu)
    } finally {
      sockets.forEach((socket) => socket.destroy())
    }
  },
})

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

const loaded = (result: Result.Result, errors: number, serverCpu: number | undefined): Loaded => {
  const { measured, rates, counts, latency, generator } = result
  const [problem] = Object.keys(result.errors.byKind)
  return {
    messages: counts.replies,
    seconds: measured / 1_000,
    ...serverCpu === undefined ? {} : { serverCpu },
    generatorCpu: generator.cpuMillis / 1_000,
    errors: errors + counts.unsent,
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
