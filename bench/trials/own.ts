/**
 * Trials with a client that is no generator of ours: the client module of whoever brings a service, by `anyport load`, and
 * the simulators that are held against each other.
 */
import { decode } from "../../load/Result.ts"
import { isProblem } from "../../load/Problem.ts"
import { cpuSeconds, run, start } from "../Program.ts"
import { type Ask, during, known, type Made, type Tools } from "./Trial.ts"

/** One's own service under one's own client, which says what a request is. */
export const service = async ({ program, warmup, seconds }: Ask, { client, cpus }: Tools): Promise<Made> => {
  if (client === undefined) return { measures: {}, errors: 0, problems: ["there is no client"] }
  return await during(program, { cpu: cpus?.server }, async (child) => {
    const ask = (seconds: number) => {
      const millis = `${Math.round(seconds * 1_000)}ms`
      const words = [...client, `tcp://127.0.0.1:${child.port}`, "--json", "--quiet", "--warmup", "off"]
      return run([...words, "--duration", millis], { cpu: cpus?.client, seconds: 30 + seconds })
    }
    await ask(warmup)
    const before = cpuSeconds(child.pid)
    const { stdout, cpu: generatorCpu } = await ask(seconds)
    const serverCpu = cpuSeconds(child.pid) - before
    const result = decode(stdout)
    if (isProblem(result)) return { measures: {}, errors: 0, problems: [`the client: ${result.problem}`] }
    return {
      measures: known({ messages: result.counts.replies, seconds: result.measured / 1_000, serverCpu, generatorCpu }),
      errors: result.errors.total,
      problems: [],
    }
  })
}

/** One simulator before the server that all of them ask. */
export const simulator = async ({ cell, program, seconds }: Ask, tools: Tools): Promise<Made> => {
  const { cpus, pong } = tools
  const one = tools.simulators.get(program.id)
  if (one === undefined) return { measures: {}, errors: 0, problems: ["it is not here"] }
  const child = await start(pong, { cpu: cpus?.server })
  try {
    const before = cpuSeconds(child.pid)
    const load = { port: child.port, connections: cell.connections ?? 1, seconds }
    const { sessions, messages, seconds: took, mean, p99, errors, generatorCpu } = await one.run(load, {
      cpu: cpus?.client,
    })
    const serverCpu = cpuSeconds(child.pid) - before
    const measures = known({ messages, seconds: took, serverCpu, generatorCpu, sessions, mean, p99, errors })
    return { measures, errors, problems: [] }
  } finally {
    await child.stop()
  }
}
