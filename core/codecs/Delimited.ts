/**
 * Frames that end where a given sequence of bytes stands. The content cannot hold that sequence: there is no escaping.
 * For lines of text see `Lines`, which also knows CRLF.
 *
 * ```text
 *  0 to maxLength bytes
 * +-----------------+-----------+-----------------+-----------+---
 * | content = frame | delimiter | content = frame | delimiter | ...
 * +-----------------+-----------+-----------------+-----------+---
 * ```
 *
 * The first place where the delimiter stands ends the frame: with `--`, `a---b` is `a` and then `-b`.
 */
import { type Codec, type Decoder, type FrameError, frameTooLarge, invalidFrame } from "../Codec.ts"
import { Batch } from "./internal/Batch.ts"
import * as Limits from "./Limits.ts"

/** `maxLength` counts the content, without its delimiter. */
export interface Options extends Limits.Limits {
  /** What ends a frame, at least one byte. Text stands for its UTF-8. */
  readonly delimiter: string | Uint8Array
  /**
   * What the peer's FIN makes of a frame whose delimiter has not come: it stays unread, as a truncated frame, or is
   * delivered (if it is not empty). Default `refuse`.
   */
  readonly unterminated?: "refuse" | "deliver"
}

/** Frames ended by a delimiter. Throws a RangeError when an option cannot be. */
export const make = (options: Options): Codec<Uint8Array, Uint8Array> => {
  const limits = Limits.parse("Delimited", options)
  const deliver =
    Limits.oneOf("Delimited", "unterminated", options.unterminated ?? "refuse", ["refuse", "deliver"]) === "deliver"
  const delimiter = typeof options.delimiter === "string"
    ? new TextEncoder().encode(options.delimiter)
    : new Uint8Array(options.delimiter)
  if (delimiter.length === 0) throw new RangeError("Cannot make Delimited: delimiter is empty, wanted at least 1 byte")

  return {
    decoder: () => decoder(delimiter, limits, deliver),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          if (frame.length > limits.maxOutgoing) return frameTooLarge(frame.length, limits.maxOutgoing)
          const at = output.reserve(frame.length + delimiter.length)
          output.bytes.set(frame, at)
          output.bytes.set(delimiter, at + frame.length)
          // The written bytes are searched, not the frame: its end and the delimiter's start can make an earlier one.
          if (find(output.bytes.subarray(at, output.length), delimiter, 0) < frame.length) {
            output.truncate(at)
            return invalidFrame(`Cannot encode frame of ${frame.length} bytes: it holds its own delimiter`)
          }
        }
        return undefined
      },
    }),
  }
}

const decoder = (
  delimiter: Uint8Array,
  { maxLength, overlong }: Required<Limits.Limits>,
  deliver: boolean,
): Decoder<Uint8Array> => {
  // The last unread bytes may be the start of a delimiter.
  const tail = delimiter.length - 1
  const batch = new Batch()
  let scanned = 0
  let skipping = false

  return {
    decode(input, out, limit) {
      const { start } = input
      const bytes = input.bytes.subarray(0, input.end)
      let at = start
      let error: FrameError | undefined
      for (let count = 0; count < limit;) {
        const end = find(bytes, delimiter, at + Math.max(0, scanned - tail))
        const length = (end === -1 ? bytes.length - tail : end) - at
        // A delimiter that has not begun yet leaves at least this much content.
        if (!skipping && length > maxLength) {
          if (overlong === "fail") {
            error = frameTooLarge(length, maxLength)
            break
          }
          skipping = true
        }
        if (end === -1) {
          if (skipping) at += Math.max(0, length)
          scanned = bytes.length - at
          break
        }
        if (!skipping) {
          batch.add(input, at, end, out)
          count++
        }
        skipping = false
        scanned = 0
        at = end + delimiter.length
      }
      batch.flush(input, out)
      input.consume(at - start)
      return error
    },
    end(input, out) {
      if (skipping) input.clear()
      if (!deliver || input.length === 0) return undefined
      if (input.length <= maxLength) out.push(input.copy(input.start, input.end))
      else if (overlong === "fail") return frameTooLarge(input.length, maxLength)
      input.clear()
      return undefined
    },
  }
}

const find = (bytes: Uint8Array, delimiter: Uint8Array, from: number): number => {
  const last = bytes.length - delimiter.length
  for (
    let at = bytes.indexOf(delimiter[0]!, from);
    at !== -1 && at <= last;
    at = bytes.indexOf(delimiter[0]!, at + 1)
  ) {
    let matched = 1
    while (matched < delimiter.length && bytes[at + matched] === delimiter[matched]) matched++
    if (matched === delimiter.length) return at
  }
  return -1
}
