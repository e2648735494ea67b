/**
 * The repository's own files as text, for rules that read them, and what such a rule reports. Nothing here knows a rule.
 */
import { readdirSync, readFileSync } from "node:fs"

/** A file of the repository. */
export interface Source {
  /** From the repository's root, with `/`. */
  readonly path: string
  readonly text: string
}

/** One breach of a rule. */
export interface Violation {
  readonly path: string
  /** Counted from 1. */
  readonly line: number
  /** What was found, which rule that breaks and what is allowed, in one sentence. */
  readonly message: string
}

/** One line for people and editors: `core/Outbox.ts:6: …`. */
export const format = ({ path, line, message }: Violation): string => `${path}:${line}: ${message}`

/** All files under a root that are neither installed nor built, in a stable order. Files that are not text are left out. */
export const all = (root: string): ReadonlyArray<Source> =>
  paths(root, "").sort().flatMap((path) => {
    const text = readFileSync(`${root}/${path}`, "utf8")
    return text.includes("\0") ? [] : [{ path, text }]
  })

const generated: ReadonlySet<string> = new Set([".git", "node_modules", "dist", "coverage"])

const paths = (root: string, folder: string): Array<string> =>
  readdirSync(`${root}/${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = folder + entry.name
    if (entry.isDirectory()) return generated.has(entry.name) ? [] : paths(root, `${path}/`)
    return entry.isFile() && !entry.name.endsWith(".log") ? [path] : []
  })

/** Whether it is TypeScript, the only language of modules here. */
export const isModule = ({ path }: Source): boolean => path.endsWith(".ts")

/** The line of an offset, counted from 1. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

// Order matters: a comment may hold quotes, a string may hold `//`, and a regular expression both. A slash begins a
// regular expression where no operand can end.
const lexemes =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|(?<=(?:[=(,:;!&|?{}[>]|\breturn)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g

const blank = (text: string): string => text.replace(/[^\n]/g, " ")

/** The text with its comments blanked, every offset as before. */
export const withoutComments = (text: string): string =>
  text.replace(lexemes, (lexeme) => /^\/[/*]/.test(lexeme) ? blank(lexeme) : lexeme)

/** The text with its comments, quoted strings and regular expressions blanked; templates stay, for they hold code. */
export const codeOnly = (text: string): string =>
  text.replace(lexemes, (lexeme) => lexeme.startsWith("`") ? lexeme : blank(lexeme))
