/**
 * Frames that all have the same number of bytes, with nothing between them. There is no framing to be found again once
 * a byte is lost; TCP loses none.
 *
 * ```text
 *  length bytes    length bytes
 * +---------------+---------------+---
 * | frame         | frame         | ...
 * +---------------+---------------+---
 * ```
 */
import { type Codec, invalidFrame } from "../Codec.ts"
import { Batch } from "./internal/Batch.ts"
import * as Limits from "./Limits.ts"

/** The length is the maximum. */
export interface Options {
  /** Bytes of every frame, at least 1. */
  readonly length: number
}

/** Frames of one length. Throws a RangeError when it cannot be. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const length = Limits.wholeNumber("FixedLength", "length", options.length, 1)
  return {
    decoder() {
      const batch = new Batch()
      return {
        decode(input, out, limit) {
          const { start } = input
          const count = Math.min(limit, Math.floor(input.length / length))
          for (let i = 0; i < count; i++) batch.add(input, start + i * length, start + (i + 1) * length, out)
          batch.flush(input, out)
          input.consume(count * length)
          return undefined
        },
        end: () => undefined,
      }
    },
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          if (frame.length !== length) {
            return invalidFrame(`Cannot encode frame: it has ${frame.length} bytes, wanted ${length}`)
          }
          output.raw(frame)
        }
        return undefined
      },
    }),
  }
}
