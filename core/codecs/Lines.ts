/**
 * Lines, as text or as bytes: ended by LF, and a CR directly in front of it belongs to the end, so that both kinds of
 * sender are understood. Nothing else ends a line: not a CR alone, not NUL, not U+2028.
 *
 * ```text
 *  0 to maxLength bytes        0D or nothing   0A
 * +-----------------+--------+------------------+
 * | content = frame | CR?    | LF               |
 * +-----------------+--------+------------------+
 * ```
 *
 * A BOM is content like any other character. Invalid UTF-8 is replaced by U+FFFD within its line, or refused; it never
 * reaches into the next line, because LF is no part of any other character.
 *
 * Lines of text that arrive together are parts of one string (up to 64 KiB) in the memory of today's JavaScript engines:
 * a program that keeps few of them for long does well to copy those.
 */
import type { ByteBuffer } from "../ByteBuffer.ts"
import type { ByteWriter } from "../ByteWriter.ts"
import {
  type Codec,
  type Decoder,
  type Encoder,
  type FrameError,
  frameTooLarge,
  invalidFrame,
  invalidText,
} from "../Codec.ts"
import { Batch } from "./internal/Batch.ts"
import * as Limits from "./Limits.ts"

/** `maxLength` counts the bytes of the content, without LF and the CR in front of it. */
export interface BytesOptions extends Limits.Limits {
  /** Bytes of content in one sent line, at most. Default: no bound, because an answer is often longer than its question. */
  readonly maxOutgoing?: number
  /**
   * What the peer's FIN makes of a last line whose LF has not come: it stays unread, as a truncated frame, or is
   * delivered (if it is not empty; a CR at its end belongs to the end). Default `refuse`.
   */
  readonly unterminated?: "refuse" | "deliver"
  /** What the encoder ends a line with. Default LF. */
  readonly newline?: "\n" | "\r\n"
}

/** As {@link BytesOptions}, of text: `maxLength` counts the bytes of its UTF-8. */
export interface Options extends BytesOptions {
  /** What received bytes that are not UTF-8 lead to: U+FFFD in their place, or an `InvalidText`. Default `replace`. */
  readonly invalidUtf8?: "replace" | "refuse"
}

/**
 * Lines of text. A line to send that holds LF is an `InvalidFrame`; one that ends in CR is ended by CRLF, so that it is
 * read back as it is; lone surrogates are sent as U+FFFD. Throws a RangeError when an option cannot be.
 */
export const make = (options: Options): Codec<string, string> => {
  const config = parse(options)
  const accepted = ["replace", "refuse"] as const
  const fatal = Limits.oneOf("Lines", "invalidUtf8", options.invalidUtf8 ?? "replace", accepted) === "refuse"
  const read = readText(new TextDecoder("utf-8", { ignoreBOM: true, fatal }))
  const encoder: Encoder<string> = {
    encode: (frames, output) => writeText(config, frames, output),
    // A unit of UTF-16 becomes three bytes at most, the end of a line two.
    atMost: (frame) => {
      const most = frame.length * 3
      return most > config.maxOutgoing || frame.includes("\n") ? undefined : most + 2
    },
  }
  return { decoder: () => new LineDecoder(config, read), encoder: () => encoder }
}

/** Lines of bytes. Otherwise as {@link make}. */
export const bytes = (options: BytesOptions): Codec<Uint8Array, Uint8Array> => {
  const config = parse(options)
  const encoder: Encoder<Uint8Array> = { encode: (frames, output) => writeBytes(config, frames, output) }
  return { decoder: () => new LineDecoder(config, readBytes()), encoder: () => encoder }
}

type Config = Required<BytesOptions>

const parse = (options: BytesOptions): Config => ({
  ...Limits.parse("Lines", { maxOutgoing: Number.MAX_SAFE_INTEGER, ...options }),
  unterminated: Limits.oneOf("Lines", "unterminated", options.unterminated ?? "refuse", ["refuse", "deliver"]),
  newline: Limits.oneOf("Lines", "newline", options.newline ?? "\n", ["\n", "\r\n"]),
})

