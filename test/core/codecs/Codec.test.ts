import * as Result from "effect/Result"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteBuffer } from "../../../core/ByteBuffer.ts"
import * as Codec from "../../../core/Codec.ts"
import * as Crc from "../../../core/codecs/Crc.ts"
import * as LengthPrefixed from "../../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

const framed = LengthPrefixed.make({ width: 2, maxLength: 24 })

/** A protocol with a magic byte, a version and a kind. */
type Message = { readonly kind: "ping" } | { readonly kind: "text"; readonly text: string }

const protocol: Codec.Codec<Message, Message> = Codec.mapOrFail(framed, {
  decode: (frame): Result.Result<Message, Codec.FrameError> => {
    if (frame[0] !== 0xCA) return Result.fail(Codec.invalidFrame(`Magic is ${frame[0]}, wanted ${0xCA}`))
    if (frame[1] !== 1) return Result.fail(Codec.invalidFrame(`Version is ${frame[1]}, wanted 1`))
    if (frame[2] === 0) return Result.succeed({ kind: "ping" })
    if (frame[2] === 1) return Result.succeed({ kind: "text", text: new TextDecoder().decode(frame.subarray(3)) })
    throw new Error(`no kind ${frame[2]}`)
  },
  encode: (message) => {
    if (message.kind === "ping") return Result.succeed(bytesOf(0xCA, 1, 0))
    if (message.text === "") return Result.fail(Codec.invalidFrame("Text is empty"))
    if (message.text === "?") throw new Error("no such text")
    return Result.succeed(bytesOf(0xCA, 1, 1, message.text))
  },
})

holds("Codec.mapOrFail", {
  codec: protocol,
  frame: fc.oneof(
    fc.constant<Message>({ kind: "ping" }),
    fc.constantFrom("a", "héllo", "你").map((text): Message => ({ kind: "text", text })),
  ),
  alphabet: [0, 0, 3, 4, 0xCA, 1, 97],
  bound: 26,
})

describe("Codec.mapOrFail", () => {
  const ping = bytesOf(0, 3, 0xCA, 1, 0)

  test.each([
    ["magic", bytesOf(0, 3, 0xCB, 1, 0), "Magic is 203, wanted 202"],
    ["version", bytesOf(0, 3, 0xCA, 2, 0), "Version is 2, wanted 1"],
    ["content that makes the mapping throw", bytesOf(0, 3, 0xCA, 1, 9), "Cannot decode message: no kind 9"],
  ])("FAULTS 33: a wrong %s is a typed failure behind the messages in front of it", (_, wrong, message) => {
    const { decode } = driver(protocol)
    const frames: Array<Message> = []
    expect(decode(bytesOf(ping, wrong, ping), frames)).toMatchObject({ _tag: "InvalidFrame", message })
    expect(frames).toEqual([{ kind: "ping" }])
  })

  test("a wrong frame is reported before the frame error behind it, and right ones before both", () => {
    const { decode } = driver(protocol)
    expect(decode(bytesOf(ping, 0, 1, 9, 255, 255), [])).toMatchObject({ _tag: "InvalidFrame" })
    const frames: Array<Message> = []
    expect(driver(protocol).decode(bytesOf(ping, 255, 255), frames)).toMatchObject({ _tag: "FrameTooLarge" })
    expect(frames).toEqual([{ kind: "ping" }])
  })

  test("what cannot be encoded stops the encoder; what stands in front of it is written", () => {
    for (const text of ["", "?"]) {
      const { bytes, error } = encode(protocol, [{ kind: "ping" }, { kind: "text", text }, { kind: "ping" }])
      expect(error?._tag).toBe("InvalidFrame")
      expect(bytes).toEqual(ping)
    }
    const tooLong: Message = { kind: "text", text: "x".repeat(22) }
    const { bytes, error } = encode(protocol, [{ kind: "ping" }, tooLong, { kind: "text", text: "" }])
    expect(error?._tag).toBe("FrameTooLarge")
    expect(bytes).toEqual(ping)
  })

  test("maps text as well, and a last frame that only the peer's FIN ends", () => {
    const numbers = Codec.mapOrFail(Lines.make({ maxLength: 100, unterminated: "deliver" }), {
      decode: (line) => Result.succeed(Number(line)),
      encode: (value: number) => Result.succeed(`${value}`),
    })
    expect(decodeAll(numbers, [bytesOf("1\n2")]).frames).toEqual([1, 2])
    const failing = Codec.mapOrFail(numbers, {
      decode: () => Result.fail(Codec.invalidFrame("Number is unwanted")),
      encode: (value: number) => Result.succeed(value),
    })
    expect(decodeAll(failing, [bytesOf("2")]).error).toBe("InvalidFrame")
  })

  test("what is no error and is thrown all the same is a typed failure", () => {
    const throwing = Codec.mapOrFail(framed, {
      decode: () => {
        throw Object.create(null)
      },
      encode: (frame: Uint8Array) => Result.succeed(frame),
    })
    expect(driver(throwing).decode(bytesOf(0, 0), [])).toMatchObject({ _tag: "InvalidFrame" })
  })
})

