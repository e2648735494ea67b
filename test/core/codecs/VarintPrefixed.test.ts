import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as VarintPrefixed from "../../../core/codecs/VarintPrefixed.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

for (const overlong of ["fail", "skip"] as const) {
  holds(`VarintPrefixed ${overlong}`, {
    codec: VarintPrefixed.make({ maxLength: 300, overlong }),
    frame: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 126, maxLength: 300 })),
    alphabet: [0, 0, 1, 2, 127, 128, 129, 255],
    bound: 300 + 10,
  })
}

const codec = VarintPrefixed.make({ maxLength: 70_000 })

describe("VarintPrefixed", () => {
  test.each([
    [0, [0]],
    [127, [127]],
    [128, [0x80, 1]],
    [300, [0xAC, 2]],
    [16_384, [0x80, 0x80, 1]],
    [70_000, [0xF0, 0xA2, 4]],
  ])("%d bytes are declared as protobuf does", (length, varint) => {
    const frame = new Uint8Array(length).fill(7)
    expect(encodeAll(codec, [frame])).toEqual(bytesOf(...varint, frame))
    expect(decodeAll(codec, [bytesOf(...varint, frame)]).frames).toEqual([frame])
  })

  test("a varint longer than it need be is read", () => {
    expect(decodeAll(codec, oneByOne(bytesOf(0x80, 0, 0x81, 0x80, 0, 9))).frames).toEqual([bytesOf(), bytesOf(9)])
    expect(decodeAll(codec, [bytesOf(...Array(9).fill(0x80), 0)]).frames).toEqual([bytesOf()])
  })

  test("FAULTS 23: eleven bytes, or more than 2^53 - 1, are an invalid length", () => {
    expect(decodeAll(codec, [bytesOf(...Array(10).fill(0x80), 0)]).error).toBe("InvalidLength")
    expect(decodeAll(codec, [bytesOf(...Array(9).fill(0xFF), 1)]).error).toBe("InvalidLength")
    expect(decodeAll(codec, [bytesOf(...Array(7).fill(0x80), 0x10)]).error).toBe("InvalidLength")
    expect(decodeAll(codec, [bytesOf(...Array(7).fill(0xFF), 0x0F)]).error).toBe("FrameTooLarge")
  })

  test("FAULTS 22: a length over the maximum is refused before its content", () => {
    expect(decodeAll(codec, [bytesOf(1, 5, 0xF1, 0xA2, 4)])).toMatchObject({
      frames: [bytesOf(5)],
      error: "FrameTooLarge",
    })
  })

  test("an encoder refuses what is too long", () => {
    const { bytes, error } = encode(codec, [bytesOf(5), new Uint8Array(70_001)])
    expect(error).toMatchObject({ _tag: "FrameTooLarge", length: 70_001, maximum: 70_000 })
    expect(bytes).toEqual(bytesOf(1, 5))
  })

  test("an option that cannot be is named", () => {
    expect(() => VarintPrefixed.make({ maxLength: -1 })).toThrow("Cannot make VarintPrefixed: maxLength is -1")
  })
})