/**
 * Reads and consumes at most `limit` lines from those that begin at `input.start` and of which the last ends at `last`.
 * None of them is too long.
 */
type Read<A> = (input: ByteBuffer, last: number, out: Array<A>, limit: number) => FrameError | undefined

// A class, not closures: one function for all connections is what engines make fast.
class LineDecoder<A> implements Decoder<A> {
  readonly #config: Config
  readonly #read: Read<A>
  // What lies within the window is not too long as a whole, so no line of it is and none need be measured.
  readonly #window: number
  #scanned = 0
  #skipping = false

  constructor(config: Config, read: Read<A>) {
    this.#config = config
    this.#read = read
    this.#window = Math.min(64 * 1024, config.maxLength + 1)
  }

  decode(input: ByteBuffer, out: Array<A>, limit: number): FrameError | undefined {
    const { bytes, start, end } = input
    // The usual chunk: whole lines, nothing left of an earlier one, the last LF found from the end.
    if (this.#scanned === 0 && !this.#skipping && end - start <= this.#window && bytes[end - 1] === lf) {
      return this.#read(input, end - 1, out, limit)
    }
    return this.#search(input, out, out.length + limit)
  }

  #search(input: ByteBuffer, out: Array<A>, stop: number): FrameError | undefined {
    const { maxLength, overlong } = this.#config
    while (out.length < stop) {
      const first = input.indexOf(lf, input.start + this.#scanned)
      if (first === -1) {
        // One byte over the maximum may be the CR of a line that is not too long.
        if (!this.#skipping && input.length > maxLength + 1) {
          if (overlong === "fail") return frameTooLarge(input.length - 1, maxLength)
          this.#skipping = true
        }
        if (this.#skipping) input.clear()
        this.#scanned = input.length
        return undefined
      }
      this.#scanned = 0
      const { bytes, start, end } = input
      const length = contentEnd(bytes, start, first) - start
      if (this.#skipping || length > maxLength) {
        if (!this.#skipping && overlong === "fail") return frameTooLarge(length, maxLength)
        this.#skipping = false
        input.consume(first + 1 - start)
        continue
      }
      const edge = Math.min(end, start + this.#window) - 1
      const last = first < edge ? bytes.lastIndexOf(lf, edge) : first
      const error = this.#read(input, last, out, stop - out.length)
      if (error !== undefined) return error
    }
    return undefined
  }

  end(input: ByteBuffer, out: Array<A>): FrameError | undefined {
    const { maxLength, overlong, unterminated } = this.#config
    if (unterminated === "refuse" || input.length === 0) return undefined
    const length = contentEnd(input.bytes, input.start, input.end) - input.start
    if (length <= maxLength) return this.#read(input, input.end, out, 1)
    if (overlong === "fail") return frameTooLarge(length, maxLength)
    input.clear()
    return undefined
  }
}

const readBytes = (): Read<Uint8Array> => {
  const batch = new Batch()
  return (input, last, out, limit) => {
    const { bytes, start } = input
    let at = start
    for (let count = 0; count < limit && at <= last; count++) {
      const end = lineEnd(bytes, at, last)
      batch.add(input, at, contentEnd(bytes, at, end), out)
      at = end + 1
    }
    batch.flush(input, out)
    input.consume(at - start)
    return undefined
  }
}

// One call of the decoder for all lines: it costs more than its work on any of them.
const readText = (decoder: TextDecoder): Read<string> => {
  const read: Read<string> = (input, last, out, limit) => {
    const { bytes, start, end: stop } = input
    // All there is, its LF included: no view need be made of it.
    const whole = start === 0 && last === stop - 1 && stop === bytes.length
    let text: string
    try {
      text = decoder.decode(whole ? bytes : bytes.subarray(start, last))
    } catch {
      const end = lineEnd(bytes, start, last)
      if (end === last) return invalidText(`Cannot decode line of ${last - start} bytes: it is not UTF-8`)
      // The lines in front of the bad one are to be had; by halves, or many short lines would be decoded many times.
      return read(input, Math.max(end, bytes.lastIndexOf(lf, (start + last) >>> 1)), out, limit)
    }
    const returns = text.includes("\r")
    if (whole && text.indexOf("\n") === text.length - 1) {
      out.push(text.slice(0, returns && text.endsWith("\r\n") ? -2 : -1))
      input.clear()
      return undefined
    }
    // One more than wanted: what follows the last LF, or what is left for the next call.
    const lines = text.split("\n", limit + 1)
    if (whole || lines.length > limit) lines.pop()
    for (const line of lines) out.push(returns && line.endsWith("\r") ? line.slice(0, -1) : line)
    let end = last
    if (lines.length === limit) {
      end = start - 1
      for (let count = 0; count < limit; count++) end = lineEnd(bytes, end + 1, last)
    }
    input.consume(end + 1 - start)
    return undefined
  }
  return read
}

const writeText = (
  { newline, maxOutgoing }: Config,
  frames: ReadonlyArray<string>,
  output: ByteWriter,
): FrameError | undefined => {
  if (frames.length === 0) return undefined
  const text = frames.length === 1 ? frames[0]! : frames.join(newline)
  if (isPlain(text, frames, newline, maxOutgoing)) {
    output.text(text)
    endLine(newline === "\r\n", output)
    return undefined
  }
  for (const frame of frames) {
    if (frame.includes("\n")) return holdsLf(frame.length)
    const at = output.length
    const length = output.text(frame)
    if (length > maxOutgoing) {
      output.truncate(at)
      return frameTooLarge(length, maxOutgoing)
    }
    endLine(newline === "\r\n" || frame.endsWith("\r"), output)
  }
  return undefined
}

const endLine = (returns: boolean, output: ByteWriter): void => {
  const at = output.reserve(returns ? 2 : 1)
  if (returns) output.bytes[at] = cr
  output.bytes[output.length - 1] = lf
}

// Whether nothing of the joined text needs a closer look: each LF stands where a line was ended. It is asked of the
// joined text because a frame is often a concatenation, which each question of its own would have to be built for.
const isPlain = (text: string, frames: ReadonlyArray<string>, newline: string, maximum: number): boolean => {
  if (text.length * 3 > maximum && frames.some((frame) => frame.length * 3 > maximum)) return false
  let at = -1
  for (let index = 0, end = 0; index < frames.length; index++) {
    const found = text.indexOf("\n", at + 1)
    if (index === frames.length - 1) {
      if (found !== -1) return false
      break
    }
    end += frames[index]!.length + newline.length
    if (found !== end - 1) return false
    at = found
  }
  return newline === "\r\n" || !text.includes("\r")
}

const writeBytes = (
  { newline, maxOutgoing }: Config,
  frames: ReadonlyArray<Uint8Array>,
  output: ByteWriter,
): FrameError | undefined => {
  for (const frame of frames) {
    if (frame.includes(lf)) return holdsLf(frame.length)
    if (frame.length > maxOutgoing) return frameTooLarge(frame.length, maxOutgoing)
    const length = frame.length
    const returns = newline === "\r\n" || frame[length - 1] === cr
    const at = output.reserve(length + (returns ? 2 : 1))
    output.bytes.set(frame, at)
    if (returns) output.bytes[at + length] = cr
    output.bytes[output.length - 1] = lf
  }
  return undefined
}

const holdsLf = (length: number): FrameError =>
  invalidFrame(`Cannot encode line of length ${length}: it holds a line feed`)

/** Where the line that begins at `from` ends: at its LF, or at `last`, which need be none at the end of input. */
const lineEnd = (bytes: Uint8Array, from: number, last: number): number => {
  const found = bytes.indexOf(lf, from)
  return found === -1 || found > last ? last : found
}

/** Where the content of a line ends that itself ends at `end`. */
const contentEnd = (bytes: Uint8Array, start: number, end: number): number =>
  end > start && bytes[end - 1] === cr ? end - 1 : end

const lf = 10
const cr = 13
