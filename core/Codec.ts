/**
 * Bytes to frames and frames to bytes. A codec is pure: it opens nothing, waits for nothing and never throws; what is
 * wrong with the input comes back as a {@link FrameError}.
 *
 * The contract is the loop that drives it:
 *
 * ```ts
 * const decoder = codec.decoder() // one for each connection
 * for (const chunk of chunks) {
 *   input.append(chunk)
 *   do {
 *     frames.length = 0
 *     error = decoder.decode(input, frames, 128) // at most 128 frames; exactly their bytes are consumed
 *     for (const frame of frames) handle(frame)  // also those in front of an error
 *   } while (error === undefined && frames.length > 0)
 *   input.own() // the chunk is given back
 * }
 * error ??= decoder.end(input, frames) // the peer has finished writing
 * ```
 */
import * as Result from "effect/Result"
import type { ByteBuffer } from "./ByteBuffer.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import * as Crc from "./codecs/Crc.ts"
import * as Limits from "./codecs/Limits.ts"

/**
 * Turns unread bytes into frames. One decoder serves one connection and may keep state between calls.
 *
 * - `decode` appends at most `limit` (≥ 1) frames to `out` and consumes exactly their bytes; what is left stays in
 *   `input`, so that a change of codec takes it along. No frame appended means that more bytes are needed; bytes
 *   consumed without one count as the beginning of the next, for `deadlines.frame`. Frames do not
 *   lie in the memory of `input`; byte frames found in one call may share theirs (`frame.buffer` is not the frame).
 * - `end` is called once, when the peer has finished writing and `decode` has nothing more to give. It may append a last
 *   frame; bytes that it leaves unread are a truncated frame.
 * - After an error the decoder is not called again.
 */
export interface Decoder<out In> {
  decode(input: ByteBuffer, out: Array<In>, limit: number): FrameError | undefined
  end(input: ByteBuffer, out: Array<In>): FrameError | undefined
}

/**
 * Writes frames as bytes, all frames of a turn in one call. At a frame that cannot be written it stops and returns why;
 * the frames in front of it are in `output`, nothing of it is.
 */
export interface Encoder<in Out> {
  encode(frames: ReadonlyArray<Out>, output: ByteWriter): FrameError | undefined
  /**
   * How many bytes a frame becomes at most, where it can surely be written and will not change; else undefined. Frames of
   * which that is known are sent together, others are written one by one.
   */
  atMost?(frame: Out): number | undefined
}

/** Makes the two halves for a connection. A codec itself is immutable and shared by all connections. */
export interface Codec<out In, in Out> {
  decoder(): Decoder<In>
  encoder(): Encoder<Out>
}

/**
 * Why bytes are not a frame, or a frame cannot be written. `message` is one sentence with the value found and the value
 * wanted.
 */
export type FrameError =
  | { readonly _tag: "FrameTooLarge"; readonly length: number; readonly maximum: number; readonly message: string }
  | { readonly _tag: "InvalidLength"; readonly message: string }
  | { readonly _tag: "InvalidText"; readonly message: string }
  | { readonly _tag: "InvalidFrame"; readonly message: string }
  | { readonly _tag: "ChecksumMismatch"; readonly expected: number; readonly actual: number; readonly message: string }

/** The frame is, or declares itself, longer than the maximum. `length` is what is known of it, in bytes. */
export const frameTooLarge = (length: number, maximum: number): FrameError => ({
  _tag: "FrameTooLarge",
  length,
  maximum,
  message: `Frame of ${length} bytes exceeds the maximum of ${maximum}`,
})

/** The declared length makes no sense: negative, wider than 2^53, or malformed. */
export const invalidLength = (message: string): FrameError => ({ _tag: "InvalidLength", message })

/** The bytes are not UTF-8 and the codec was told to refuse that. */
export const invalidText = (message: string): FrameError => ({ _tag: "InvalidText", message })

/** The frame is whole and is not one of this protocol: wrong magic, version, terminator or content. */
export const invalidFrame = (message: string): FrameError => ({ _tag: "InvalidFrame", message })

/** The frame's checksum is not that of its content. */
export const checksumMismatch = (expected: number, actual: number): FrameError => ({
  _tag: "ChecksumMismatch",
  expected,
  actual,
  message: `Checksum is 0x${actual.toString(16)}, the frame declares 0x${expected.toString(16)}`,
})

/**
 * How the frames of a codec become messages, and messages frames. Whoever finds one wrong returns
 * `Result.fail(Codec.invalidFrame("Magic is 0x12, wanted 0xCA"))`, or another {@link FrameError}; what is thrown becomes
 * an `InvalidFrame` with the error's message.
 */
export interface Mapping<in From, out To, out In, in Out> {
  readonly decode: (frame: From) => Result.Result<In, FrameError>
  readonly encode: (message: Out) => Result.Result<To, FrameError>
}

