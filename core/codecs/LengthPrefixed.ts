/**
 * Frames behind a binary length field, as most binary protocols have them (Netty: `LengthFieldBasedFrameDecoder`). It
 * does not look at what else the header holds: that is for `Codec.mapOrFail`, with the header kept.
 *
 * ```text
 *  offset bytes   width bytes   declared length + adjustment bytes
 * +-------------+-------------+----------------------------------+
 * | front       | length      | content                          |
 * +-------------+-------------+----------------------------------+
 *  header: "strip"              frame = |------------------------|
 *  header: "keep"    |------------------ = frame ----------------|
 * ```
 *
 * A length that counts the header too (width 2, offset 0) has `adjustment: -2`; one that leaves out 3 bytes of flags
 * behind it has `adjustment: 3`, and those 3 bytes are the start of the content.
 */
import { type Codec, frameTooLarge, invalidFrame } from "../Codec.ts"
import * as Prefixed from "./internal/Prefixed.ts"
import * as Limits from "./Limits.ts"

/** `maxLength` counts the content: what follows the length field, whether or not the header is kept. */
export interface Options extends Limits.Limits {
  /** Bytes of the length field, an unsigned number. One of 8 bytes may declare up to 2^53 - 1. */
  readonly width: 1 | 2 | 3 | 4 | 8
  /** Order of the length field's bytes. Default `big`. */
  readonly endianness?: "big" | "little"
  /** Bytes of header in front of the length field. Default 0. */
  readonly offset?: number
  /** What to add to the declared length to have that of the content; may be negative. Default 0. */
  readonly adjustment?: number
  /**
   * Whether a frame is the content alone, or begins with the header (front and length field). Default `strip`.
   *
   * The encoder takes the same: with `strip` it writes zeros where the front was, with `keep` the frame brings its header
   * and the encoder writes the length into it, whatever stood there.
   */
  readonly header?: "strip" | "keep"
}

/** Frames behind a length field. Throws a RangeError when an option cannot be. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const limits = Limits.parse("LengthPrefixed", options)
  const width = Limits.oneOf("LengthPrefixed", "width", options.width, [1, 2, 3, 4, 8])
  const order = Limits.oneOf("LengthPrefixed", "endianness", options.endianness ?? "big", ["big", "little"])
  const offset = Limits.wholeNumber("LengthPrefixed", "offset", options.offset ?? 0, 0, widest)
  const largest = Math.min(256 ** width - 1, Number.MAX_SAFE_INTEGER)
  // Beyond these no declared length would be valid.
  const adjustment = Limits.wholeNumber(
    "LengthPrefixed",
    "adjustment",
    options.adjustment ?? 0,
    Math.max(-largest, -widest),
    Math.min(limits.maxLength, widest),
  )
  const keep = Limits.oneOf("LengthPrefixed", "header", options.header ?? "strip", ["strip", "keep"]) === "keep"
  const size = offset + width
  const maximum = Math.min(limits.maxOutgoing, largest + adjustment)

  const read: Prefixed.ReadPrefix = (bytes, at, end, prefix) => {
    if (end - at < size) return "incomplete"
    const field = at + offset
    let declared = 0
    // Beyond 2^53 this rounds, and never back below it: such a length is refused all the same.
    for (let i = 0; i < width; i++) declared = declared * 256 + bytes[field + (order === "big" ? i : width - 1 - i)]!
    prefix.size = size
    prefix.length = declared + adjustment
    return undefined
  }

  return {
    decoder: () => Prefixed.decoder({ ...limits, read, keep, terminator: undefined }),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          const length = keep ? frame.length - size : frame.length
          if (length < 0) {
            return invalidFrame(`Cannot encode frame of ${frame.length} bytes: its header alone has ${size}`)
          }
          if (length > maximum) return frameTooLarge(length, maximum)
          if (length < adjustment) {
            return invalidFrame(`Cannot encode frame: its content has ${length} bytes, wanted at least ${adjustment}`)
          }
          const at = output.reserve(size + length)
          const bytes = output.bytes
          if (keep) {
            bytes.set(frame, at)
          } else {
            bytes.fill(0, at, at + offset)
            bytes.set(frame, at + size)
          }
          let rest = length - adjustment
          for (let i = 0; i < width; i++) {
            bytes[at + offset + (order === "big" ? width - 1 - i : i)] = rest % 256
            rest = Math.floor(rest / 256)
          }
        }
        return undefined
      },
    }),
  }
}

const widest = 2 ** 31 - 1
