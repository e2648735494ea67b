/**
 * Messages out of a file, as its bytes are: no escapes, no placeholders. With a framing of lines each line is a message, and a
 * connection sends them by turns, each connection beginning with another; else the whole file is one message.
 */
import type { Framing } from "./Framing.ts"
import { type Problem, problem } from "./Problem.ts"
import { type Content, largest } from "./Template.ts"

/** Lines at most. */
export const most = 1_000_000

/** The messages of a file, which is given as its bytes. Nothing of it is copied. */
export const parse = (file: Uint8Array, { name }: Pick<Framing, "name">): Content | Problem => {
  const messages = name.startsWith("lines") ? linesOf(file) : [file]
  if (messages.length === 0 || file.length === 0) return problem("Expected a file with a message, got an empty one")
  if (messages.length > most) return problem(`Expected a file of at most ${most} lines, got more`)
  const longest = messages.reduce((length, message) => Math.max(length, message.length), 0)
  if (longest > largest) return problem(`Expected messages of at most ${largest} bytes, got one of ${longest}`)
  const first = messages[0]!
  if (messages.length === 1) return { next: () => first, constant: first, samples: messages, mayWrite: () => false }
  const turns = new Map<number, number>()
  return {
    next(connection) {
      const turn = turns.get(connection) ?? connection % messages.length
      turns.set(connection, (turn + 1) % messages.length)
      return messages[turn]!
    },
    constant: undefined,
    samples: messages,
    mayWrite: () => false,
  }
}

/** Up to one more than may be. What follows the last line feed is a line unless it is empty. */
const linesOf = (file: Uint8Array): ReadonlyArray<Uint8Array> => {
  const lines: Array<Uint8Array> = []
  for (let at = 0; at < file.length && lines.length <= most;) {
    const found = file.indexOf(lf, at)
    const end = found === -1 ? file.length : found
    lines.push(file.subarray(at, end > at && file[end - 1] === cr ? end - 1 : end))
    at = end + 1
  }
  return lines
}

const lf = 10
const cr = 13
