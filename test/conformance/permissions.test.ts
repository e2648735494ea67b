/** Every row of the table in docs/permissions.md runs on Deno, with exactly its flags and without them. */
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Child, type End, killAll, root } from "./wire/child.ts"

const socket = join(mkdtempSync(join(tmpdir(), "anyport-permissions-")), "anyport.sock")
// Inside the repository, where "anyport" means this package.
const folder = mkdtempSync(join(root, "test/conformance/permissions-"))

const modules: Record<string, string> = {
  "greeting.ts": 'export const greeting = "hello "\n',
  "my-service.ts": [
    'import * as Effect from "effect/Effect"',
    'import { Lines, Service } from "anyport"',
    'import { greeting } from "./greeting.ts"',
    "export default Service.respond(Lines.make({ maxLength: 80 }), (line) => Effect.succeed(greeting + line))",
  ].join("\n"),
  "configured.ts": [
    'import * as Config from "effect/Config"',
    'import * as Context from "effect/Context"',
    'import * as Effect from "effect/Effect"',
    'import * as Layer from "effect/Layer"',
    'import { Lines, Service } from "anyport"',
    'class Home extends Context.Service<Home, string>()("test/Home") {}',
    "const service = Service.respond(Lines.make({ maxLength: 80 }), (line) => Effect.map(Home, (home) => home + line))",
    'export default Service.provide(service, Layer.effect(Home, Config.String("PATH")))',
  ].join("\n"),
}

let port = 0
let adminPort = 0
let loadPort = 0
let ipv6 = true
beforeAll(async () => {
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, name), text)
  const servers = [createServer().listen(0, "127.0.0.1"), createServer().listen(0, "127.0.0.1")]
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port) // they are of TCP
  ;[port, adminPort] = [ports[0]!, ports[1]!]
  servers.forEach((server) => server.close())
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1")
  await once(echo, "listening")
  loadPort = (echo.address() as { readonly port: number }).port // it is of TCP
  echo.unref()
  const second = createServer().listen(0, "::1")
  ipv6 = await once(second, "listening").then(() => true, () => false)
  second.close()
})
afterAll(async () => {
  await killAll()
  rmSync(folder, { recursive: true })
  rmSync(join(socket, ".."), { recursive: true })
})

/** What a row says, with the places of this machine instead of its own. */
interface Row {
  readonly title: string
  readonly args: ReadonlyArray<string>
  readonly flags: ReadonlyArray<string>
  /** What is granted in either case. */
  readonly beside: ReadonlyArray<string>
  /** The exit code without the flags; undefined where it goes on. */
  readonly code: number | undefined
  readonly says: ReadonlyArray<string>
}

const here = (text: string): string =>
  text.replaceAll("9000", String(port))
    .replaceAll("9001", String(adminPort))
    .replaceAll("9002", String(loadPort))
    .replaceAll("/tmp/report.html", join(socket, "..", "report.html"))
    .replaceAll("/run/anyport.sock", socket)
    .replaceAll("@anyport", `@${socket}`)
    .replace(/\.\/(?=[\w-]+\.ts)/g, `./${relative(root, folder)}/`)

