/**
 * The package has two manifests, `package.json` for npm and `deno.json` for Deno and JSR, where a name has a scope, and a
 * command line that knows its version: they must say the same.
 */
import type { Source, Violation } from "./Source.ts"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly exports: Record<string, string>
  readonly imports?: Record<string, string>
  readonly bin?: Record<string, string>
}

/** Every name, version, entry or import on which the manifests differ, and every entry without a file. */
export const entries = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> => {
  const read = (path: string): Manifest => JSON.parse(sources.find((source) => source.path === path)!.text)
  const npm = read("package.json")
  const deno = read("deno.json")
  // JSR has modules as entries only.
  const wanted = Object.fromEntries(Object.entries(npm.exports).filter(([, file]) => !file.endsWith(".json")))
  const found: Array<Violation> = []
  const report = (path: string, key: string, value: unknown, allowed: unknown): void => {
    const lines = sources.find((source) => source.path === path)!.text.split("\n")
    const line = lines.findIndex((text) => text.includes(`"${key}"`)) + 1
    const message = `Entry rule: "${key}" is ${JSON.stringify(value)}; wanted is ${JSON.stringify(allowed)}`
    found.push({ path, line: Math.max(1, line), message })
  }
  const compare = (
    actual: Record<string, string>,
    expected: Record<string, string>,
    ours: (key: string) => boolean,
  ) => {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual).filter(ours)])) {
      if (actual[key] !== expected[key]) report("deno.json", key, actual[key], expected[key])
    }
  }

  const { name, version, license } = npm
  for (const [key, value] of Object.entries({ name: `@${name}/${name}`, version, license })) {
    const actual = deno[key as "name" | "version" | "license"] // the keys above
    if (actual !== value) report("deno.json", key, actual, value)
  }
  const constant = sources.find(({ path }) => path === "cli/version.ts")
  if (constant !== undefined && !constant.text.includes(`"${version}"`)) {
    report("cli/version.ts", "version", /"(.*)"/.exec(constant.text)?.[1], version)
  }
  compare(deno.exports, wanted, () => true)
  const imports = Object.entries(wanted).map(([entry, file]) => [`${npm.name}${entry.slice(1)}`, file])
  compare(deno.imports ?? {}, Object.fromEntries(imports), (key) => key.split("/")[0] === npm.name)
  for (const [entry, file] of Object.entries({ ...npm.exports, ...npm.bin })) {
    if (!sources.some(({ path }) => `./${path}` === file)) report("package.json", entry, file, "a file that exists")
  }
  return found
}
