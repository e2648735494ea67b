/**
 * Programs that are compiled where there is a compiler: C and Go, each once, into a temporary folder that is removed when
 * this process exits. What cannot be compiled says why in one line.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

/** A program, or why there is none. */
export type Compiled = { readonly file: string } | { readonly reason: string }

/** Compiles a file of C, as tightly as its authors would. */
export const c = (source: string, name: string): Promise<Compiled> =>
  compile("cc", ["-std=c11", "-O2", "-Wall", "-Wextra", "-o"], source, name, "there is no C compiler on PATH (cc)")

/** Compiles a file of Go that imports nothing but its standard library. */
export const go = (source: string, name: string): Promise<Compiled> =>
  compile("go", ["build", "-o"], source, name, "there is no Go toolchain on PATH (go)")

/** `gcc 12.2.0`, `go 1.19.8`; undefined where there is none. */
export const version = async (compiler: "cc" | "go"): Promise<string | undefined> => {
  const { text, code } = await run(compiler, [compiler === "go" ? "version" : "--version"])
  const [first = ""] = text.split("\n")
  if (code !== 0) return undefined
  const name = compiler === "go" ? "go" : /clang/.test(first) ? "clang" : "gcc"
  return `${name} ${/\d+(?:\.\d+)+(?!.*\d\.\d)/.exec(first)?.[0] ?? "of unknown version"}`
}

const compile = async (
  compiler: string,
  flags: ReadonlyArray<string>,
  source: string,
  name: string,
  none: string,
): Promise<Compiled> => {
  const file = join(folder(), name)
  const { code, text } = await run(compiler, [...flags, file, source])
  if (code === 0) return { file }
  if (code === "ENOENT") return { reason: none }
  const said = text.split("\n").find((line) => line.includes("error")) ?? text.split("\n")[0] ?? ""
  return { reason: `${compiler} cannot compile it: ${said.trim() || `it ended with ${code}`}` }
}

/** What a command wrote, and its exit code, or why it could not be run. */
const run = (
  command: string,
  args: ReadonlyArray<string>,
): Promise<{ readonly code: number | string; readonly text: string }> =>
  new Promise((resolve) => {
    // Go's own resolver and no C, as Go servers are built for other machines.
    const options = { timeout: 180_000, env: { ...process.env, CGO_ENABLED: "0", LC_ALL: "C" } }
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal ?? 1, text: `${stdout}${stderr}` })
    })
  })

let made: string | undefined
const folder = (): string => {
  if (made === undefined) process.on("exit", remove)
  return made ??= mkdtempSync(join(tmpdir(), "anyport-bench-"))
}

/** Removes all that was compiled, for a process that is not let exit by itself. */
export const remove = (): void => {
  if (made !== undefined) rmSync(made, { recursive: true, force: true })
}
