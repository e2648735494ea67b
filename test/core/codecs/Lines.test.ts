import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteBuffer } from "../../../core/ByteBuffer.ts"
import type { Codec } from "../../../core/Codec.ts"
import * as Lines from "../../../core/codecs/Lines.ts"
import { bytesOf, decodeAll, encode, encodeAll, holds, oneByOne } from "./properties.ts"

const alphabet = [10, 13, 10, 13, 97, 0, 0xC3, 0xA9, 0xE4, 0xBD, 0xA0, 0xF0, 0x9F, 0x98, 0x80, 0xED, 0xC0, 0xFF]
const maxLength = 24
const characters = fc.constantFrom("a", "\r", "\0", "é", "你", "😀", "\uFEFF", "\u2028")
const line = fc.array(characters, { maxLength: 6 }).map((all) => all.join(""))
const bytes = fc.uint8Array({ maxLength }).map((all) => all.map((byte) => byte === 10 ? 11 : byte))

for (const overlong of ["fail", "skip"] as const) {
  for (const invalidUtf8 of ["replace", "refuse"] as const) {
    for (const unterminated of ["refuse", "deliver"] as const) {
      const codec = Lines.make({ maxLength, overlong, invalidUtf8, unterminated })
      holds(`Lines ${overlong} ${invalidUtf8} ${unterminated}`, { codec, frame: line, alphabet, bound: maxLength + 1 })
    }
  }
  const codec = Lines.bytes({ maxLength, overlong })
  holds(`Lines.bytes ${overlong}`, { codec, frame: bytes, alphabet, bound: maxLength + 1 })
}
holds("Lines with CRLF", {
  codec: Lines.make({ maxLength, newline: "\r\n" }),
  frame: line,
  alphabet,
  bound: maxLength + 1,
})
holds("Lines.bytes with CRLF", {
  codec: Lines.bytes({ maxLength: 0, maxOutgoing: 0, newline: "\r\n" }),
  frame: fc.constant(new Uint8Array(0)),
  alphabet,
  bound: 1,
})

const text = Lines.make({ maxLength: 1000 })
const raw = Lines.bytes({ maxLength: 1000 })

