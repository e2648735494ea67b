/**
 * Netstrings (https://cr.yp.to/proto/netstrings.txt): the length in decimal, a colon, the content, a comma. The content
 * may be any bytes.
 *
 * ```text
 *  1 to 16 digits        as declared
 * +--------------+---+-----------------+---+
 * | length       | : | content = frame | , |       5:hello,   is "hello"       0:,   is empty
 * +--------------+---+-----------------+---+
 * ```
 *
 * A length with a leading zero, without a digit, with anything but digits or with more than 16 of them is an
 * `InvalidLength`; a missing comma is an `InvalidFrame`.
 */
import { type Codec, frameTooLarge, invalidLength } from "../Codec.ts"
import * as Prefixed from "./internal/Prefixed.ts"
import * as Limits from "./Limits.ts"

/** `maxLength` counts the content, without length, colon and comma. */
export type Options = Limits.Limits

/** Netstrings. Throws a RangeError when an option cannot be. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const limits = Limits.parse("Netstring", options)
  return {
    decoder: () => Prefixed.decoder({ ...limits, read, keep: false, terminator: comma }),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          if (frame.length > limits.maxOutgoing) return frameTooLarge(frame.length, limits.maxOutgoing)
          output.text(`${frame.length}:`)
          output.raw(frame)
          const at = output.reserve(1)
          output.bytes[at] = comma
        }
        return undefined
      },
    }),
  }
}

const zero = 48
const colon = 58
const comma = 44
const longest = 16

const read: Prefixed.ReadPrefix = (bytes, at, end, prefix) => {
  let length = 0
  for (let i = 0; at + i < end; i++) {
    const byte = bytes[at + i]!
    if (byte === colon && i > 0) {
      prefix.size = i + 1
      prefix.length = length
      return undefined
    }
    const digit = byte - zero
    if (digit < 0 || digit > 9) {
      return invalidLength(
        `Cannot decode length: byte ${byte} at digit ${i + 1}, wanted 0 to 9${i > 0 ? " or a colon" : ""}`,
      )
    }
    if (i === 1 && length === 0) return invalidLength("Cannot decode length: it begins with 0 and goes on")
    if (i === longest) return invalidLength(`Cannot decode length: it has more than ${longest} digits`)
    length = length * 10 + digit
  }
  return "incomplete"
}
