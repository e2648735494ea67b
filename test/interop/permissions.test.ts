/**
 * Deno in a terminal, without flags: there it stops and asks for what was not granted, which looks like a hang. The
 * terminal is Python's `pty`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { Child, killAll, root } from "../conformance/wire/child.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-terminal-"))
const path = join(directory, "anyport.sock")
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

/** A program in a terminal of its own, with nobody at it. */
const inTerminal = (...command: ReadonlyArray<string>): Child => {
  const script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
  return new Child(["python3", "-c", script, ...command])
}

const anyport = (flags: ReadonlyArray<string>, ...args: ReadonlyArray<string>): Child =>
  inTerminal("deno", "run", "--quiet", ...flags, "cli/main.ts", ...args)

/** Fails with what is on the screen when the program has not ended after 20 s. */
const screen = async (child: Child): Promise<{ readonly code: number | string; readonly text: string }> => {
  const timer = setTimeout(() => child.signal("SIGKILL"), 20_000)
  const { code, stdout } = await child.ended
  clearTimeout(timer)
  const text = stdout.replaceAll("\r", "")
  if (code === "SIGKILL") throw new Error(`It did not end; on the screen is: ${text}`)
  return { code, text }
}

describe("deno in a terminal", () => {
  it("asks for what is needed without asking first: so this is such a terminal", async () => {
    const script = join(directory, "asking.ts")
    writeFileSync(script, 'Deno.env.get("HOME")')
    const child = inTerminal("deno", "run", "--quiet", script)
    await child.line("stdout", (line) => line.includes("Deno requests") || undefined)
    await child.kill()
  })

  it.each([
    ["an address", [], ["serve", "--port", "9999"], "--allow-net=127.0.0.1:9999"],
    [
      "the second loopback",
      ["--allow-net=127.0.0.1"],
      ["serve", "--host", "localhost", "--port", "0"],
      "--allow-net=[::1]:",
    ],
    ["a Unix socket", [], ["serve", "--unix", path], `--allow-net=unix:${path}`],
    ["the path of one", [`--allow-net=unix:${path}`], ["serve", "--unix", path], `--allow-write=${path}`],
    ["a service's file", [], ["serve", "./services/echo.ts"], `--allow-read=${join(root, "services/echo.ts")}`],
  ])("%s that is not granted is one line, and 2", async (_, flags, args, wanted) => {
    const { code, text } = await screen(anyport(flags, ...args))
    expect(text.trim().split("\n"), text).toEqual([expect.stringMatching(/^anyport: Cannot /)])
    expect(text).toContain(wanted)
    expect(code).toBe(2)
  })

  it("help is in colour and asks for nothing", async () => {
    const { code, text } = await screen(anyport([], "--help"))
    expect({ code, coloured: text.includes("\x1b[1mUSAGE") }).toEqual({ code: 0, coloured: true })
  })

  it("help is plain when NO_COLOR is set", async () => {
    const { code, text } = await screen(
      inTerminal("env", "NO_COLOR=1", "deno", "run", "--quiet", "cli/main.ts", "--help"),
    )
    expect({ code, coloured: text.includes("\x1b[") }).toEqual({ code: 0, coloured: false })
  })

  it("the doctor asks for nothing, and says so", async () => {
    const { code, text } = await screen(anyport([], "doctor"))
    expect(code).toBe(1)
    expect(text).toContain("run deno with --allow-net=127.0.0.1:0")
  })

  it("a server asks for nothing either, once it may listen", async () => {
    const child = anyport(["--allow-net=127.0.0.1:0"], "serve", "--port", "0")
    const line = await child.line("stdout", (line) => line.includes("listening") ? line : undefined)
    expect(line).toContain("address=127.0.0.1:")
    expect(line).toContain("max-connections is not checked")
    expect(child.stdout).not.toContain("requests")
    await child.kill()
  })
})
