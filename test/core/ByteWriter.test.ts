import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteWriter } from "../../core/ByteWriter.ts"

const written = (output: ByteWriter): Uint8Array => output.bytes.slice(0, output.length)

describe("ByteWriter", () => {
  test("holds what was written, in order, however far it grows", () => {
    const part = fc.tuple(fc.constantFrom("raw", "text"), fc.constantFrom(0, 1, 40_000, 66_000, 140_000))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const output = new ByteWriter()
        const wanted: Array<Uint8Array> = []
        for (const [kind, size] of parts) {
          const text = "é".repeat(size)
          const bytes = new TextEncoder().encode(text)
          wanted.push(bytes)
          if (kind === "raw") output.raw(bytes)
          else expect(output.text(text)).toBe(bytes.length)
        }
        expect(Buffer.compare(written(output), Buffer.concat(wanted))).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  test("truncating keeps what is in front, and an empty one gives back what it grew by", () => {
    const output = new ByteWriter()
    output.text("kept")
    const at = output.length
    output.raw(new Uint8Array(1_000_000))
    output.truncate(at)
    expect(written(output)).toEqual(new TextEncoder().encode("kept"))
    output.truncate(0)
    expect([output.length, output.bytes.length]).toEqual([0, 64 * 1024])
  })

  test("the view is of the bytes as they are after growing", () => {
    const output = new ByteWriter()
    output.view.setUint8(0, 1)
    const at = output.reserve(1_000_000)
    output.view.setUint32(at, 0xCAFE_BABE)
    expect([...output.bytes.subarray(0, 4)]).toEqual([0xCA, 0xFE, 0xBA, 0xBE])
  })
})
