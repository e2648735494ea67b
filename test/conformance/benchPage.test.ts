/**
 * What `docs/bench.md` says is so: its flags, scenarios and contenders are those that there are, and its commands are
 * understood. That they measure is seen in `test/bench/cli.test.ts`.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { contenders } from "../../bench/Contenders.ts"
import { bounds } from "../../bench/Gate.ts"
import { make } from "../../bench/Plan.ts"
import { all, roleOf } from "../../bench/Scenarios.ts"
import { Child, type End, killAll, root } from "./wire/child.ts"

const page = readFileSync(join(root, "docs/bench.md"), "utf8")
afterAll(killAll)

const anyport = (...args: ReadonlyArray<string>): Promise<End> => new Child(["node", "cli/main.ts", ...args]).ended

it("its table has every flag of `anyport bench`, and no other", async () => {
  const { stdout } = await anyport("bench", "--help")
  const [, flags = ""] = /\nFLAGS\n([\s\S]*?)\n\n/.exec(stdout) ?? []
  const there = [...flags.matchAll(/^ +(--[a-z-]+)/gm)].map(([, flag]) => flag)
  const shown = [...page.slice(page.indexOf("## All flags")).matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag)
  expect(there.length).toBeGreaterThan(10)
  expect(shown).toEqual(there)
})

it("names every scenario of the full run on a machine with many cores", () => {
  const [, list = ""] = /^Scenarios are (.*?)\. Exit codes/ms.exec(page) ?? []
  const shown = [...list.matchAll(/`([a-z]+)`/g)].map(([, name]) => name)
  expect(shown.toSorted()).toEqual([...new Set(all(3).map(({ cell }) => cell.scenario))].toSorted())
})

it("names everybody who takes part in the common cells", async () => {
  const { present } = await contenders({ main: "cli/main.ts", only: (id) => !/^(go|c$)/.test(id) })
  const plan = make({ drafts: all(1), contenders: present, seed: 1, quick: false, only: ["echo-lines-64-50x1"] })
  const [, table = ""] = /^## Who takes part\n([\s\S]*?)^All of them/m.exec(page) ?? []
  const roles = new Set(plan.contenders.map(roleOf))
  expect(roles.size).toBeGreaterThan(5)
  for (const role of roles) expect(table).toContain(`\`${role}-`)
})

it("says the bounds that trials are judged by", () => {
  const [, section = ""] = /^## What does not count, and why\n([\s\S]*?)^## /m.exec(page) ?? []
  const text = section.replace(/\s+/g, " ")
  expect(text).toContain(`others took more than ${bounds.elsewhere * 100} % of the server's core`)
  expect(text).toContain(`the hypervisor kept more than ${bounds.stolen * 100} % of it`)
  expect(page.replace(/\s+/g, " ")).toContain(`at least ${bounds.busy * 100} % busy`)
})

const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) =>
  block.split("\n").filter((line) => line.startsWith("npm run bench -- ")).map((line) => line.replace(/ +#.*/, ""))
)

it("has commands", () => expect(commands.length).toBeGreaterThan(3))

// Behind flags that are understood, a scenario that there is not keeps it from measuring.
it.each(commands)("%s", async (command) => {
  const args = command.split(" ").slice(4).map((word) => word.endsWith(".json") ? `none/${word}` : word)
  const asks = args[0] !== "compare" && args[0] !== "report"
  const { code, stderr } = await anyport("bench", ...args, ...asks ? ["--only", "nothing"] : [])
  expect(code, stderr).toBe(2)
  expect(stderr).toMatch(asks ? /--only: .*got nothing$/m : /none\//)
})
