/**
 * Bytes as they are written on a command line: UTF-8, and `\n \r \t \0 \\ \xHH` for what no shell lets through. A backslash
 * in front of anything else is a problem, so that a mistyped one is not sent.
 */
import { type Problem, problem } from "./Problem.ts"

/** What may stand behind a backslash, for messages. */
export const accepted = "\\n, \\r, \\t, \\0, \\\\, \\xHH"

/**
 * The bytes of a text. Characters of `also` may be escaped as well, and then stand for themselves; places are counted from
 * `offset`, where the text is a part of a longer one.
 */
export const bytes = (text: string, also = "", offset = 0): Uint8Array | Problem => {
  const encoded = encoder.encode(text)
  if (!text.includes("\\")) return encoded
  // Each escape is longer than what it stands for.
  const out = new Uint8Array(encoded.length)
  let length = 0
  for (let at = 0; at < text.length;) {
    if (text[at] !== "\\") {
      const stop = text.indexOf("\\", at)
      const end = stop === -1 ? text.length : stop
      length += encoder.encodeInto(text.slice(at, end), out.subarray(length)).written
      at = end
      continue
    }
    const next = text[at + 1] ?? ""
    const hex = next === "x" ? /^[\da-f]{2}/i.exec(text.slice(at + 2, at + 4))?.[0] : undefined
    const byte = hex !== undefined ? parseInt(hex, 16) : single[next] ?? (isOwn(next, also) ? next.charCodeAt(0) : -1)
    if (byte < 0) {
      const found = next === "" ? "a lone \\" : `\\${next}`
      const wanted = [accepted, ...[...also].map((one) => `\\${one}`)].join(", ")
      return problem(`Expected ${wanted} or no backslash, got ${found} at character ${offset + at + 1}`)
    }
    out[length++] = byte
    at += hex === undefined ? 2 : 4
  }
  return out.slice(0, length)
}

/** Where `separator`, one character, first stands without a backslash in front of it; -1 where it does not. */
export const find = (text: string, separator: string): number => {
  for (let at = 0; at < text.length; at += text[at] === "\\" ? 2 : 1) if (text[at] === separator) return at
  return -1
}

const encoder = new TextEncoder()
const single: Record<string, number> = { n: 10, r: 13, t: 9, "0": 0, "\\": 92 }
const isOwn = (character: string, also: string): boolean => character !== "" && also.includes(character)
