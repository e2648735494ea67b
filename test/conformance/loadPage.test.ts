/**
 * What `docs/load.md` says is so: its flags are those that there are, its commands are understood, its hostile clients do
 * what it says, its program runs.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { attacks, modes } from "../../load/hostile/Hostile.ts"
import { Child, type End, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { closeAll, echo } from "./wire/loadServers.ts"

const page = readFileSync(join(root, "docs/load.md"), "utf8")

let folder: string
beforeAll(() => {
  // Inside the repository, where "anyport" means this package.
  folder = mkdtempSync(join(root, "test/conformance/readme-load-"))
})
afterAll(async () => {
  closeAll()
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

const anyport = (args: ReadonlyArray<string>): Promise<End> => new Child(["node", "cli/main.ts", ...args]).ended

it("its table has every flag of `anyport load`, and no other", async () => {
  const { stdout } = await anyport(["load", "--help"])
  const [, flags = ""] = /\nFLAGS\n([\s\S]*?)\n\n/.exec(stdout) ?? []
  const there = [...flags.matchAll(/^ +(--[a-z-]+)/gm)].map(([, flag]) => flag)
  const shown = [...page.slice(page.indexOf("## All flags")).matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag)
  expect(there.length).toBeGreaterThan(20)
  expect(shown).toEqual(there)
})

it("says of every mode that does harm what it does", () => {
  const [, section = ""] = /^## Hostile clients\n([\s\S]*?)^## /m.exec(page) ?? []
  const shown = [...section.matchAll(/^\| `([a-z][a-z-]+)` +\| (.*?) +\|$/gm)]
  expect(shown.map(([, mode, what]) => [mode, what])).toEqual(modes.map((mode) => [mode, attacks[mode].what]))
})

const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) =>
  block.split("\n").filter((line) => line.startsWith("anyport load ") && !line.includes("load merge"))
    .map((line) => line.replace(/ {2,}#.*/, ""))
)

// At a port where nobody listens a command that is understood fails, and one that is not is refused.
it.each(commands)("%s", async (command) => {
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  const args = words.slice(1)
    .map((word) => word.replace("127.0.0.1:9000", "127.0.0.1:1").replace(/load\.(html|json)$/, join(folder, "load.$1")))
  if (args[1]?.endsWith(".ts") && args.length === 2) args.push("tcp://127.0.0.1:1")
  const few = args.map((word) => word === "10000" ? "10" : word)
  const { code, stderr } = await anyport([...few, "--quiet"])
  expect(code, stderr).toBe(1)
  expect(stderr).toContain("connect-refused")
})

const program = (runtime: Runtime, script: string, target: string): Child =>
  new Child([
    ...runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1"] : [runtime],
    script,
    target,
  ])

describe.each(runtimes)("on %s", (runtime) => {
  it("its program measures", async () => {
    const [, text = ""] = /```ts title="measure.ts"\n([\s\S]*?)```/.exec(page) ?? []
    const script = join(folder, `${runtime}-measure.ts`)
    writeFileSync(script, text)
    const { code, stdout, stderr } = await program(runtime, script, `tcp://127.0.0.1:${(await echo()).port}`).ended
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^[1-9]\d* replies, p99 \d+ µs, 0 errors\n$/)
  })
})
