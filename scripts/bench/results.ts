/**
 * What `npm run bench` measured: the result that is committed, and what the README shows of it.
 *
 * ```
 * node scripts/bench/results.ts --write     writes the README's section and docs/bench.svg
 * ```
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { markdown, picturePath } from "../../bench/report/Markdown.ts"
import { picture } from "../../bench/report/Picture.ts"
import { Result } from "../../bench/Result.ts"
import { root } from "../child.ts"
import * as Generated from "../generated.ts"

/** Where the section stands. */
export const block: Generated.Block = { path: "README.md", name: "bench" }

/** The committed result of the full run. */
export const path = "bench/results/result.json"

/** The committed result; undefined while there is none. */
export const read = (): Result | undefined => {
  const file = join(root, path)
  return existsSync(file) ? Schema.decodeUnknownSync(Result)(JSON.parse(readFileSync(file, "utf8"))) : undefined
}

/** What of the documents is not what the committed result says; nothing while there is none. */
export const stale = (): ReadonlyArray<string> => {
  const result = read()
  if (result === undefined) return []
  const shown = Generated.same(Generated.read(block), markdown(result))
  const file = join(root, picturePath)
  const drawn = existsSync(file) && readFileSync(file, "utf8") === picture(result)
  const command = `is not what ${path} says: run "node scripts/bench/results.ts --write"`
  return [
    ...shown ? [] : [`${block.path}: "${block.name}" ${command}`],
    ...drawn ? [] : [`${picturePath} ${command}`],
  ]
}

/** Writes the documents anew. Throws while there is no committed result. */
export const write = (): void => {
  const result = read()
  if (result === undefined) throw new Error(`Cannot write what is not there: ${path}; "npm run bench" makes it`)
  Generated.write(block, markdown(result))
  writeFileSync(join(root, picturePath), picture(result))
}

if (import.meta.main && process.argv.includes("--write")) write()
