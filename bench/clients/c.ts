/** The load that `client.c` makes. */
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Compiler from "../Compiler.ts"
import type { Generator } from "../Generator.ts"
import { Loaded } from "../Load.ts"
import { run } from "../Program.ts"

/** The compiled client; once, however often it is asked for. */
export const compile = (): Promise<Compiler.Compiled> => compiling ??= compileClient()
let compiling: Promise<Compiler.Compiled> | undefined

const compileClient = (): Promise<Compiler.Compiled> => {
  const source = fileURLToPath(new URL("./client.c", import.meta.url))
  return existsSync(source)
    ? Compiler.c(source, "client")
    : Promise.resolve({ reason: "it is not in the one-file build" })
}

/** For connecting, and for the last replies; seconds. */
const patience = 60

/** The generator that a compiled client is. */
export const make = async (file: string): Promise<Generator> => ({
  id: "c",
  title: `C client (${await Compiler.version("cc") ?? "unknown compiler"})`,
  run: async (load, { cpu } = {}) => {
    const { mode, connections, inFlight, size, framing, prefix, rate, frozen = 0, warmup, seconds, server, port } = load
    const args = Object.entries({
      port,
      mode,
      connections,
      "in-flight": inFlight,
      size,
      framing,
      prefix,
      rate,
      frozen,
      warmup,
      seconds,
      server: server?.pid,
      cpu: server?.cpu,
    }).flatMap(([key, value]) => value === undefined ? [] : [`${key}=${value}`])
    const { stdout } = await run([file, ...args], { cpu, seconds: warmup + seconds + patience })
    return decode(stdout)
  },
})

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Loaded))
