/**
 * No framing: bytes as they arrive. Where a frame ends says nothing, because TCP keeps no boundaries: two writes of the
 * peer may come as one frame, and one write as many.
 *
 * ```text
 *  1 to maxLength bytes, as they arrive
 * +-------+------------------+-----+---
 * | frame | frame            | ... |
 * +-------+------------------+-----+---
 * ```
 */
import type { Codec } from "../Codec.ts"
import * as Limits from "./Limits.ts"

/** What a frame may hold. */
export interface Options {
  /** Bytes of a received frame at most, at least 1. More than that, arriving together, becomes several frames. */
  readonly maxLength: number
}

/** Bytes as they arrive. What is sent is not bounded here: it needs no decoder to hold it whole. Throws a RangeError. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const maxLength = Limits.wholeNumber("Raw", "maxLength", options.maxLength, 1)
  return {
    decoder: () => ({
      decode(input, out, limit) {
        for (const stop = out.length + limit; out.length < stop && input.length > 0;) {
          const length = Math.min(input.length, maxLength)
          out.push(input.copy(input.start, input.start + length))
          input.consume(length)
        }
        return undefined
      },
      end: () => undefined,
    }),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) output.raw(frame)
        return undefined
      },
    }),
  }
}
