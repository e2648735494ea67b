/** The load that `client.c` makes. */
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Compiler from "../Compiler.ts"
import type { Generator } from "../Generator.ts"
import { type Load, Loaded } from "../Load.ts"
import { converse, run } from "../Program.ts"

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

/** Into so many bursts what is measured is cut: each is a fifth of a second of two. */
const bursts = 10

/** So much of the warm-up is kept for the front of each burst, because others had the caches meanwhile; seconds. */
const lead = 0.03

/** The generator that a compiled client is. */
export const make = async (file: string): Promise<Generator> => ({
  id: "c",
  title: `C client (${await Compiler.version("cc") ?? "unknown compiler"})`,
  run: async (load, { cpu } = {}) => {
    const { stdout } = await run([file, ...asked(load)], { cpu, seconds: load.warmup + load.seconds + patience })
    return decode(stdout)
  },
  parts: (load, { cpu } = {}) => {
    const warmup = Math.max(0, load.warmup - bursts * lead)
    const { next, stop } = converse([file, ...asked({ ...load, warmup }), `bursts=${bursts}`, `lead=${lead}`], { cpu })
    const count = 1 + bursts
    let made = 0
    return Promise.resolve({
      count,
      next: async () => {
        const line = await next(load.warmup + patience)
        return ++made === count ? decode(line) : undefined
      },
      stop,
    })
  },
})

const asked = (load: Load): ReadonlyArray<string> => {
  const { mode, connections, inFlight, size, framing, prefix, rate, frozen = 0, warmup, seconds, server, port } = load
  return Object.entries({
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
}

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Loaded))
