/** The port's clauses on every adapter: each runtime in processes of its own, the one in memory here. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { layer, type Options } from "../../adapters/memory.ts"
import type { Capabilities } from "../../core/Sockets.ts"
import { type Area, type Case, type Result, runCase, suite, titleOf } from "./clauses/index.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-"))
afterAll(() => rmSync(directory, { recursive: true }))

const cases = suite(directory)
const script = join(import.meta.dirname, "port.main.ts")

/** How a runtime runs the cases of some areas: in one process with these permissions. */
interface Invocation {
  readonly areas: ReadonlyArray<Area>
  readonly command: ReadonlyArray<string>
}

/** A runtime's processes, and what it cannot do. */
interface Runtime {
  readonly missing: ReadonlyArray<keyof Capabilities>
  readonly invocations: ReadonlyArray<Invocation>
}

const everything: ReadonlyArray<Area> = ["tcp", "addresses", "unix", "files", "system"]
const deno = (...permissions: ReadonlyArray<string>) => ["deno", "run", "--no-prompt", "--quiet", ...permissions]
const files = [`--allow-read=${directory}`, `--allow-write=${directory}`]

const runtimes: Record<string, Runtime> = {
  node: { missing: [], invocations: [{ areas: everything, command: ["node"] }] },
  bun: { missing: [], invocations: [{ areas: everything, command: ["bun"] }] },
  deno: {
    missing: ["reset"],
    invocations: [
      { areas: ["tcp", "denied"], command: deno("--allow-net=127.0.0.1") },
      { areas: ["addresses"], command: deno("--allow-net=127.0.0.1,[::1],[::],localhost") },
      { areas: ["unix", "files"], command: deno("--allow-net", ...files) },
      // Reading /proc wants all permissions.
      { areas: ["system"], command: deno("--allow-all") },
    ],
  },
  // The only way to have SO_REUSEPORT.
  "deno --unstable-net": {
    missing: ["reset"],
    invocations: [{ areas: ["tcp"], command: deno("--unstable-net", "--allow-net=127.0.0.1") }],
  },
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

const judge = (one: Case, result: Result | undefined, missing: ReadonlyArray<keyof Capabilities>) => {
  const lacks = one.needs !== undefined && missing.includes(one.needs)
  const noIpv6 = result?.outcome === "skipped" && result.detail?.startsWith("no IPv6 here") === true
  if (noIpv6) return
  const { outcome, detail } = result ?? { outcome: "not run", detail: undefined }
  expect({ outcome, detail: outcome === "failed" ? detail : undefined }).toEqual({
    outcome: lacks ? "skipped" : "passed",
    detail: undefined,
  })
}

for (const [name, { missing, invocations }] of Object.entries(runtimes)) {
  describe(name, () => {
    const results = new Map<string, Result>()

    beforeAll(async () => {
      for (const invocation of invocations) {
        for (const result of await run(invocation)) results.set(result.name, result)
      }
    }, 240_000)

    const areas = invocations.flatMap((invocation) => invocation.areas)
    for (const one of cases.filter((one) => areas.includes(one.area))) {
      it(titleOf(one), () => judge(one, results.get(titleOf(one)), missing))
    }

    it("fails nowhere else", () => {
      const known = new Set(cases.map(titleOf))
      expect([...results.values()].filter((result) => !known.has(result.name))).toEqual([])
    })
  })
}

const networks: Record<string, Options> = {
  "memory": {},
  "memory with small buffers": { bufferSize: 1_000 },
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
        judge(one, await Effect.runPromise(Effect.provide(runCase(one), layer(options))), [])
      })
    }
  })
}
