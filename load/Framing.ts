/**
 * How requests and replies are told from each other on the wire, as the command line says it. All codecs are of bytes: text
 * that nobody reads is not decoded.
 */
import { ByteWriter } from "../core/ByteWriter.ts"
import type { Codec } from "../core/Codec.ts"
import * as Delimited from "../core/codecs/Delimited.ts"
import * as FixedLength from "../core/codecs/FixedLength.ts"
import * as LengthPrefixed from "../core/codecs/LengthPrefixed.ts"
import * as Lines from "../core/codecs/Lines.ts"
import * as Netstring from "../core/codecs/Netstring.ts"
import * as Raw from "../core/codecs/Raw.ts"
import * as VarintPrefixed from "../core/codecs/VarintPrefixed.ts"
import * as Escapes from "./Escapes.ts"
import * as MessageFrames from "./MessageFrames.ts"
import type { Expectation } from "./Plan.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"
import * as RawEcho from "./RawEcho.ts"
import type { Target } from "./Target.ts"

/** A framing that was chosen. */
export interface Framing {
  /** As it is written in a result. */
  readonly name: string
  /** A codec of its own for each connection, because one of `raw` keeps count. */
  readonly codec: () => Codec<Uint8Array, Uint8Array>
  /** Why it cannot carry a frame; undefined where it can. */
  readonly refuses: (frame: Uint8Array) => string | undefined
  /** What no frame may hold; undefined where all bytes are allowed. */
  readonly delimiter: Uint8Array | undefined
  /**
   * How replies without a boundary are told from each other: each chunk is one, each has so many bytes, or as many as
   * were sent. Undefined where there are boundaries.
   */
  readonly raw: "chunk" | "length" | "echo" | undefined
}

/** What a framing has to know besides its name. */
export interface Options {
  /** Bytes of a frame, either way, at most. Default 1 MiB. */
  readonly maxFrame?: number
  /** What replies have to be: those of `raw` are told by it. Default `Any`. */
  readonly expect?: Expectation
}

/** Bytes of a frame that can be allowed. */
export const largest: number = 16 * 1024 * 1024

const usual = 1024 * 1024

/** What is accepted for a stream of bytes, for messages. */
export const accepted =
  "lines, lines:crlf, delimited:TEXT, length:1|2|3|4|8, length:…:le, varint, netstring, fixed:BYTES, raw or raw:BYTES"

/** What is accepted for a WebSocket, for messages. */
export const acceptedOfWebSocket = "text or binary"

/** The framing that a text says; without one, lines for bytes and text for a WebSocket. */
export const parse = (text: string | undefined, target: Target, options: Options = {}): Framing | Problem => {
  const maxLength = options.maxFrame ?? usual
  if (!Number.isSafeInteger(maxLength) || maxLength < 1 || maxLength > largest) {
    return problem(`Expected a largest frame of 1 to ${largest} bytes, got ${maxLength}`)
  }
  return target.webSocket === undefined
    ? ofBytes(text ?? "lines", maxLength, options.expect)
    : ofMessages(text ?? "text", maxLength)
}

const ofMessages = (text: string, maxLength: number): Framing | Problem => {
  if (text !== "text" && text !== "binary") {
    return problem(`Expected ${acceptedOfWebSocket}, because a WebSocket has messages, got ${text}`)
  }
  const codec = MessageFrames.make(text, maxLength)
  const refuses = encodable(codec)
  return {
    name: text,
    codec: () => codec,
    refuses: (frame) => (text === "text" && !isUtf8(frame) ? "it is not UTF-8; choose binary" : refuses(frame)),
    delimiter: undefined,
    raw: undefined,
  }
}

const ofBytes = (text: string, maxLength: number, expect: Expectation | undefined): Framing | Problem => {
  const colon = text.indexOf(":")
  const [name, argument] = colon === -1 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
  const unknown = problem(`Expected ${accepted}, got ${text === "" ? "nothing" : text}`)
  switch (name) {
    case "lines":
      if (argument !== undefined && argument.toLowerCase() !== "crlf") return unknown
      return framing(
        argument === undefined ? "lines" : "lines:crlf",
        Lines.bytes({ maxLength, maxOutgoing: maxLength, newline: argument === undefined ? "\n" : "\r\n" }),
        encoder.encode("\n"),
      )
    case "delimited": {
      const delimiter = argument === undefined ? encoder.encode("") : Escapes.bytes(argument)
      if (isProblem(delimiter)) return delimiter
      if (delimiter.length === 0) return problem("Expected what ends a frame, as in delimited:\\0, got nothing")
      return framing(text, Delimited.make({ delimiter, maxLength }), delimiter)
    }
    case "length": {
      const [, digit, order] = /^([12348])(?::(be|le))?$/.exec(argument ?? "") ?? []
      const width = ([1, 2, 3, 4, 8] as const).find((width) => String(width) === digit)
      if (width === undefined) return unknown
      const endianness = order === "le" ? "little" : "big"
      return framing(text, LengthPrefixed.make({ width, endianness, maxLength }))
    }
    case "varint":
      return argument === undefined ? framing(text, VarintPrefixed.make({ maxLength })) : unknown
    case "netstring":
      return argument === undefined ? framing(text, Netstring.make({ maxLength })) : unknown
    case "fixed": {
      const length = lengthOf(argument)
      return length === undefined ? unknown : framing(text, FixedLength.make({ length }))
    }
    case "raw":
      return argument === undefined ? ofRaw(maxLength, expect) : ofRawLength(text, lengthOf(argument)) ?? unknown
    default:
      return unknown
  }
}

const ofRaw = (maxLength: number, expect: Expectation | undefined): Framing => {
  if (expect?._tag === "Echo") {
    const { length } = expect.prefix
    return { ...rawFraming("raw", () => RawEcho.make(length)), raw: "echo" }
  }
  const codec = Raw.make({ maxLength })
  return { ...rawFraming("raw", () => codec), raw: "chunk" }
}

const ofRawLength = (name: string, length: number | undefined): Framing | undefined => {
  if (length === undefined) return undefined
  const decoder = FixedLength.make({ length }).decoder
  const encoder = Raw.make({ maxLength: length }).encoder
  return { ...rawFraming(name, () => ({ decoder, encoder })), raw: "length" }
}

const framing = (name: string, codec: Codec<Uint8Array, Uint8Array>, delimiter?: Uint8Array): Framing => ({
  name,
  codec: () => codec,
  refuses: encodable(codec),
  delimiter,
  raw: undefined,
})

const rawFraming = (name: string, codec: Framing["codec"]): Framing => ({
  name,
  codec,
  refuses: (frame) => (frame.length === 0 ? "it is empty, and without framing nothing would be sent" : undefined),
  delimiter: undefined,
  raw: undefined,
})

const lengthOf = (text: string | undefined): number | undefined => {
  const length = /^\d{1,9}$/.test(text ?? "") ? Number(text) : 0
  return length >= 1 && length <= largest ? length : undefined
}

/** The encoder itself knows best. */
const encodable = (codec: Codec<Uint8Array, Uint8Array>) => {
  const writer = new ByteWriter()
  const encoder = codec.encoder()
  return (frame: Uint8Array): string | undefined => {
    const error = encoder.encode([frame], writer)
    writer.truncate(0)
    return error?.message
  }
}

const isUtf8 = (bytes: Uint8Array): boolean => {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

const encoder = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true })
