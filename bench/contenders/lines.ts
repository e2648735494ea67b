/**
 * What the hand-written servers of lines do with what they have received, on runtimes whose sockets take bytes: every line
 * is a string of its own, and a function answers it.
 */
import type { Output } from "./Output.ts"
import { reply } from "./reply.ts"

const newline = 10
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Answers all whole lines; how many bytes those were. */
export const answerLines = (bytes: Uint8Array, output: Output): number => {
  const end = bytes.lastIndexOf(newline)
  if (end === -1) {
    output.size = 0
    return 0
  }
  let replies = ""
  for (const line of decoder.decode(bytes.subarray(0, end)).split("\n")) replies += reply(line)
  output.reserve(replies.length * 3) // UTF-8 has at most three bytes for each unit of UTF-16
  output.size = encoder.encodeInto(replies, output.bytes).written
  return end + 1
}
