/**
 * The command line as a person at a shell meets it, on every runtime: ready line, signals, exit codes, and one line for
 * whatever is wrong. What the service answers is for the other files.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Child, killAll, root, type Runtime, runtimes } from "./child.ts"
import { connect, connectUnix, disconnectAll } from "./client.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-cli-"))
const temporary = (name: string): string => join(directory, name)

const modules: Record<string, string> = {
  "without-default.ts": "export const service = 1\n",
  "throws.ts": "throw new Error('no database here')\n",
  "syntax.ts": "export default {\n",
  "number.ts": "export default 5\n",
  "outside.ts": "import * as Effect from 'effect/Effect'\nimport { Service } from 'anyport'\nexport default Service\n",
}

beforeAll(() => {
  for (const [name, text] of Object.entries(modules)) writeFileSync(temporary(name), text)
  // Beside a `node_modules`, Bun does not install what a module imports.
  mkdirSync(temporary("node_modules"))
})
afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

/** How each runtime runs the program. Deno wants no permission but that of the address, and those of paths. */
const anyport = (
  runtime: Runtime,
  args: ReadonlyArray<string>,
  permissions: ReadonlyArray<string> = [],
  address = "127.0.0.1",
): Child => {
  const command = runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", `--allow-net=${address}`, ...permissions]
    : [runtime]
  return new Child([...command, "cli/main.ts", ...args])
}

