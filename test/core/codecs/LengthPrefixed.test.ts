import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as LengthPrefixed from "../../../core/codecs/LengthPrefixed.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

const maxLength = 20
const alphabet = [0, 0, 0, 1, 2, 3, 5, 20, 21, 255]

for (const width of [1, 2, 3, 4, 8] as const) {
  for (const endianness of ["big", "little"] as const) {
    for (const overlong of ["fail", "skip"] as const) {
      holds(`LengthPrefixed ${width} ${endianness} ${overlong}`, {
        codec: LengthPrefixed.make({ width, endianness, maxLength, overlong }),
        frame: fc.uint8Array({ maxLength }),
        alphabet,
        bound: width + maxLength,
      })
      // The rest of the frame is kept; the length field itself is the encoder's to write.
      holds(`LengthPrefixed ${width} ${endianness} ${overlong} with its header`, {
        codec: LengthPrefixed.make({
          width,
          endianness,
          maxLength,
          overlong,
          offset: 2,
          adjustment: -1,
          header: "keep",
        }),
        frame: fc.tuple(fc.uint8Array({ minLength: 2, maxLength: 2 }), fc.uint8Array({ maxLength })).map(
          ([front, content]) => {
            const field = new Array(width).fill(0)
            field[endianness === "big" ? width - 1 : 0] = content.length + 1
            return bytesOf(front, ...field, content)
          },
        ),
        alphabet,
        bound: 2 + width + maxLength,
      })
    }
  }
}

