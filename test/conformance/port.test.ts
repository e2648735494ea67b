/** The port's clauses on every adapter: each runtime in processes of its own, the one in memory here. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { layer, type Options } from "../../adapters/memory.ts"
import { ask } from "../../scripts/capabilities/ask.ts"
import { type Area, type Case, type Result, runCase, suite, titleOf } from "./clauses/index.ts"
import { type Flags, flags } from "./flags.ts"
import { Child } from "./wire/child.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-"))
afterAll(() => rmSync(directory, { recursive: true }))

const cases = suite(directory)
const script = join(import.meta.dirname, "port.main.ts")

/** How a runtime runs the cases of some areas: in one process with these permissions. */
interface Invocation {
  readonly areas: ReadonlyArray<Area>
  readonly command: ReadonlyArray<string>
}

const everything: ReadonlyArray<Area> = ["tcp", "addresses", "unix", "files", "system"]
const deno = (...permissions: ReadonlyArray<string>) => ["deno", "run", "--no-prompt", "--quiet", ...permissions]
const files = [`--allow-read=${directory}`, `--allow-write=${directory}`]

const runtimes: Record<keyof typeof flags, ReadonlyArray<Invocation>> = {
  node: [{ areas: everything, command: ["node"] }],
  bun: [{ areas: everything, command: ["bun"] }],
  deno: [
    { areas: ["tcp", "denied"], command: deno("--allow-net=127.0.0.1") },
    { areas: ["addresses"], command: deno("--allow-net=127.0.0.1,[::1],[::],localhost") },
    // Abstract Unix sockets want the network as a whole.
    { areas: ["unix", "files"], command: deno("--allow-net", ...files) },
    { areas: ["system"], command: deno("--allow-net=127.0.0.1,192.0.2.1,nobody.invalid") },
  ],
  "deno --unstable-net": [{ areas: ["tcp"], command: deno("--unstable-net", "--allow-net=127.0.0.1") }],
}

const run = ({ areas, command }: Invocation): Promise<ReadonlyArray<Result>> =>
  new Promise((resolve, reject) => {
    const child = spawn(command[0]!, [...command.slice(1), script, directory, ...areas])
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.stderr.on("data", (chunk) => errors += chunk)
    child.on("error", reject)
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`${command.join(" ")} ended with ${code}: ${errors || output}`))
      resolve(output.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)))
    })
  })

const judge = (one: Case, result: Result | undefined, { missing }: Flags) => {
  const lacks = missing.some((ability) => ability === one.needs)
  const noIpv6 = result?.outcome === "skipped" && result.detail?.startsWith("no IPv6 here") === true
  if (noIpv6) return
  const { outcome, detail } = result ?? { outcome: "not run", detail: undefined }
  expect({ outcome, detail: outcome === "failed" ? detail : undefined }).toEqual({
    outcome: lacks ? "skipped" : "passed",
    detail: undefined,
  })
}

for (const [name, invocations] of Object.entries(runtimes)) {
  const own: Flags = flags[name as keyof typeof flags] // whose keys they are
  describe(name, () => {
    const results = new Map<string, Result>()

    beforeAll(async () => {
      for (const invocation of invocations) {
        for (const result of await run(invocation)) results.set(result.name, result)
      }
    }, 240_000)

    const areas = invocations.flatMap((invocation) => invocation.areas)
    for (const one of cases.filter((one) => areas.includes(one.area))) {
      const title = titleOf(one)
      it(title, { skip: own.untestable?.includes(title) ?? false }, () => judge(one, results.get(title), own))
    }

    it("says of itself that it lacks what the flags say", { skip: process.platform !== "linux" }, async () => {
      const { missing } = await ask(name as keyof typeof flags)
      expect([...missing].sort()).toEqual([...own.missing].sort())
    })

    it("fails nowhere else", () => {
      const known = new Set(cases.map(titleOf))
      expect([...results.values()].filter((result) => !known.has(result.name))).toEqual([])
      expect(own.untestable?.filter((title) => !known.has(title)) ?? []).toEqual([])
    })
  })
}

/** The timers that run for the two ends of a connection between these ports, by Linux: 02 is keep-alive. */
const timers = (ports: ReadonlyArray<number>): Record<string, string> => {
  const hexadecimal = ports.map((port) => `:${port.toString(16).toUpperCase().padStart(4, "0")}`)
  const ends = readFileSync("/proc/net/tcp", "latin1").split("\n").map((line) => line.trim().split(/\s+/))
    .filter((fields) => hexadecimal.every((port) => fields.slice(1, 3).some((field) => field.endsWith(port))))
  return Object.fromEntries(ends.map((fields) => [Number.parseInt(fields[1]!.slice(-4), 16), fields[5]!.slice(0, 2)]))
}

// What Deno cannot look at from inside. The client here has no keep-alive.
describe.runIf(process.platform === "linux")("seen from outside", () => {
  it.each(["node", "bun", "deno"] as const)("%s keeps a server's connections alive", async (name) => {
    const command = name === "deno" ? deno("--allow-net=127.0.0.1:0") : [name]
    const server = new Child([...command, join(import.meta.dirname, "descriptors.main.ts")])
    try {
      const { port } = await server.line("stdout", (line) => JSON.parse(line).address)
      const client = connect(port, "127.0.0.1")
      client.write("x")
      await once(client, "data")
      const ports = [port, client.localPort!]
      // Until what was sent has been acknowledged, other timers run.
      for (let attempts = 0; timers(ports)[port] !== "02" && attempts < 200; attempts++) await delay(20)
      expect(timers(ports)).toEqual({ [port]: "02", [client.localPort!]: "00" })
      client.destroy()
    } finally {
      await server.kill()
    }
  })
})

const networks: Record<string, Options> = {
  "memory": {},
  "memory with small buffers": { bufferSize: 10_000 },
  "memory with splits, merges and partial writes": {
    seed: 20_261,
    faults: { split: 0.4, merge: 0.3, partialWrite: 0.3 },
  },
  "memory with delays": { faults: { delay: 0.5 } },
}

for (const [name, options] of Object.entries(networks)) {
  describe(name, () => {
    for (const one of cases.filter((one) => ["tcp", "addresses", "unix"].includes(one.area))) {
      it(titleOf(one), async () => {
        judge(one, await Effect.runPromise(Effect.provide(runCase(one), layer(options))), { missing: [] })
      })
    }
  })
}
