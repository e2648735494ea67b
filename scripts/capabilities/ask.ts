/**
 * Asks a runtime what it can do: the pinned one, as a child process with no permission.
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Capabilities } from "../../core/Sockets.ts"
import { type Ability, type flags, lacking } from "../../test/conformance/flags.ts"

/** One way to run a runtime. */
export type Way = keyof typeof flags

/** What a runtime says of itself. */
export interface Answer {
  readonly version: string
  readonly missing: ReadonlyArray<Ability>
}

const commands: Record<Way, ReadonlyArray<string>> = {
  node: ["node"],
  bun: ["bun"],
  deno: ["deno", "run", "--no-prompt", "--quiet"],
  "deno --unstable-net": ["deno", "run", "--no-prompt", "--quiet", "--unstable-net"],
}

/** Asks; rejects when the runtime does not answer within 20 s. */
export const ask = async (way: Way): Promise<Answer> => {
  const [file, ...args] = commands[way]
  const script = join(import.meta.dirname, "print.ts")
  const { stdout } = await promisify(execFile)(file!, [...args, script], { timeout: 20_000 })
  const { capabilities, descriptorLimit }: { capabilities: Capabilities; descriptorLimit: boolean } = JSON.parse(stdout)
  return {
    version: capabilities.runtime.split(" ")[1]!, // "node 24.21.0"
    missing: [...lacking(capabilities), ...descriptorLimit ? [] : ["descriptorLimit" as const]],
  }
}
