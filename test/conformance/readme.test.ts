/** Every TypeScript block of the README runs as it stands, on every runtime. */
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"

const blocks = new Map(
  [...readFileSync(join(root, "README.md"), "utf8").matchAll(/```ts title="([\w.]+)"\n([\s\S]*?)```/g)]
    .map((match) => [match[1]!, match[2]!]),
)

// Inside the repository, where "anyport" means this package.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/conformance/readme-"))
  for (const [name, text] of blocks) writeFileSync(join(folder, name), text)
})
afterEach(killAll)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** How a reader runs a file: Deno gets the permissions that the README names. */
const run = (runtime: Runtime, ...script: ReadonlyArray<string>): ReadonlyArray<string> =>
  runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", "--allow-read=.", ...script]
    : [runtime, ...script]

/** Sends bytes and the FIN, and resolves with everything that came back. */
const ask = async (port: number, request: string | Uint8Array): Promise<Buffer> => {
  const socket = connect({ port, host: "127.0.0.1" })
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk) => chunks.push(chunk))
  socket.end(request)
  await once(socket, "close")
  return Buffer.concat(chunks)
}

const framed = (value: unknown): Buffer => {
  const json = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Buffer.of(json.length >> 8, json.length & 0xff), json])
}

describe.each(runtimes)("the README on %s", (runtime) => {
  const exchanges: ReadonlyArray<[name: string, request: string | Uint8Array, reply: string | Uint8Array]> = [
    ["echo.ts", "hello\n", "echo: hello\n"],
    [
      "sum.ts",
      Buffer.concat([framed({ numbers: [1, 2, 3] }), framed({}), framed({ numbers: [4] })]),
      Buffer.concat([framed({ sum: 6 }), framed({ error: "numbers is missing" }), framed({ sum: 4 })]),
    ],
    ["guess.ts", "3\n7\n", "Which number from 1 to 9 do I think of?\nNo. Again?\nYes!\n"],
  ]
  it.each(exchanges)("%s serves", async (name, request, reply) => {
    const module = `./${join(folder, name).slice(root.length)}`
    const child = new Child(run(runtime, "cli/main.ts", "serve", module, "--port", "0"))
    const port = await child.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1])
    expect((await ask(Number(port), request)).toString("latin1")).toBe(Buffer.from(reply).toString("latin1"))
    await child.kill()
  })

  const programs: ReadonlyArray<[name: string, request: string, reply: string]> = [
    ["program.ts", "hi\n", "echo: hi\n"],
    [
      "embed.ts",
      "zh\nfr\nbye\nunread\n",
      "你好, number 1\nanything else?\nen or zh?\nsee you\n",
    ],
  ]
  it.each(programs)("%s embeds a server, which ends with its program", async (name, request, reply) => {
    const child = new Child(run(runtime, join(folder, name)))
    const port = await child.line("stdout", (line) => /:(\d+)/.exec(line)?.[1])
    expect((await ask(Number(port), request)).toString()).toBe(reply)
    if (name !== "embed.ts") return child.kill()
    child.signal("SIGTERM")
    const { code, stdout } = await child.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/served: \d,\s+drained: \d,\s+forced: 0/)
  })

  it("echo.test.ts passes", async () => {
    expect(await new Child(run(runtime, join(folder, "echo.test.ts"))).ended).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    })
  })
})

it("every block has a name, so that none goes untested", () => {
  expect([...blocks.keys()]).toEqual([
    "echo.ts",
    "embed.ts",
    "sum.ts",
    "guess.ts",
    "program.ts",
    "echo.test.ts",
  ])
})