for (const algorithm of ["crc32", "crc32c"] as const) {
  for (const position of ["trailing", "leading"] as const) {
    for (const endianness of ["big", "little"] as const) {
      holds(`Codec.checksum ${algorithm} ${position} ${endianness}`, {
        codec: Codec.checksum(framed, { algorithm, position, endianness }),
        frame: fc.uint8Array({ maxLength: 20 }),
        alphabet: [0, 0, 4, 5, 6],
        bound: 26,
      })
    }
  }
}

describe("Codec.checksum", () => {
  const digits = bytesOf("123456789")

  test("the check values of the catalogue", () => {
    expect(Crc.crc32(digits)).toBe(0xCBF4_3926)
    expect(Crc.crc32c(digits)).toBe(0xE306_9283)
    expect(Crc.crc32(bytesOf())).toBe(0)
  })

  test.each(
    [
      [{}, bytesOf(0, 13, digits, 0xCB, 0xF4, 0x39, 0x26)],
      [{ endianness: "little" }, bytesOf(0, 13, digits, 0x26, 0x39, 0xF4, 0xCB)],
      [{ algorithm: "crc32c", position: "leading" }, bytesOf(0, 13, 0xE3, 0x06, 0x92, 0x83, digits)],
      [{ algorithm: (content: Uint8Array) => 0x1_0100 + content.length, width: 2 }, bytesOf(0, 11, digits, 1, 9)],
      [{ algorithm: () => -2, width: 1, position: "leading" }, bytesOf(0, 10, 254, digits)],
    ] as const,
  )("is on the wire as %j says", (options, wire) => {
    const codec = Codec.checksum(framed, options)
    expect(encodeAll(codec, [digits])).toEqual(wire)
    expect(decodeAll(codec, oneByOne(wire)).frames).toEqual([digits])
  })

  test("FAULTS 33: every changed bit is a mismatch that names both sums", () => {
    const codec = Codec.checksum(framed)
    const wire = encodeAll(codec, [digits])
    for (let bit = 16; bit < wire.length * 8; bit++) {
      const damaged = wire.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeAll(codec, [damaged]).error).toBe("ChecksumMismatch")
    }
    const damaged = bytesOf(wire.subarray(0, wire.length - 1), 0x27)
    expect(driver(codec).decode(damaged, [])).toEqual(Codec.checksumMismatch(0xCBF4_3927, 0xCBF4_3926))
  })

  test("a frame too short for a checksum is invalid, one of a checksum alone is empty", () => {
    const codec = Codec.checksum(framed)
    expect(decodeAll(codec, [bytesOf(0, 3, 0, 0, 0)]).error).toBe("InvalidFrame")
    expect(decodeAll(codec, [bytesOf(0, 4, 0, 0, 0, 0)]).frames).toEqual([bytesOf()])
  })

  test("an option that cannot be is named", () => {
    expect(() => Codec.checksum(framed, { width: 2 })).toThrow("Cannot make checksum: width is 2, wanted 4")
    expect(() => Codec.checksum(framed, { algorithm: "md5" as "crc32" })).toThrow("algorithm")
    expect(() => Codec.checksum(framed, { position: "middle" as "leading" })).toThrow("position")
    expect(() => Codec.checksum(framed, { endianness: "middle" as "big" })).toThrow("endianness")
  })
})

const driver = <A>(codec: Codec.Codec<A, never>) => ({
  decode: (bytes: Uint8Array, frames: Array<A>): Codec.FrameError | undefined => {
    const input = new ByteBuffer()
    input.append(bytes)
    return codec.decoder().decode(input, frames, 128)
  },
})