/**
 * A codec of messages out of a codec of frames: the layer of a protocol that knows what is in a frame. Messages in front
 * of a wrong frame are delivered, or written.
 */
export const mapOrFail = <From, To, In, Out>(
  codec: Codec<From, To>,
  mapping: Mapping<From, To, In, Out>,
): Codec<In, Out> => ({
  decoder() {
    const inner = codec.decoder()
    const frames: Array<From> = []
    const mapped = (error: FrameError | undefined, out: Array<In>): FrameError | undefined => {
      // A wrong frame stands in front of whatever the inner decoder stopped at.
      const wrong = mapInto("decode", mapping.decode, frames, out)
      frames.length = 0
      return wrong ?? error
    }
    return {
      decode: (input, out, limit) => mapped(inner.decode(input, frames, limit), out),
      end: (input, out) => mapped(inner.end(input, frames), out),
    }
  },
  encoder() {
    const inner = codec.encoder()
    return {
      encode(messages, output) {
        const frames: Array<To> = []
        const wrong = mapInto("encode", mapping.encode, messages, frames)
        return inner.encode(frames, output) ?? wrong
      },
    }
  },
})

const mapInto = <A, B>(
  action: "decode" | "encode",
  map: (from: A) => Result.Result<B, FrameError>,
  from: ReadonlyArray<A>,
  to: Array<B>,
): FrameError | undefined => {
  for (const one of from) {
    try {
      const result = map(one)
      if (Result.isFailure(result)) return result.failure
      to.push(result.success)
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : `a value of type ${typeof cause} was thrown`
      return invalidFrame(`Cannot ${action} message: ${found}`)
    }
  }
  return undefined
}

/** How {@link checksum} guards a frame. */
export interface ChecksumOptions {
  /**
   * `crc32` (Ethernet, gzip, zip), `crc32c` (Castagnoli: iSCSI, Kafka), or a function of the content of which the low
   * `width` bytes count. Default `crc32`.
   */
  readonly algorithm?: "crc32" | "crc32c" | ((content: Uint8Array) => number)
  /** Bytes of the checksum. The named algorithms have 4. Default 4. */
  readonly width?: 1 | 2 | 4
  /** Order of the checksum's bytes. Default `big`. */
  readonly endianness?: "big" | "little"
  /** Behind the content or in front of it. Default `trailing`. */
  readonly position?: "trailing" | "leading"
}

/**
 * Takes a checksum off each received frame, verifying it, and puts one on each frame sent. It covers all of the frame
 * but itself, and its bytes count as content of the codec that it is put on. A frame too short to hold one is an
 * `InvalidFrame`, a wrong one a `ChecksumMismatch`. Throws a RangeError when an option cannot be.
 *
 * ```text
 *            frame of the inner codec
 * |-----------------------------------------|
 * +------------------------------+----------+
 * | content = frame              | checksum |   position: "trailing"
 * +------------------------------+----------+
 * ```
 */
export const checksum = (
  codec: Codec<Uint8Array, Uint8Array>,
  options: ChecksumOptions = {},
): Codec<Uint8Array, Uint8Array> => {
  const named = options.algorithm ?? "crc32"
  const sum = typeof named === "function"
    ? named
    : Crc[Limits.oneOf("checksum", "algorithm", named, ["crc32", "crc32c"])]
  const widths = typeof named === "function" ? [1, 2, 4] as const : [4] as const
  const width = Limits.oneOf("checksum", "width", options.width ?? 4, widths)
  const little = Limits.oneOf("checksum", "endianness", options.endianness ?? "big", ["big", "little"]) === "little"
  const leading =
    Limits.oneOf("checksum", "position", options.position ?? "trailing", ["trailing", "leading"]) === "leading"
  const shift = (i: number): number => 8 * (little ? i : width - 1 - i)
  // Shifts of 32 bits are none, so the whole width is a case of its own.
  const low = (value: number): number => width === 4 ? value >>> 0 : value & ((1 << 8 * width) - 1)

  return mapOrFail(codec, {
    decode(frame) {
      const length = frame.length - width
      if (length < 0) {
        return Result.fail(invalidFrame(`Frame of ${frame.length} bytes is too short for a checksum of ${width}`))
      }
      const content = leading ? frame.subarray(width) : frame.subarray(0, length)
      let expected = 0
      for (let i = 0; i < width; i++) expected |= frame[(leading ? 0 : length) + i]! << shift(i)
      const actual = low(sum(content))
      return actual === expected >>> 0 ? Result.succeed(content) : Result.fail(checksumMismatch(expected >>> 0, actual))
    },
    encode(content) {
      const frame = new Uint8Array(content.length + width)
      frame.set(content, leading ? width : 0)
      const value = low(sum(content))
      for (let i = 0; i < width; i++) frame[(leading ? 0 : content.length) + i] = value >>> shift(i)
      return Result.succeed(frame)
    },
  })
}
