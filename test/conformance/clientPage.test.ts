/** The program that docs/client.md shows: it type-checks, and prints the same on every runtime. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Child, killAll, root, runtimes } from "./wire/child.ts"

const page = readFileSync(join(root, "docs/client.md"), "utf8")
const blocks = [...page.matchAll(/```ts title="([\w.]+)"\n([\s\S]*?)```/g)]

// Inside the repository, where "anyport" means this package.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/conformance/readme-"))
  for (const [, name, text] of blocks) writeFileSync(join(folder, name!), text!)
})
afterEach(killAll)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("shows one program, which type-checks", () => {
  expect(blocks.map(([, name]) => name)).toEqual(["weather.ts"])
  const include = ["*.ts", "../../../core/ambient.d.ts"]
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: "../../../tsconfig.json", include }))
  const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" })
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
}, 60_000)

describe.each(runtimes)("on %s", { timeout: 60_000 }, (runtime) => {
  it("it runs, and ends by itself", async () => {
    const deno = ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", "--allow-read=."]
    const child = new Child([...(runtime === "deno" ? deno : [runtime]), join(folder, "weather.ts")])
    const { code, stdout, stderr } = await child.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout.split("\n").slice(0, -1)).toEqual([
      "Connecting",
      "Connected",
      "LoggedIn",
      "1 12 degrees",
      "storm warning for ann",
      "2 12 degrees",
      "Disconnected",
      "Closed",
    ])
  })
})