describe("Lines", () => {
  test("FAULTS 25: LF and CRLF end a line; a lone CR, NUL and U+2028 are content", () => {
    const input = bytesOf("lf\ncrlf\r\nlone\rcr\n\rfront\nnul\0nul\nseparator\u2028\n\n\r\ntwo\r\r\n")
    const wanted = ["lf", "crlf", "lone\rcr", "\rfront", "nul\0nul", "separator\u2028", "", "", "two\r"]
    expect(decodeAll(text, [input])).toMatchObject({ frames: wanted, error: undefined, unread: [] })
    expect(decodeAll(raw, [input]).frames).toEqual(wanted.map((one) => bytesOf(one)))
  })

  test("FAULTS 25: a BOM is content, at the start of a stream and of a chunk", () => {
    const chunks = [bytesOf("\uFEFFone\n"), bytesOf("\uFEFFtwo\nthree\n\uFEFF"), bytesOf("\n")]
    expect(decodeAll(text, chunks).frames).toEqual(["\uFEFFone", "\uFEFFtwo", "three", "\uFEFF"])
  })

  test("FAULTS 26: a character split between chunks is whole", () => {
    const poem = "床前明月光，疑是地上霜。举头望明月，低头思故乡。😀é"
    const input = bytesOf(poem, "\n", poem, "\r\n")
    expect(decodeAll(text, oneByOne(input)).frames).toEqual([poem, poem])
  })

  test.each<[string, Array<number>, string]>([
    ["a stray continuation", [0x80], "\uFFFD"],
    ["overlong NUL", [0xC0, 0x80], "\uFFFD\uFFFD"],
    ["overlong slash", [0xE0, 0x80, 0xAF], "\uFFFD\uFFFD\uFFFD"],
    ["a lone surrogate", [0xED, 0xA0, 0x80], "\uFFFD\uFFFD\uFFFD"],
    ["beyond U+10FFFF", [0xF4, 0x90, 0x80, 0x80], "\uFFFD\uFFFD\uFFFD\uFFFD"],
    ["a character cut by the end of line", [0xF0, 0x9F, 0x98], "\uFFFD"],
    ["0xFF", [0xFF], "\uFFFD"],
  ])("FAULTS 26: %s is replaced or refused, and the next line is whole", (_, invalid, replaced) => {
    const input = bytesOf("é1\n", "<", ...invalid, "\né2\r\n")
    expect(decodeAll(text, [input]).frames).toEqual(["é1", `<${replaced}`, "é2"])
    const strict = decodeAll(Lines.make({ maxLength: 1000, invalidUtf8: "refuse" }), [input])
    expect(strict).toMatchObject({ frames: ["é1"], error: "InvalidText" })
  })

  test("refusing delivers all lines in front of the bad one, however many came with it", () => {
    const good = Array.from({ length: 3000 }, (_, i) => i % 3 === 0 ? "" : `line ${i}`)
    const input = bytesOf(good.map((one) => `${one}\n`).join(""), 0xFF, "\n", "behind\n")
    const decoded = decodeAll(Lines.make({ maxLength: 65_536, invalidUtf8: "refuse" }), [input])
    expect(decoded).toMatchObject({ frames: good, error: "InvalidText" })
  })

  test("one refused line does not spoil the next connection", () => {
    const codec = Lines.make({ maxLength: 100, invalidUtf8: "refuse" })
    expect(decodeAll(codec, [bytesOf(0xE4, 0xBD, "\n")]).error).toBe("InvalidText")
    expect(decodeAll(codec, [bytesOf(0xA0, "\n")]).error).toBe("InvalidText")
    expect(decodeAll(codec, [bytesOf("你\n")]).frames).toEqual(["你"])
  })

  test("the maximum counts bytes of content, without LF or CRLF", () => {
    const codec = Lines.make({ maxLength: 6, maxOutgoing: 6 })
    expect(decodeAll(codec, [bytesOf("123456\n你你\r\n")]).frames).toEqual(["123456", "你你"])
    for (const over of ["1234567\n", "你你1\n", "1234567\r\n", "123456\r\r\n", "12345678", "123456\rx"]) {
      expect(decodeAll(codec, [bytesOf("fine\n", over)])).toMatchObject({ frames: ["fine"], error: "FrameTooLarge" })
      expect(decodeAll(codec, oneByOne(bytesOf("fine\n", over)))).toMatchObject({ error: "FrameTooLarge" })
    }
  })

  test("FAULTS 24: a line that never ends is cut at the maximum", () => {
    const decoder = Lines.make({ maxLength: 65_536 }).decoder()
    const input = new ByteBuffer()
    const chunk = new Uint8Array(16_384).fill(97)
    let error
    for (let i = 0; error === undefined && i < 640; i++) {
      input.append(chunk)
      error = decoder.decode(input, [], 128)
      input.own()
    }
    expect(error).toMatchObject({ _tag: "FrameTooLarge", maximum: 65_536 })
    expect(input.length).toBeLessThanOrEqual(65_536 + chunk.length)
  })

  test("an overlong line can be skipped, and holds no memory while it is", () => {
    const codec = Lines.make({ maxLength: 100, overlong: "skip" })
    const chunks = [
      bytesOf("before\n"),
      ...Array.from({ length: 100 }, () => new Uint8Array(10_000).fill(97)),
      bytesOf("\nafter\n"),
    ]
    const decoded = decodeAll(codec, chunks)
    expect(decoded).toMatchObject({ frames: ["before", "after"], error: undefined, held: 0 })
    expect(decodeAll(codec, [bytesOf("x".repeat(200), "\n1\n", "x".repeat(102), "\r\n2\n")]).frames).toEqual(["1", "2"])
  })

  test("FAULTS 17: a last line without its end is left unread, or delivered by option", () => {
    const input = bytesOf("one\ntwo\r")
    expect(decodeAll(text, [input])).toMatchObject({ frames: ["one"], unread: [...bytesOf("two\r")] })
    const codec = Lines.make({ maxLength: 3, unterminated: "deliver" })
    expect(decodeAll(codec, [input])).toMatchObject({ frames: ["one", "two"], unread: [] })
    expect(decodeAll(codec, [bytesOf("one\n")])).toMatchObject({ frames: ["one"], unread: [] })
    expect(decodeAll(codec, [bytesOf("four")])).toMatchObject({ frames: [], error: "FrameTooLarge" })
    const skipping = Lines.bytes({ maxLength: 3, unterminated: "deliver", overlong: "skip" })
    expect(decodeAll(skipping, [bytesOf("four")])).toMatchObject({ frames: [], error: undefined, unread: [] })
    expect(decodeAll(skipping, [bytesOf("tri")])).toMatchObject({ frames: [bytesOf("tri")], unread: [] })
  })

  test("exactly the bytes of the delivered frames are consumed", () => {
    const consumes = <A extends string | Uint8Array>(codec: Codec<A, A>): void => {
      const input = new ByteBuffer()
      const decoder = codec.decoder()
      input.append(bytesOf("é\n\r\n你\r\r\nd\nrest"))
      for (const [wanted, left] of [["é", 14], ["", 12], ["你\r", 6], ["d", 4]] as const) {
        const frames: Array<A> = []
        decoder.decode(input, frames, 1)
        expect(frames.map((one) => bytesOf(one))).toEqual([bytesOf(wanted)])
        expect(input.length).toBe(left)
      }
    }
    consumes(text)
    consumes(raw)
  })

  test("lines of every length around the decoding window come back whole", () => {
    const codec = Lines.make({ maxLength: 200_000 })
    const lengths = [0, 65_533, 65_534, 65_535, 65_536, 65_537, 1, 131_072, 200_000, 64]
    const lines = lengths.map((length, i) => (i % 2 === 0 ? "a" : "b").repeat(length))
    expect(decodeAll(codec, [encodeAll(codec, lines)]).frames).toEqual(lines)
    fc.assert(
      fc.property(fc.array(fc.nat(40_000), { maxLength: 12 }), (all) => {
        const some = all.map((length) => "é".repeat(length))
        expect(decodeAll(codec, [encodeAll(codec, some)]).frames).toEqual(some)
      }),
      { numRuns: 20 },
    )
  })

  test("a chunk that is a Buffer of a runtime's pool gives frames of their own", () => {
    const chunk = Buffer.from("one\ntwo\n")
    const input = new ByteBuffer()
    const frames: Array<Uint8Array> = []
    input.append(chunk)
    raw.decoder().decode(input, frames, 128)
    chunk.fill(0)
    expect(frames).toEqual([bytesOf("one"), bytesOf("two")])
  })

  test("a megabyte in chunks of one byte takes no quadratic time", () => {
    const reads = <A extends string | Uint8Array>(codec: Codec<A, A>): void => {
      const decoder = codec.decoder()
      const input = new ByteBuffer()
      const frames: Array<A> = []
      const letter = bytesOf("a")
      for (let i = 0; i < 2 ** 20; i++) {
        input.append(letter)
        decoder.decode(input, frames, 128)
        input.own()
      }
      input.append(bytesOf("\n"))
      decoder.decode(input, frames, 128)
      expect(frames.map((one) => one.length)).toEqual([2 ** 20])
    }
    const started = performance.now()
    reads(Lines.make({ maxLength: 2 ** 20 }))
    reads(Lines.bytes({ maxLength: 2 ** 20 }))
    // 0.2 s where each byte is looked at once, minutes where the line is searched from its start.
    expect(performance.now() - started).toBeLessThan(15_000)
  })

  test("an encoder refuses what cannot be read back, and writes what stands in front of it", () => {
    const codec = Lines.make({ maxLength: 6, maxOutgoing: 6 })
    for (const bad of ["a\nb", "\n", "\r\n", "1234567", "你你1"]) {
      const tag = bad.includes("\n") ? "InvalidFrame" : "FrameTooLarge"
      const { bytes, error } = encode(codec, ["one", "你你", bad, "behind"])
      expect(error?._tag).toBe(tag)
      expect(bytes).toEqual(bytesOf("one\n你你\n"))
    }
    for (const bad of ["a\nb", "\n", "b\n", "\nb", "\r\n"]) {
      // Far below the maximum, where nothing else asks for a closer look.
      const { bytes, error } = encode(text, ["one", "", bad, "behind"])
      expect(error?._tag).toBe("InvalidFrame")
      expect(bytes).toEqual(bytesOf("one\n\n"))
    }
    const other = Lines.bytes({ maxLength: 6, maxOutgoing: 6 })
    expect(encode(other, [bytesOf("one"), bytesOf("a\nb")])).toMatchObject({
      bytes: bytesOf("one\n"),
      error: { _tag: "InvalidFrame" },
    })
    expect(encode(other, [bytesOf("1234567")])).toMatchObject({
      error: { _tag: "FrameTooLarge", length: 7, maximum: 6 },
    })
  })

  test("a line that ends in CR is ended by CRLF, the others as the option says", () => {
    expect(encodeAll(text, ["a", "b\r", ""])).toEqual(bytesOf("a\nb\r\r\n\n"))
    expect(encodeAll(raw, [bytesOf("b\r"), bytesOf("c")])).toEqual(bytesOf("b\r\r\nc\n"))
    expect(encodeAll(Lines.make({ maxLength: 9, newline: "\r\n" }), ["a", "b\r", ""])).toEqual(
      bytesOf("a\r\nb\r\r\n\r\n"),
    )
    expect(encodeAll(text, [])).toEqual(new Uint8Array(0))
  })

  test("what is sent has a maximum of its own by option", () => {
    const codec = Lines.make({ maxLength: 4, maxOutgoing: 10 })
    expect(encodeAll(codec, ["echo: 1234"])).toEqual(bytesOf("echo: 1234\n"))
    expect(encode(codec, ["echo: 12345"]).error).toMatchObject({ _tag: "FrameTooLarge", length: 11, maximum: 10 })
  })

  test("a lone surrogate is sent as U+FFFD", () => {
    expect(encodeAll(text, ["a\uD800b"])).toEqual(bytesOf("a\uFFFDb\n"))
  })

  test("an option that cannot be is named with what is accepted", () => {
    expect(() => Lines.make({ maxLength: -1 })).toThrow(
      new RangeError("Cannot make Lines: maxLength is -1, wanted a whole number from 0 to 9007199254740991"),
    )
    expect(() => Lines.make({ maxLength: 1.5 })).toThrow(RangeError)
    expect(() => Lines.make({ maxLength: Infinity })).toThrow(RangeError)
    expect(() => Lines.bytes({ maxLength: 1, maxOutgoing: NaN })).toThrow("maxOutgoing is NaN")
    expect(() => Lines.make({ maxLength: 1, overlong: "cut" as "skip" })).toThrow(
      'Cannot make Lines: overlong is "cut", wanted "fail" or "skip"',
    )
    expect(() => Lines.make({ maxLength: 1, invalidUtf8: "keep" as "refuse" })).toThrow("invalidUtf8")
    expect(() => Lines.make({ maxLength: 1, unterminated: "keep" as "refuse" })).toThrow("unterminated")
    expect(() => Lines.make({ maxLength: 1, newline: "\r" as "\n" })).toThrow("newline")
  })
})
