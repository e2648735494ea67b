/**
 * Blocks of Markdown that a script writes, so that no figure in a document is typed by hand. A block stands between two
 * comments that name it and the command that writes it:
 *
 * ```md
 * <!-- matrix: written by `npm run prove` -->
 * …
 * <!-- /matrix -->
 * ```
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./child.ts"

/** A block of a document: `path` from the repository's root, `name` as in its comments. */
export interface Block {
  readonly path: string
  readonly name: string
}

/** What stands in a block. Throws when the document has no such block. */
export const read = (block: Block): string => find(block)[2]

/** Puts Markdown into a block and formats the document. */
export const write = (block: Block, markdown: string): void => {
  const [before, opening, , rest] = find(block)
  writeFileSync(join(root, block.path), `${before}${opening}\n\n${markdown.trim()}\n\n${rest}`)
  const { status, stderr } = spawnSync("deno", ["fmt", "--quiet", block.path], { cwd: root, encoding: "utf8" })
  if (status !== 0) throw new Error(`Cannot format ${block.path}: ${stderr}`)
}

/** Whether two pieces of Markdown say the same: how tables are padded and lines are broken is left to the formatter. */
export const same = (left: string, right: string): boolean => normal(left) === normal(right)

const normal = (markdown: string): string => markdown.replace(/-{3,}/g, "---").replace(/\s+/g, " ").trim()

const find = ({ path, name }: Block): [before: string, opening: string, content: string, rest: string] => {
  const text = readFileSync(join(root, path), "utf8")
  const match = new RegExp(`(<!-- ${name}: written by [^>]*-->)([\\s\\S]*?)(<!-- /${name} -->)`).exec(text)
  if (match === null) throw new Error(`${path} has no block "${name}": it begins with <!-- ${name}: written by … -->`)
  const end = match.index + match[1]!.length + match[2]!.length
  return [text.slice(0, match.index), match[1]!, match[2]!, text.slice(end)]
}
