/**
 * One file out of many: a program with everything it imports, by esbuild, which whoever bundles installs.
 */
import type { OutputFile, Plugin } from "esbuild"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"

/** What to bundle. */
export interface Options {
  /** The program: a module that imports the others. */
  readonly program: string
  /** The folder that its imports are relative to. */
  readonly folder: string
  /** The file to be written. */
  readonly output: string
}

/** Thrown when esbuild is not installed, or found mistakes in the modules; the message says which. */
export class BundleError extends Error {
  override readonly name = "BundleError"
}

/** Writes the file, executable, and returns its size in bytes. */
export const bundle = async ({ program, folder, output }: Options): Promise<number> => {
  const { build } = await esbuild()
  const { outputFiles: [file] } = await build({
    stdin: { contents: program.replace(/^#!.*/, ""), resolveDir: folder, loader: "ts", sourcefile: "program.ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2023",
    charset: "ascii", // one character beyond it makes each runtime decode all of the file: 20 of 290 ms to the ready line on Deno
    legalComments: "none",
    // Names stay, so that a stack trace in a log can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
    logLevel: "silent",
    plugins: [oneCopy],
  }).catch((error) => {
    throw mistakes(error)
  })
  const text = shebang + requiring(file!) + file!.text // there is one entry, so one file
  mkdirSync(dirname(output), { recursive: true })
  writeFileSync(output, text)
  chmodSync(output, 0o755)
  return Buffer.byteLength(text)
}

const shebang = "#!/usr/bin/env node\n"

// A package in CommonJS asks for `node:` modules by `require`, which a module does not have by itself.
const requiring = ({ text }: OutputFile): string =>
  text.includes("Dynamic require of")
    ? 'import{createRequire as anyportRequire}from"node:module";var require=anyportRequire(import.meta.url);\n'
    : ""

// Whoever imports them, a module of the service or one of ours, gets the copies beside this module: the two have to
// share one Effect, and a service outside any project needs none of its own.
const oneCopy: Plugin = {
  name: "one copy",
  setup(build) {
    const resolveDir = dirname(fileURLToPath(import.meta.url))
    build.onResolve(
      { filter: /^(anyport|effect)(\/|$)/ },
      ({ path, kind, pluginData }) =>
        pluginData === oneCopy ? undefined : build.resolve(path, { kind, resolveDir, pluginData: oneCopy }),
    )
  },
}

const esbuild = async (): Promise<typeof import("esbuild")> => {
  const name = "esbuild" // no literal, so that nobody looks for it before it is needed
  try {
    return await import(name)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    if (!/cannot find|not found|could not resolve|not a dependency|import map/i.test(message)) throw cause
    throw new BundleError("esbuild is needed and not installed here; run `npm install --save-dev esbuild`", { cause })
  }
}

interface Mistake {
  readonly text: string
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null
}

const mistakes = (error: Error & { readonly errors?: ReadonlyArray<Mistake> }): BundleError => {
  const [first] = error.errors ?? []
  if (first === undefined) return new BundleError(error.message, { cause: error })
  const { text, location } = first
  const where = location === null ? "" : ` (${location.file}:${location.line}:${location.column + 1})`
  return new BundleError(text + where, { cause: error })
}
