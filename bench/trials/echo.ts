/**
 * Trials of one contender under load: by a schedule, also with peers that never read, and of several workers. The
 * generator compares every byte.
 */
import type { Load, Loaded } from "../Generator.ts"
import { cpuSeconds } from "../Program.ts"
import type { Measures } from "../Result.ts"
import { frozenShare, workersOf } from "../Scenarios.ts"
import { type Ask, during, known, type Made, on, type Tools } from "./Trial.ts"
import { family } from "./processes.ts"

/** Most of a connection that may wait for its replies while a schedule goes on. */
const deepest = 1_024

/** One contender under a schedule, a share of what it can do at most; of a `frozen` cell beside peers that never read. */
export const open = async (ask: Ask, tools: Tools): Promise<Made> => {
  const { cell, program, highest } = ask
  const { generator, cpus } = tools
  if (highest === undefined) return lost("no trial that counts says what it reaches at most")
  return await during(program, { cpu: cpus?.server }, async (child) => {
    const load = loadOf(ask, child.port)
    const loaded = await generator.run({
      ...load,
      mode: "open",
      rate: Math.round(highest * cell.share!), // a schedule has one
      inFlight: deepest,
      ...cell.scenario === "frozen" ? { frozen: Math.max(1, Math.round(load.connections * frozenShare)) } : {},
      server: { pid: child.pid, cpu: cpus?.server },
    }, { cpu: cpus?.client })
    return madeOf(loaded)
  })
}

/** Processes that share a port, each on one of the cores that the generator leaves. */
export const workers = async (ask: Ask, tools: Tools): Promise<Made> => {
  const { generator, cpus } = tools
  const servers = workersOf(ask.cell)
  const many = { ...ask.program, argv: [...ask.program.argv, "--workers", String(servers)] }
  const program = on(tools.allowed.filter((cpu) => cpu !== cpus?.client), many, tools)
  return await during(program, {}, async (child) => {
    const load = loadOf(ask, child.port)
    // Of their CPU time the generator knows nothing, so what comes before is a run of its own.
    await generator.run({ ...load, warmup: 0, seconds: ask.warmup }, { cpu: cpus?.client })
    const spent = () => family(child.pid).reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const before = spent()
    const loaded = await generator.run({ ...load, warmup: 0 }, { cpu: cpus?.client })
    return { ...madeOf({ ...loaded, serverCpu: spent() - before }), servers }
  })
}

/** What is asked of a server that listens on a port, in closed mode. */
export const loadOf = ({ cell, program, warmup, seconds }: Ask, port: number): Load => ({
  port,
  mode: "closed",
  connections: cell.connections ?? 1,
  inFlight: cell.inFlight ?? 1,
  size: cell.size ?? 64,
  framing: program.framing ?? "lines",
  prefix: program.prefix,
  warmup,
  seconds,
})

/** What a generator says, as measures of a trial. */
export const madeOf = (loaded: Loaded): Made => ({
  measures: measuresOf(loaded),
  errors: loaded.errors,
  problems: loaded.problem === undefined ? [] : [loaded.problem],
})

const measuresOf = ({ messages, seconds, serverCpu, generatorCpu, elsewhere, stolen, ...open }: Loaded): Measures =>
  known({
    messages,
    seconds,
    serverCpu,
    generatorCpu,
    elsewhere,
    stolen,
    target: open.target,
    achieved: open.achieved,
    // Of a closed run they would leave out who had to wait to be sent.
    ...open.target === undefined
      ? {}
      : { ...open.response, serviceP50: open.service?.p50, serviceP99: open.service?.p99 },
  })

const lost = (problem: string): Made => ({ measures: {}, errors: 0, problems: [problem] })
