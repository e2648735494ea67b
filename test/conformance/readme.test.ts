/** Every TypeScript block of the README runs as it stands, on every runtime. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Child, command, root, runtimes, serve, start } from "../../scripts/child.ts"

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
afterAll(() => rmSync(folder, { recursive: true, force: true }))

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
    let server: Child | undefined
    try {
      server = await start(serve(runtime, `./${join(folder, name).slice(root.length)}`))
      expect((await ask(server.port, request)).toString("latin1")).toBe(Buffer.from(reply).toString("latin1"))
    } finally {
      await server?.stop()
    }
  })

  it("program.ts embeds a server", async () => {
    const [file, ...args] = command(runtime, join(folder, "program.ts"))
    const child = spawn(file!, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
    try {
      const [line] = await once(child.stdout, "data") as [Buffer]
      expect((await ask(Number(/:(\d+)/.exec(String(line))?.[1]), "hi\n")).toString()).toBe("echo: hi\n")
    } finally {
      child.kill("SIGKILL")
    }
  })
})

it("every block has a name, so that none goes untested", () => {
  expect([...blocks.keys()]).toEqual(["echo.ts", "sum.ts", "guess.ts", "program.ts"])
})
