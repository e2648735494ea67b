import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as FixedLength from "../../../core/codecs/FixedLength.ts"
import { bytesOf, decodeAll, encode, holds } from "./properties.ts"

for (const length of [1, 7]) {
  holds(`FixedLength ${length}`, {
    codec: FixedLength.make({ length }),
    frame: fc.uint8Array({ minLength: length, maxLength: length }),
    alphabet: [0],
    bound: length - 1,
  })
}

const codec = FixedLength.make({ length: 3 })

describe("FixedLength", () => {
  test("FAULTS 17: what is short of a frame is left unread", () => {
    expect(decodeAll(codec, [bytesOf(1, 2, 3, 4, 5)])).toMatchObject({ frames: [bytesOf(1, 2, 3)], unread: [4, 5] })
  })

  test("an encoder refuses any other length", () => {
    for (const bad of [bytesOf(), bytesOf(1, 2), bytesOf(1, 2, 3, 4)]) {
      const { bytes, error } = encode(codec, [bytesOf(1, 2, 3), bad])
      expect(error?._tag).toBe("InvalidFrame")
      expect(bytes).toEqual(bytesOf(1, 2, 3))
    }
  })

  test("frames by the thousand in one chunk, more than are copied together", () => {
    const input = Uint8Array.from({ length: 210_000 }, (_, i) => i % 251)
    const frames = decodeAll(codec, [input], 100_000).frames
    expect(frames).toHaveLength(70_000)
    expect(bytesOf(...frames)).toEqual(input)
    expect(Math.max(...frames.map((frame) => frame.buffer.byteLength))).toBeLessThanOrEqual(64 * 1024)
  })

  test("an option that cannot be is named", () => {
    expect(() => FixedLength.make({ length: 0 })).toThrow(
      new RangeError("Cannot make FixedLength: length is 0, wanted a whole number from 1 to 9007199254740991"),
    )
  })
})
