/** Source addresses of a run, on every runtime: through `node:net`, and on Deno with permission or a plain refusal. */
import { expect, it } from "vitest"
import { Child } from "./child.ts"

const script = "test/conformance/wire/loadSources.main.ts"
const deno = (hosts: string) => ["deno", "run", "--no-prompt", "--quiet", `--allow-net=${hosts}`]

const found = async (command: ReadonlyArray<string>, ...sources: ReadonlyArray<string>) => {
  const { stdout, stderr } = await new Child([...command, script, ...sources]).ended
  if (stdout === "") throw new Error(stderr)
  return JSON.parse(stdout)
}

it.each([
  ["node", ["node"], /^node \d/],
  ["bun", ["bun"], /^bun \d.* by node:net$/],
  ["deno", deno("127.0.0.1,127.0.0.2,127.0.0.3"), /^deno \d.* by node:net$/],
])("%s connects from each address by turns", async (_, command, runtime) => {
  const { seen, runtime: own } = await found(command, "127.0.0.2", "127.0.0.3")
  expect(seen).toEqual(["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"])
  expect(own).toMatch(runtime)
})

it.each([["node", ["node"]], ["bun", ["bun"]], ["deno", deno("127.0.0.1")]])(
  "%s uses its own sockets where none is given",
  async (name, command) => {
    const { seen, runtime } = await found(command)
    expect(seen).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    expect(runtime).toMatch(new RegExp(`^${name} [^ ]+$`))
  },
)

it("Deno without permission for a source says which flag it wants, and lives", async () => {
  const { error } = await found(deno("127.0.0.1"), "127.0.0.2")
  expect(error).toMatch(/from 127\.0\.0\.2: permission denied \(Deno wants --allow-net=127\.0\.0\.2:0\)$/)
})
