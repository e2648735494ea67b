/** The echo service with programs that others wrote: OpenBSD's netcat and socat, as a person at a shell uses them. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Child, command, runtimes, serve, start } from "../../scripts/child.ts"

/** Runs a program on an input and resolves with what it printed once it has ended by itself. */
const run = async (program: string, args: ReadonlyArray<string>, input: string): Promise<string> => {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] })
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text)
  child.stdin.end(input)
  await once(child, "close") // or the error that says that the program is missing
  return output
}

describe.each(runtimes)("anyport serve on %s", (runtime) => {
  let server: Child
  beforeAll(async () => {
    server = await start(serve(runtime, "echo"))
  })
  afterAll(() => server?.stop())

  it("answers nc on localhost, also a last line without an end", async () => {
    expect(await run("nc", ["-N", "localhost", String(server.port)], "hello\nworld")).toBe("echo: hello\necho: world\n")
  })

  it("gives socat the whole reply after it has finished sending", async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `第${index}行 ${"x".repeat(index % 200)}`)
    const address = `TCP:127.0.0.1:${server.port}`
    const output = await run("socat", ["-t", "30", "-", address], lines.join("\n") + "\n")
    expect(output).toBe(lines.map((line) => `echo: ${line}\n`).join(""))
  })
})

// Deno would need permissions by path for it; `clauses` covers its Unix sockets.
describe.each(["node", "bun"] as const)("anyport serve --unix on %s", (runtime) => {
  it("answers socat on a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "anyport-interop-"))
    const path = join(folder, "echo.sock")
    const [program, ...args] = command(runtime, "cli/main.ts", "serve", "--unix", path)
    const child = spawn(program!, args, { stdio: ["ignore", "ignore", "pipe"] })
    try {
      await once(child.stderr, "data") // the ready line
      expect(await run("socat", ["-t", "30", "-", `UNIX-CONNECT:${path}`], "hello\n")).toBe("echo: hello\n")
    } finally {
      child.kill("SIGTERM")
      await once(child, "close")
      rmSync(folder, { recursive: true })
    }
  })
})
