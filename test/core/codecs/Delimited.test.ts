import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteBuffer } from "../../../core/ByteBuffer.ts"
import * as Delimited from "../../../core/codecs/Delimited.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

const letters = fc.array(fc.constantFrom(97, 99, 0), { maxLength: 16 }).map((all) => Uint8Array.from(all))
for (const delimiter of ["\0\n", "--", "-", "aab", "----x"]) {
  const own = new Set(bytesOf(delimiter))
  const frame = letters.map((all) => all.filter((byte) => !own.has(byte)))
  for (const overlong of ["fail", "skip"] as const) {
    for (const unterminated of ["refuse", "deliver"] as const) {
      holds(`Delimited ${JSON.stringify(delimiter)} ${overlong} ${unterminated}`, {
        codec: Delimited.make({ delimiter, maxLength: 16, overlong, unterminated }),
        frame,
        alphabet: [...own, ...own, 97, 120],
        bound: 16 + own.size + 4,
      })
    }
  }
}

const codec = Delimited.make({ delimiter: "--", maxLength: 8 })

describe("Delimited", () => {
  test("the first place where the delimiter stands ends the frame", () => {
    expect(decodeAll(codec, [bytesOf("a---b--c-d----")]).frames).toEqual(
      ["a", "-b", "c-d", ""].map((one) => bytesOf(one)),
    )
    const repeated = Delimited.make({ delimiter: "aab", maxLength: 8 })
    expect(decodeAll(repeated, oneByOne(bytesOf("aaab1aab"))).frames).toEqual([bytesOf("a"), bytesOf("1")])
  })

  test("any bytes delimit, and changing the option's array afterwards changes nothing", () => {
    const delimiter = Uint8Array.of(0xFF, 0, 0xFF)
    const made = Delimited.make({ delimiter, maxLength: 4 })
    delimiter.fill(1)
    expect(decodeAll(made, [bytesOf(1, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0, 0xFF)]).frames).toEqual([
      bytesOf(1),
      bytesOf(0xFF),
    ])
  })

  test("the maximum counts the content without its delimiter", () => {
    expect(decodeAll(codec, [bytesOf("12345678--")]).frames).toEqual([bytesOf("12345678")])
    for (const over of ["123456789--", "1234567890"]) {
      expect(decodeAll(codec, [bytesOf("1--", over)])).toMatchObject({ frames: [bytesOf("1")], error: "FrameTooLarge" })
      expect(decodeAll(codec, oneByOne(bytesOf("1--", over)))).toMatchObject({ error: "FrameTooLarge" })
    }
  })

  test("FAULTS 24: skipping a frame without an end holds no more than the start of a delimiter", () => {
    const skipping = Delimited.make({ delimiter: "--", maxLength: 8, overlong: "skip" })
    const chunks = [...Array.from({ length: 50 }, () => bytesOf("-x".repeat(500))), bytesOf("-"), bytesOf("-next--")]
    const decoded = decodeAll(skipping, chunks)
    expect(decoded.frames).toEqual([bytesOf("next")])
    expect(decoded.held).toBeLessThanOrEqual(1)
    expect(decodeAll(skipping, [bytesOf("-x".repeat(500), "-")])).toMatchObject({ error: undefined, unread: [] })
  })

  test("FAULTS 17: a frame without its delimiter is left unread, or delivered by option", () => {
    expect(decodeAll(codec, [bytesOf("1--2-")])).toMatchObject({ frames: [bytesOf("1")], unread: [...bytesOf("2-")] })
    const delivering = Delimited.make({ delimiter: "--", maxLength: 8, unterminated: "deliver" })
    expect(decodeAll(delivering, [bytesOf("1--2-")])).toMatchObject({
      frames: [bytesOf("1"), bytesOf("2-")],
      unread: [],
    })
    expect(decodeAll(delivering, [bytesOf("123456789")])).toMatchObject({ frames: [], error: "FrameTooLarge" })
  })

  test("an encoder refuses a frame that holds its delimiter, also across its end", () => {
    for (const bad of ["a--b", "--", "a-"]) {
      const { bytes, error } = encode(codec, [bytesOf("1"), bytesOf(bad), bytesOf("2")])
      expect(error?._tag).toBe("InvalidFrame")
      expect(bytes).toEqual(bytesOf("1--"))
    }
    expect(encodeAll(codec, [bytesOf("-a")])).toEqual(bytesOf("-a--"))
    expect(encode(codec, [bytesOf("123456789")]).error).toMatchObject({ _tag: "FrameTooLarge", length: 9, maximum: 8 })
  })

  test("a megabyte in chunks of one byte takes no quadratic time", () => {
    const started = performance.now()
    const decoder = Delimited.make({ delimiter: "ab", maxLength: 2 ** 20 }).decoder()
    const input = new ByteBuffer()
    const frames: Array<Uint8Array> = []
    for (let i = 0; i < 2 ** 20; i++) {
      input.append(bytesOf(97))
      decoder.decode(input, frames, 128)
      input.own()
    }
    input.append(bytesOf("b"))
    decoder.decode(input, frames, 128)
    expect(frames.map((one) => one.length)).toEqual([2 ** 20 - 1])
    expect(performance.now() - started).toBeLessThan(15_000)
  })

  test("an option that cannot be is named", () => {
    expect(() => Delimited.make({ delimiter: "", maxLength: 8 })).toThrow(
      new RangeError("Cannot make Delimited: delimiter is empty, wanted at least 1 byte"),
    )
    expect(() => Delimited.make({ delimiter: "x", maxLength: -8 })).toThrow("Cannot make Delimited: maxLength is -8")
    expect(() => Delimited.make({ delimiter: "x", maxLength: 8, unterminated: "x" as "refuse" })).toThrow(
      "unterminated",
    )
  })
})
