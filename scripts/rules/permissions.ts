/**
 * Deno gets the permissions that it needs, by name: nothing in the repository runs it with all of them, no document
 * advises to, and no test, image or unit does.
 */
import { lineAt, type Source, type Violation } from "./Source.ts"

/** Every flag that grants Deno everything: the long one anywhere, for nothing else has it; the short one after `deno`. */
export const permissions = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> =>
  sources.flatMap(({ path, text }) =>
    [...text.matchAll(long), ...text.matchAll(short)].map((match) => ({
      path,
      line: lineAt(text, match.index + match[0].length),
      message: `Permission rule: grants Deno everything by ${match[1]}; allowed is what is needed, by name and no more`,
    }))
  )

const long = /(?<![\w-])(--allow-al{2})(?![\w-])/g // so that it does not find itself

// A command goes on in the next line after a backslash, a comma or an opening bracket, and ends where a shell's does.
// Flags of one letter may be joined.
const short =
  /(?<![\w-])deno(?![\w-])(?:[^\n;&|]|(?<=[\\,([])[ \t]*\n)*?(?<![\w-])(-[a-zA-Z]{0,3}A[a-zA-Z]{0,3})(?![\w-])/g