const record = (line: string): Record<string, unknown> => {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

/** The record of the log with this message, and this phase of a drain, once it is there. */
const logged = (child: Child, message: string, phase?: string): Promise<Record<string, unknown>> =>
  child.line("stderr", (line) => {
    const found = record(line)
    return found["message"] === message && (phase === undefined || found["phase"] === phase) ? found : undefined
  })

/** The port that it says it listens on. */
const listening = async (child: Child): Promise<number> => {
  const { address } = await logged(child, "listening")
  return Number(/^127\.0\.0\.1:(\d+)$/.exec(String(address))?.[1])
}

const serve = (runtime: Runtime, ...args: ReadonlyArray<string>): Child =>
  anyport(runtime, ["serve", ...args, "--port", "0"], ["--allow-read=."])

/** What is wrong with an invocation, and what the line has to say about it. */
const mistakes: ReadonlyArray<readonly [args: string, says: ReadonlyArray<string>]> = [
  ["serve --port 99999", ["--port", "99999", "0 to 65535"]],
  ["serve --port abc", ["--port", "abc", "number"]],
  ["serve --nothing", ["--nothing", "anyport --help"]],
  ["serve --max-connections 0", ["--max-connections", "at least 1"]],
  ["serve --idle-timeout soon", ["--idle-timeout", "soon", "30s"]],
  ["serve --idle-timeout 0s", ["--idle-timeout", "0s", "off"]],
  ["serve --drain-delay 5", ["--drain-delay", "5", "30s"]],
  ["serve --drain-timeout never", ["--drain-timeout", "never", "off"]],
  ["serve --admin 9001", ["--admin", "9001", "127.0.0.1:9001"]],
  ["serve --admin 127.0.0.1:99999", ["--admin", "127.0.0.1:99999", "unix:"]],
  ["nothing", ["nothing", "anyport --help"]],
  ["serve nothing", ["nothing", "echo", "./nothing.ts"]],
  ["serve ./nothing.ts", ["./nothing.ts", "no file", join(root, "nothing.ts")]],
  [`serve ${temporary("without-default.ts")}`, ["without-default.ts", "default export is missing", "Service.respond"]],
  [`serve ${temporary("number.ts")}`, ["number.ts", "of type number", "Service.respond"]],
  [`serve ${temporary("throws.ts")}`, ["throws.ts", "no database here"]],
  [`serve ${temporary("syntax.ts")}`, ["syntax.ts", "xpected"]],
  [`serve ${temporary("outside.ts")}`, ["outside.ts", "not installed", "npm install anyport effect"]],
  [`serve --unix ${temporary("both.sock")} --port 1`, ["both.sock", "excludes", "--port"]],
]

describe.each(runtimes)("%s", (runtime) => {
  it("says where it listens, echoes, and ends at SIGTERM with a report and 0", async () => {
    const child = anyport(runtime, ["serve", "--port", "0"])
    const client = await connect(await listening(child))
    expect(await client.ask("hello")).toBe("echo: hello")
    child.signal("SIGTERM")
    expect((await client.rest()).length).toBe(0)
    client.finish()
    const { code, stdout, stderr } = await child.ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" })
    const lines = stderr.trim().split("\n").map(record)
    // Deno cannot compare its limit of connections with that of descriptors, and says so.
    const unchecked = String(lines[0]!["descriptors"]).includes("max-connections is not checked")
    expect(unchecked).toBe(runtime === "deno" || process.platform !== "linux")
    // In a container there is a warning as well.
    const said = lines.filter(({ level }) => level === "info").map(({ message, phase }) => phase ?? message)
    expect(said).toEqual(["listening", "announced", "closing", "ending", "ended", "drained"])
    expect(lines.at(-1)).toMatchObject({ level: "info", served: 0, drained: 1, forced: 0, unsent: 0 })
  })

  it("2, 12: ends a peer that says nothing, and nobody who does, by --idle-timeout", async () => {
    const child = anyport(runtime, ["serve", "--port", "0", "--idle-timeout", "1500ms"])
    const port = await listening(child)
    const [silent, talking] = [await connect(port), await connect(port)]
    let answers = 0
    while (silent.ending === undefined) {
      expect(await talking.ask("still here")).toBe("echo: still here")
      answers++
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect({ ending: silent.ending, many: answers > 5 }).toEqual({ ending: "fin", many: true })
    silent.finish()
    expect(await talking.ask("and here")).toBe("echo: and here")
    expect(await logged(child, "closed")).toMatchObject({ reason: "idle_timeout" })
  })

  it("ends at SIGINT likewise, also without a connection", async () => {
    const child = serve(runtime)
    await listening(child)
    child.signal("SIGINT")
    const { code, stderr } = await child.ended
    expect(code).toBe(0)
    expect(stderr).toContain('"message":"drained"')
  })

  for (const [signal, expected] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    it(`a second ${signal} ends it at once with ${expected}, whatever a handler does`, async () => {
      const child = serve(runtime, "test/conformance/wire/stuck.ts")
      const client = await connect(await listening(child))
      expect(await client.ask("hello")).toBe("mine: hello")
      await client.send("stuck\n")
      child.signal("SIGTERM")
      await logged(child, "draining", "ending")
      expect(await connect(await listening(child)).catch((error) => error.code)).toBe("ECONNREFUSED")
      child.signal(signal)
      const { code, stderr } = await child.ended
      expect(code).toBe(expected)
      expect(stderr).not.toContain('"message":"drained"')
      await client.ended()
    })
  }

  it("a port in use is one line and 2", async () => {
    const first = serve(runtime)
    const port = await listening(first)
    const { code, stdout, stderr } = await anyport(runtime, ["serve", "--port", String(port)]).ended
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr:
        `anyport: Cannot listen on 127.0.0.1:${port}: another process is listening there; end it, or choose another address\n`,
    })
    await first.kill()
  })

  it.each(mistakes)("anyport %s: one line and 2", async (args, says) => {
    const { code, stdout, stderr } = await anyport(runtime, args.split(" "), ["--allow-read"]).ended
    expect({ code, stdout, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 2, stdout: "", lines: 1 })
    expect(stderr).toMatch(/^anyport: /)
    for (const part of says) expect(stderr).toContain(part)
  })

  it("a module that may not be read names the permission", { skip: runtime !== "deno" }, async () => {
    const { code, stderr } = await anyport(runtime, ["serve", temporary("number.ts")]).ended
    expect(code).toBe(2)
    expect(stderr).toContain(`--allow-read=${temporary("number.ts")}`)
  })

  it.each([
    ["--help", "anyport"],
    ["serve --help", "--max-connections"],
    ["--version", "anyport v0.1.0"],
    ["--completions bash", "complete -F"],
  ])("anyport %s is a result: on stdout, and 0", async (args, says) => {
    const { code, stdout, stderr } = await anyport(runtime, args.split(" ")).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toContain(says)
  })

  it("d5-12, F11: a Unix path is served; a live one is refused, a stale one is taken over, none is left", async () => {
    const path = temporary(`${runtime}.sock`)
    const args = ["serve", "--unix", path]
    const permissions = [`--allow-read=${path}`, `--allow-write=${path}`]
    const start = () => anyport(runtime, args, permissions, `unix:${path}`)
    const first = start()
    expect(await logged(first, "listening")).toMatchObject({ address: `unix:${path}` })
    expect(await (await connectUnix(path)).ask("one")).toBe("echo: one")

    const second = await start().ended
    expect(second).toEqual({
      code: 2,
      stdout: "",
      stderr:
        `anyport: Cannot listen on unix:${path}: another process is listening there; end it, or choose another address\n`,
    })
    expect(await (await connectUnix(path)).ask("two")).toBe("echo: two")

    await first.kill()
    const third = start()
    await logged(third, "listening")
    expect(await (await connectUnix(path)).ask("three")).toBe("echo: three")
    disconnectAll()
    third.signal("SIGTERM")
    expect((await third.ended).code).toBe(0)
    await expect(connectUnix(path)).rejects.toMatchObject({ code: "ENOENT" })
  })

  // Deno cannot read its limit without all permissions, and counts on its own survival of it (see ops/descriptors.ts).
  it("d5-10, F5, F7: more connections than descriptors are refused, and those that are there are served", {
    skip: runtime === "deno" || process.platform !== "linux",
  }, async () => {
    const child = new Child(
      ["prlimit", "--nofile=64:64", runtime, "cli/main.ts", "serve", "--port", "0", "--max-connections", "1000"],
    )
    const port = await listening(child)
    const lower = "max-connections lowered: the descriptor limit does not carry it (raise `ulimit -n`)"
    const warning = await logged(child, lower)
    expect(warning).toMatchObject({ level: "warn", asked: 1_000, limit: 64 })
    const lowered = Number(warning["lowered"])
    expect(lowered).toBeGreaterThan(8)
    expect(lowered).toBeLessThan(64)

    const first = await connect(port)
    expect(await first.ask("hello")).toBe("echo: hello")
    const clients = await Promise.all(Array.from({ length: 200 }, () => connect(port).catch(() => undefined)))
    const asked = clients.filter((client) => client !== undefined)
    const answers = await Promise.all(asked.map((client) => client.ask("hello").catch(() => "refused")))
    expect(answers.filter((answer) => answer === "echo: hello").length).toBe(lowered - 1)
    expect(answers.filter((answer) => answer === "refused").length).toBe(asked.length - lowered + 1)
    expect(await first.ask("still there")).toBe("echo: still there")

    asked.forEach((client) => client.socket.destroy())
    let again = "refused"
    while (again === "refused") again = await connect(port).then((client) => client.ask("again")).catch(() => "refused")
    expect(again).toBe("echo: again")
    child.signal("SIGTERM")
    disconnectAll()
    expect((await child.ended).code).toBe(0)
    expect(child.stderr).toContain('"limit":"limits.maxConnections"')
  })
})
