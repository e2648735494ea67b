/**
 * The decoder of frames that say first how long they are. The codecs that use it differ in how the length is written;
 * this file knows no such format.
 *
 * ```text
 * +--------------+------------------+------------+
 * | prefix, size | content, length  | terminator |   the terminator is one byte or nothing
 * +--------------+------------------+------------+
 * ```
 *
 * The length is checked as soon as it is there, before anything is allocated for the content; memory is taken once the
 * whole frame has arrived.
 */
import { type Decoder, type FrameError, frameTooLarge, invalidFrame, invalidLength } from "../../Codec.ts"
import type { Limits } from "../Limits.ts"
import { Batch } from "./Batch.ts"

/** What was read in front of a frame: the bytes of the prefix, and of the content that it declares. */
export interface Prefix {
  size: number
  length: number
}

/** Reads the prefix that begins at `bytes[at]` into `prefix`; what has arrived ends at `end`. */
export type ReadPrefix = (
  bytes: Uint8Array,
  at: number,
  end: number,
  prefix: Prefix,
) => FrameError | "incomplete" | undefined

/** What a codec says of its frames. */
export interface Options extends Required<Limits> {
  readonly read: ReadPrefix
  /** A frame is prefix and content, not the content alone. */
  readonly keep: boolean
  /** The byte that must follow the content. */
  readonly terminator: number | undefined
}

/** Makes a decoder of such frames. */
export const decoder = ({ read, maxLength, overlong, keep, terminator }: Options): Decoder<Uint8Array> => {
  const prefix: Prefix = { size: 0, length: 0 }
  const trailer = terminator === undefined ? 0 : 1
  const batch = new Batch()
  let skipping = 0

  const unterminated = (found: number | undefined): FrameError =>
    invalidFrame(`Cannot decode frame: byte ${found} follows its content, wanted ${terminator}`)

  return {
    decode(input, out, limit) {
      const { bytes, start, end } = input
      let at = start
      let error: FrameError | undefined
      for (let count = 0; count < limit;) {
        if (skipping > 0) {
          if (at === end) break
          const step = Math.min(skipping, end - at)
          skipping -= step
          at += step
          if (skipping > 0 || terminator === undefined || bytes[at - 1] === terminator) continue
          error = unterminated(bytes[at - 1])
          break
        }
        const problem = read(bytes, at, end, prefix)
        if (problem !== undefined) {
          if (problem !== "incomplete") error = problem
          break
        }
        const { size, length } = prefix
        if (length < 0 || !Number.isSafeInteger(length)) {
          error = invalidLength(`Cannot decode frame: its length is ${length}, wanted 0 to ${Number.MAX_SAFE_INTEGER}`)
          break
        }
        const whole = size + length + trailer
        if (length > maxLength) {
          if (overlong === "fail") {
            error = frameTooLarge(length, maxLength)
            break
          }
          skipping = whole
          continue
        }
        if (end - at < whole) break
        const contentEnd = at + size + length
        if (terminator !== undefined && bytes[contentEnd] !== terminator) {
          error = unterminated(bytes[contentEnd])
          break
        }
        batch.add(input, keep ? at : at + size, contentEnd, out)
        at += whole
        count++
      }
      batch.flush(input, out)
      input.consume(at - start)
      return error
    },
    end: () => undefined,
  }
}
