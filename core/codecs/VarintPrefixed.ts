/**
 * Frames behind their length as a base-128 varint: protobuf's delimited messages (`writeDelimitedTo`). The messages
 * themselves are not decoded here.
 *
 * ```text
 *  1 to 10 bytes, low 7 bits first        as declared
 * +----------------------------------+-----------------+
 * | 1xxxxxxx 1xxxxxxx ... 0xxxxxxx   | content = frame |
 * +----------------------------------+-----------------+
 *  300 is AC 02
 * ```
 *
 * A varint of more than 10 bytes, or over 2^53 - 1, is an `InvalidLength`. One that is longer than it need be (`80 00` for
 * 0) is read, as protobuf reads it; the encoder writes the shortest.
 */
import { type Codec, frameTooLarge, invalidLength } from "../Codec.ts"
import * as Prefixed from "./internal/Prefixed.ts"
import * as Limits from "./Limits.ts"

/** `maxLength` counts the content, without its varint. */
export type Options = Limits.Limits

/** Frames behind a varint. Throws a RangeError when an option cannot be. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const limits = Limits.parse("VarintPrefixed", options)
  return {
    decoder: () => Prefixed.decoder({ ...limits, read, keep: false, terminator: undefined }),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          if (frame.length > limits.maxOutgoing) return frameTooLarge(frame.length, limits.maxOutgoing)
          let rest = frame.length
          for (; rest > 127; rest = Math.floor(rest / 128)) {
            const at = output.reserve(1)
            output.bytes[at] = 128 + rest % 128
          }
          const at = output.reserve(1)
          output.bytes[at] = rest
          output.raw(frame)
        }
        return undefined
      },
    }),
  }
}

const longest = 10

const read: Prefixed.ReadPrefix = (bytes, at, end, prefix) => {
  let length = 0
  for (let i = 0; i < longest; i++) {
    if (at + i === end) return "incomplete"
    const byte = bytes[at + i]!
    length += (byte & 127) * 128 ** i
    if (byte < 128) {
      prefix.size = i + 1
      prefix.length = length
      return undefined
    }
  }
  return invalidLength(`Cannot decode frame: its varint goes on after ${longest} bytes`)
}
