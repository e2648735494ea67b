/**
 * What the hand-written servers of length-prefixed frames do with what they have received: 4 bytes of length, big-endian,
 * in front of each frame; every frame is handed to a function, and what that returns is written behind a length of its own.
 */
import type { Output } from "./Output.ts"

const answer = (frame: Uint8Array): Uint8Array => frame
const header = 4

/** Answers all whole frames; how many bytes those were. */
export const answerFrames = (bytes: Uint8Array, output: Output): number => {
  output.reserve(bytes.length) // no answer is longer than what it answers
  let start = 0
  while (bytes.length - start >= header) {
    const length = bytes[start]! * 0x1000000 + (bytes[start + 1]! << 16 | bytes[start + 2]! << 8 | bytes[start + 3]!)
    const end = start + header + length
    if (end > bytes.length) break
    write(answer(bytes.subarray(start + header, end)), output)
    start = end
  }
  return start
}

const write = (frame: Uint8Array, output: Output): void => {
  const { bytes, size } = output
  bytes[size] = frame.length >>> 24
  bytes[size + 1] = frame.length >>> 16
  bytes[size + 2] = frame.length >>> 8
  bytes[size + 3] = frame.length
  bytes.set(frame, size + header)
  output.size = size + header + frame.length
}
