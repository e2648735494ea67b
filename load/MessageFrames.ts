/**
 * What stands between a session and a WebSocket: one frame a message, with the message's kind in front, so that pipelined
 * requests stay one message each. These bytes never reach a wire.
 *
 * ```text
 *  1 byte                  4 bytes
 * +-----------------------+--------+---------+
 * | 1 = text, 2 = binary  | length | message |
 * +-----------------------+--------+---------+
 * ```
 */
import * as Result from "effect/Result"
import { type Codec, mapOrFail } from "../core/Codec.ts"
import * as LengthPrefixed from "../core/codecs/LengthPrefixed.ts"

/** Kinds of messages: the opcodes of RFC 6455 §5.2. */
export const kinds = { text: 1, binary: 2 } as const

/** Bytes in front of a message. */
export const headerSize = 5

/** Frames with their headers. A longer message than this is no frame. */
export const withHeaders = (maxLength: number): Codec<Uint8Array, Uint8Array> =>
  LengthPrefixed.make({ width: 4, offset: 1, header: "keep", maxLength })

/** Messages: those sent are all of this kind, those received of either. */
export const make = (kind: keyof typeof kinds, maxLength: number): Codec<Uint8Array, Uint8Array> =>
  mapOrFail(withHeaders(maxLength), {
    decode: (frame) => Result.succeed(frame.subarray(headerSize)),
    encode(message) {
      const frame = new Uint8Array(headerSize + message.length)
      frame[0] = kinds[kind]
      frame.set(message, headerSize)
      return Result.succeed(frame)
    },
  })

/** Writes the header of a message that is received. */
export const writeHeader = (bytes: Uint8Array, kind: keyof typeof kinds, length: number): void => {
  bytes[0] = kinds[kind]
  for (let index = 1; index < headerSize; index++) bytes[index] = length >>> (8 * (headerSize - 1 - index))
}
