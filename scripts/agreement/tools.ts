/** The two tools that have to agree, as child processes: `client.c`, built when it is needed, and ours on a runtime. */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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

/** The C client, and how it is removed. Throws when there is no C compiler. */
export const build = (): { readonly tool: Tool; readonly remove: () => void } => {
  const folder = mkdtempSync(join(tmpdir(), "agreement-"))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const program = join(folder, "client")
  const flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]
  const made = spawnSync("cc", [...flags, "-o", program, "scripts/agreement/client.c"], { cwd: root, encoding: "utf8" })
  if (made.status === 0) return { tool: tool([program]), remove }
  remove()
  const why = made.error === undefined ? made.stderr : `${made.error.message}; install a C compiler, such as gcc`
  throw new Error(`Cannot build scripts/agreement/client.c: ${why}`)
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
