import fc from "fast-check"
import { describe, expect, test } from "vitest"
import * as Netstring from "../../../core/codecs/Netstring.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

for (const overlong of ["fail", "skip"] as const) {
  holds(`Netstring ${overlong}`, {
    codec: Netstring.make({ maxLength: 12, overlong }),
    frame: fc.uint8Array({ maxLength: 12 }),
    alphabet: [...bytesOf("0123459:,:,:,x")],
    bound: 12 + 18,
  })
}

const codec = Netstring.make({ maxLength: 12 })

describe("Netstring", () => {
  test("the specification's examples", () => {
    expect(encodeAll(codec, [bytesOf("hello world!"), bytesOf()])).toEqual(bytesOf("12:hello world!,0:,"))
    expect(decodeAll(codec, oneByOne(bytesOf("12:hello world!,0:,"))).frames).toEqual([
      bytesOf("hello world!"),
      bytesOf(),
    ])
  })

  test("the content may hold colons, commas and digits", () => {
    expect(decodeAll(codec, [bytesOf("6:1:a,2:,")]).frames).toEqual([bytesOf("1:a,2:")])
  })

  test.each([
    ["a leading zero", "05:hello,", "InvalidLength"],
    ["two zeros", "00:,", "InvalidLength"],
    ["no digit", ":,", "InvalidLength"],
    ["a sign", "-1:,", "InvalidLength"],
    ["a space", "5 :hello,", "InvalidLength"],
    ["17 digits", "11111111111111111", "InvalidLength"],
    ["more than 2^53 - 1", "9007199254740993:", "InvalidLength"],
    ["over the maximum", "13:", "FrameTooLarge"],
    ["no comma", "5:hello!", "InvalidFrame"],
  ])("FAULTS 23: %s is refused", (_, text, error) => {
    const input = bytesOf("1:a,", text)
    expect(decodeAll(codec, [input])).toMatchObject({ frames: [bytesOf("a")], error })
    expect(decodeAll(codec, oneByOne(input))).toMatchObject({ frames: [bytesOf("a")], error })
  })

  test("skipping an overlong one still wants its comma", () => {
    const skipping = Netstring.make({ maxLength: 4, overlong: "skip" })
    expect(decodeAll(skipping, oneByOne(bytesOf("5:hello,1:a,")))).toMatchObject({ frames: [bytesOf("a")], held: 3 })
    expect(decodeAll(skipping, [bytesOf("5:hello;1:a,")])).toMatchObject({ frames: [], error: "InvalidFrame" })
  })

  test("an encoder refuses what is too long", () => {
    const { bytes, error } = encode(codec, [bytesOf("a"), new Uint8Array(13)])
    expect(error).toMatchObject({ _tag: "FrameTooLarge", length: 13, maximum: 12 })
    expect(bytes).toEqual(bytesOf("1:a,"))
  })
})
