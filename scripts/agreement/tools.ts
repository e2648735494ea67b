/** The two tools that have to agree, as child processes: `bench/clients/client.c`, built when it is needed, and ours on a runtime. */
import { spawn } from "node:child_process"
import * as C from "../../bench/clients/c.ts"
import { command, root, type Runtime } from "../child.ts"
import type { Measured } from "./ours.ts"

/** What is asked of a tool. Rate 0: each connection asks again when it is answered. */
export interface Load {
  readonly port: number
  readonly connections: number
  readonly rate: number
  readonly warmup: number
  readonly seconds: number
}

/** Somebody who makes load. `cpu`: where it runs, if that is said. */
export type Tool = (load: Load, cpu?: number) => Promise<Measured>

/** The C client, which is removed when this process exits. Throws when there is no C compiler. */
export const build = async (): Promise<Tool> => {
  const compiled = await C.compile()
  if ("reason" in compiled) throw new Error(`Cannot build bench/clients/client.c: ${compiled.reason}`)
  const { run } = await C.make(compiled.file)
  return async ({ rate, ...load }, cpu) => {
    const mode = rate === 0 ? { mode: "closed", inFlight: 1 } as const : { mode: "open", inFlight: 64, rate } as const
    const result = await run({ ...load, ...mode, size: 64, framing: "lines", prefix: "echo: " }, { cpu })
    const { generatorCpu, polling = 0, messages, seconds, sent, replies, errors, service, response } = result
    const rateOfReplies = mode.mode === "open" ? replies / load.seconds : messages / seconds
    return {
      sent,
      replies,
      errors,
      rate: rateOfReplies,
      cpu: (generatorCpu + polling) / messages * 1e6,
      service,
      response,
    }
  }
}

/** Ours. */
export const ours = (runtime: Runtime): Tool => tool(command(runtime, "scripts/agreement/ours.ts"))

const tool = (program: ReadonlyArray<string>): Tool => ({ port, connections, rate, warmup, seconds }, cpu) =>
  new Promise((resolve, reject) => {
    const pinned = cpu === undefined ? program : ["taskset", "-c", String(cpu), ...program]
    const [name, ...args] = [...pinned, ...[port, connections, rate, warmup, seconds].map(String)]
    // Also one that hangs ends.
    const child = spawn(name!, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      timeout: (warmup + seconds + 60) * 1_000,
    })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk))
    child.on("error", reject)
    child.on("close", (code, signal) => {
      if (code === 0) resolve(JSON.parse(text))
      else reject(new Error(`${program.join(" ")} ended with ${code ?? signal}`))
    })
  })