describe("LengthPrefixed", () => {
  test("FAULTS 21: a length of 0 is an empty frame", () => {
    const codec = LengthPrefixed.make({ width: 2, maxLength: 8 })
    expect(decodeAll(codec, [bytesOf(0, 0, 0, 0, 0, 1, 7)]).frames).toEqual([bytesOf(), bytesOf(), bytesOf(7)])
  })

  test.each(
    [
      ["big", bytesOf(0, 0, 0, 2, 8, 9)],
      ["little", bytesOf(2, 0, 0, 0, 8, 9)],
    ] as const,
  )("%s endian", (endianness, wire) => {
    const codec = LengthPrefixed.make({ width: 4, endianness, maxLength: 8 })
    expect(decodeAll(codec, [wire]).frames).toEqual([bytesOf(8, 9)])
    expect(encodeAll(codec, [bytesOf(8, 9)])).toEqual(wire)
  })

  test("FAULTS 22: a length over the maximum is refused as soon as it is there, before its content", () => {
    const codec = LengthPrefixed.make({ width: 4, maxLength: 1024 })
    expect(decodeAll(codec, oneByOne(bytesOf(255, 255, 255, 255)))).toMatchObject({
      frames: [],
      error: "FrameTooLarge",
    })
    expect(decodeAll(codec, [bytesOf(0, 0, 4, 1)]).error).toBe("FrameTooLarge")
    expect(decodeAll(codec, [bytesOf(0, 0, 4, 0)]).error).toBeUndefined()
  })

  test("FAULTS 23: a length over 2^53 - 1, or negative once adjusted, is invalid", () => {
    for (const overlong of ["fail", "skip"] as const) {
      const codec = LengthPrefixed.make({ width: 8, maxLength: 1024, overlong })
      for (const high of [[0xFF, 0xFF], [0, 0x20]]) {
        expect(decodeAll(codec, [bytesOf(...high, 0, 0, 0, 0, 0, 0)]).error).toBe("InvalidLength")
      }
      const negative = LengthPrefixed.make({ width: 2, maxLength: 1024, adjustment: -2, overlong })
      expect(decodeAll(negative, [bytesOf(0, 1)]).error).toBe("InvalidLength")
      expect(decodeAll(negative, [bytesOf(0, 2)]).frames).toEqual([bytesOf()])
    }
    const codec = LengthPrefixed.make({ width: 8, maxLength: 1024 })
    expect(decodeAll(codec, [bytesOf(0, 0x1F, ...Array(6).fill(255))]).error).toBe("FrameTooLarge")
  })

  test("an overlong frame can be skipped, and holds no memory while it is", () => {
    const codec = LengthPrefixed.make({ width: 4, maxLength: 8, overlong: "skip" })
    const body = Array.from({ length: 256 }, () => new Uint8Array(4096))
    const decoded = decodeAll(codec, [bytesOf(0, 0x10, 0, 0), ...body, bytesOf(0, 0, 0, 1, 7)])
    expect(decoded).toMatchObject({ frames: [bytesOf(7)], error: undefined, held: 0 })
  })

  test("a length that counts its header, and one that leaves out what follows it", () => {
    const counting = LengthPrefixed.make({ width: 2, maxLength: 8, adjustment: -2 })
    expect(decodeAll(counting, [bytesOf(0, 4, 8, 9)]).frames).toEqual([bytesOf(8, 9)])
    expect(encodeAll(counting, [bytesOf(8, 9)])).toEqual(bytesOf(0, 4, 8, 9))
    const flags = LengthPrefixed.make({ width: 1, maxLength: 8, adjustment: 3 })
    expect(decodeAll(flags, [bytesOf(1, 1, 2, 3, 9, 0, 4, 5, 6)]).frames).toEqual([
      bytesOf(1, 2, 3, 9),
      bytesOf(4, 5, 6),
    ])
    expect(encodeAll(flags, [bytesOf(1, 2, 3, 9)])).toEqual(bytesOf(1, 1, 2, 3, 9))
    expect(encode(flags, [bytesOf(1, 2, 3), bytesOf(1, 2)])).toMatchObject({
      bytes: bytesOf(0, 1, 2, 3),
      error: { _tag: "InvalidFrame" },
    })
  })

  test("what stands in front of the length is stripped, and sent as zeros", () => {
    const codec = LengthPrefixed.make({ width: 2, maxLength: 8, offset: 3 })
    expect(decodeAll(codec, [bytesOf(0xCA, 0xFE, 1, 0, 2, 8, 9)]).frames).toEqual([bytesOf(8, 9)])
    expect(encodeAll(codec, [bytesOf(8, 9), bytesOf(7)])).toEqual(bytesOf(0, 0, 0, 0, 2, 8, 9, 0, 0, 0, 0, 1, 7))
  })

  test("a kept header is part of the frame, and the encoder writes the length into it", () => {
    const codec = LengthPrefixed.make({ width: 2, maxLength: 2, offset: 1, header: "keep" })
    expect(decodeAll(codec, [bytesOf(0xCA, 0, 2, 8, 9)]).frames).toEqual([bytesOf(0xCA, 0, 2, 8, 9)])
    expect(encodeAll(codec, [bytesOf(0xCA, 77, 77, 8, 9)])).toEqual(bytesOf(0xCA, 0, 2, 8, 9))
    expect(encode(codec, [bytesOf(0xCA, 0)]).error?._tag).toBe("InvalidFrame")
    expect(encode(codec, [bytesOf(0xCA, 0, 0, 1, 2, 3)]).error).toMatchObject({ length: 3, maximum: 2 })
  })

  test("an encoder refuses what the field cannot declare", () => {
    const codec = LengthPrefixed.make({ width: 1, maxLength: 1000 })
    expect(encodeAll(codec, [new Uint8Array(255)])).toHaveLength(256)
    const { bytes, error } = encode(codec, [bytesOf(1), new Uint8Array(256)])
    expect(error).toMatchObject({ _tag: "FrameTooLarge", length: 256, maximum: 255 })
    expect(bytes).toEqual(bytesOf(1, 1))
  })

  test("FAULTS 17: a frame cut by the peer's FIN is left unread", () => {
    const codec = LengthPrefixed.make({ width: 1, maxLength: 8 })
    expect(decodeAll(codec, [bytesOf(1, 7, 3, 1)])).toMatchObject({ frames: [bytesOf(7)], unread: [3, 1] })
  })

  test("an option that cannot be is named with what is accepted", () => {
    expect(() => LengthPrefixed.make({ width: 5 as 4, maxLength: 8 })).toThrow(
      new RangeError("Cannot make LengthPrefixed: width is 5, wanted 1 or 2 or 3 or 4 or 8"),
    )
    expect(() => LengthPrefixed.make({ width: 4, maxLength: 8, offset: -1 })).toThrow("offset is -1")
    expect(() => LengthPrefixed.make({ width: 4, maxLength: 8, endianness: "middle" as "big" })).toThrow("endianness")
    expect(() => LengthPrefixed.make({ width: 4, maxLength: 8, header: "drop" as "keep" })).toThrow("header")
    expect(() => LengthPrefixed.make({ width: 4, maxLength: 8, adjustment: 9 })).toThrow("adjustment is 9")
    expect(() => LengthPrefixed.make({ width: 1, maxLength: 8, adjustment: -256 })).toThrow("adjustment is -256")
  })
})
