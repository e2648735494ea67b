import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as Raw from "../../../core/codecs/Raw.ts"
import { bytesOf, decodeAll, encodeAll, holds } from "./properties.ts"

holds("Raw", {
  codec: Raw.make({ maxLength: 10 }),
  frame: fc.uint8Array({ minLength: 1, maxLength: 30 }),
  alphabet: [0],
  bound: 0,
  essence: (frames) => bytesOf(...frames),
})

describe("Raw", () => {
  const codec = Raw.make({ maxLength: 3 })

  test("a chunk is a frame, and a longer one several", () => {
    expect(decodeAll(codec, [bytesOf(1, 2), bytesOf(3, 4, 5, 6, 7)]).frames)
      .toEqual([bytesOf(1, 2), bytesOf(3, 4, 5), bytesOf(6, 7)])
  })

  test("what is sent is sent as it is", () => {
    expect(encodeAll(codec, [bytesOf(1, 2, 3, 4), bytesOf(), bytesOf(5)])).toEqual(bytesOf(1, 2, 3, 4, 5))
  })

  test("an option that cannot be is named", () => {
    expect(() => Raw.make({ maxLength: 0 })).toThrow("Cannot make Raw: maxLength is 0")
  })
})