const spans = (cell: string): ReadonlyArray<string> => [...cell.matchAll(/`([^`]+)`/g)].map((match) => here(match[1]!))
const flagsOf = (cell = ""): ReadonlyArray<string> => spans(cell).filter((span) => span.startsWith("--"))

const cells = readFileSync(join(root, "docs/permissions.md"), "utf8").split("\n")
  .filter((line) => line.startsWith("|")).slice(2)
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

/** Read when a test runs: only then is the port known. */
const rowOf = ([what = "", flags = "", without = ""]: ReadonlyArray<string>): Row => {
  const [wanted, beside] = flags.split("beside")
  const code = /^ends with (\d)/.exec(without)?.[1]
  return {
    title: what,
    args: onFreePort(spans(what).find((span) => span.startsWith("anyport "))!.split(" ").slice(1)),
    flags: flagsOf(wanted),
    beside: flagsOf(beside),
    code: code === undefined ? undefined : Number(code),
    says: spans(without.split(": ")[1] ?? ""),
  }
}

/** What would listen on 9000 listens on the port that stands for it. */
const onFreePort = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args[0] !== "serve" || args.includes("--port") || args.includes("--unix") ? args : [...args, "--port", String(port)]

/** Runs until it ends, or until it listens and has said what it goes on without. */
const run = async (
  args: ReadonlyArray<string>,
  flags: ReadonlyArray<string>,
  says = "",
  environment: ReadonlyArray<string> = [],
): Promise<End> => {
  const child = new Child([...environment, "deno", "run", "--no-prompt", "--quiet", ...flags, "cli/main.ts", ...args])
  if (args[0] === "serve") {
    const ready = (line: string) => line.includes('"message":"listening"') || undefined
    const listening = await Promise.race([child.line("stderr", ready).catch(() => false), child.ended])
    if (listening === true) {
      await child.line("stderr", (line) => line.includes(says) || undefined)
      child.signal("SIGTERM")
    }
  }
  return child.ended
}

describe("docs/permissions.md", () => {
  for (const texts of cells) {
    it(texts[0]!, async ({ skip }) => {
      const { args, flags, beside, code, says } = rowOf(texts)
      skip(!ipv6 && args.includes("::"), "no IPv6 here")
      const without = await run(args, beside, says[0])
      expect(without.code, without.stderr).toBe(code ?? 0)
      for (const text of says) expect(without.stderr + without.stdout).toContain(text)
      if (code === 2) expect(without.stderr.trim().split("\n").length, "lines").toBe(1)

      if (flags.length === 0) return
      const granted = await run(args, [...flags, ...beside])
      expect(granted.code, granted.stderr).toBe(0)
      for (const text of says) expect(granted.stderr + granted.stdout).not.toContain(text)
      // No flag can be left out.
      for (const flag of flags.length > 1 && code === 2 ? flags : []) {
        const fewer = await run(args, [...flags.filter((one) => one !== flag), ...beside])
        expect(fewer).toMatchObject({ code: 2, stderr: expect.stringContaining(flag) })
      }
    })
  }

  it("has the rows that it is meant to have", () => {
    expect(cells.length).toBeGreaterThan(10)
    for (const row of cells) expect(row.length).toBe(3)
  })

  it("the environment decides about colours where it may be read, and only there", async () => {
    const row = cells.find(([what]) => what!.includes("FORCE_COLOR"))!
    const { args, flags } = rowOf(row)
    const help = async (flags: ReadonlyArray<string>): Promise<boolean> =>
      (await run(args, flags)).stdout.includes("\x1b[")
    const { FORCE_COLOR } = process.env
    try {
      process.env["FORCE_COLOR"] = "1"
      expect([await help(flags), await help([])]).toEqual([true, false])
    } finally {
      if (FORCE_COLOR === undefined) delete process.env["FORCE_COLOR"]
      else process.env["FORCE_COLOR"] = FORCE_COLOR
    }
  })

  it("systemd is told only where its program may be run, which is said when the variable may be read", async () => {
    const row = cells.find(([what]) => what!.includes("systemd"))!
    const { args, flags, beside } = rowOf(row)
    const told = join(folder, "told")
    writeFileSync(join(folder, "systemd-notify"), `#!/bin/sh\necho "$*" >> ${told}\n`, { mode: 0o755 })
    const environment = ["env", "NOTIFY_SOCKET=@nowhere", `PATH=${folder}:${process.env["PATH"]}`]
    const messages = async (...flags: ReadonlyArray<string>): Promise<{ text: string; stderr: string }> => {
      rmSync(told, { force: true })
      const { code, stderr } = await run(args, [...flags, ...beside], "", environment)
      expect(code).toBe(0)
      return { text: existsSync(told) ? readFileSync(told, "utf8") : "", stderr }
    }
    const warning = "systemd cannot be told"
    const granted = await messages(...flags)
    expect(granted.text).toMatch(/^READY=1 .*\n(.*\n)*STOPPING=1 /)
    expect(granted.stderr).not.toContain(warning)
    const unread = await messages()
    expect([unread.text, unread.stderr.includes(warning)]).toEqual(["", false])
    const unrun = await messages(flags[0]!)
    expect(unrun.text).toBe("")
    expect(unrun.stderr.split("\n").filter((line) => line.includes(warning))).toEqual([
      expect.stringContaining("Deno wants --allow-run=systemd-notify"),
    ])
  })

  it("--allow-net=:PORT covers 127.0.0.1 and not ::1", async () => {
    const flags = [`--allow-net=:${port}`]
    expect((await run(["serve", "--port", String(port)], flags)).code).toBe(0)
    const { code, stderr } = await run(["serve", "--host", "localhost", "--port", String(port)], flags)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`Deno wants --allow-net=[::1]:${port})`),
    })
  })

  it("what a service imports by a path is named when it may not be read", async () => {
    const path = join(folder, "my-service.ts")
    const { code, stderr } = await run(["serve", path], [`--allow-read=${path}`, "--allow-net=127.0.0.1"])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^anyport: Cannot load the service .*: reading .* was not allowed; run deno with --allow-read=/,
    )
    expect(stderr.trim().split("\n").length).toBe(1)
  })

  it("what is denied is said to be", async () => {
    const { code, stderr } = await run(["serve"], ["--allow-net", "--deny-net=127.0.0.1:9000"])
    expect(code).toBe(2)
    expect(stderr).toContain("Deno wants --allow-net=127.0.0.1:9000, and nothing that denies it")
  })
})
