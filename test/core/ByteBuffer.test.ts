import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteBuffer } from "../../core/ByteBuffer.ts"

const unread = (input: ByteBuffer): Array<number> => [...input.bytes.subarray(input.start, input.end)]

describe("ByteBuffer", () => {
  test("is a queue of bytes, whatever is appended, consumed and owned in between", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("append" as const), size: fc.nat(300) }),
      fc.record({ kind: fc.constant("consume" as const), size: fc.nat(300) }),
      fc.record({ kind: fc.constant("own" as const), size: fc.constant(0) }),
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const input = new ByteBuffer()
      const model: Array<number> = []
      const lent: Array<Uint8Array> = []
      let next = 0
      const giveBack = (): void => {
        input.own()
        for (const chunk of lent.splice(0)) chunk.fill(0xA5)
      }
      for (const { kind, size } of steps) {
        if (kind === "append") {
          const chunk = Uint8Array.from({ length: size }, () => next++ % 251)
          model.push(...chunk)
          lent.push(chunk)
          input.append(chunk)
        } else if (kind === "consume") {
          const count = Math.min(size, model.length)
          model.splice(0, count)
          input.consume(count)
        } else giveBack()
        expect(input.length).toBe(model.length)
        expect(unread(input)).toEqual(model)
      }
      giveBack()
      expect(unread(input)).toEqual(model)
    }))
  })

  test("a chunk is decoded where it lies: it is not copied before it is owned", () => {
    const input = new ByteBuffer()
    const chunk = Uint8Array.of(1, 2, 3)
    input.append(chunk)
    expect(input.bytes).toBe(chunk)
    input.own()
    expect(input.bytes).not.toBe(chunk)
    expect(unread(input)).toEqual([1, 2, 3])
  })

  test("never writes into a chunk that it was lent", () => {
    const memory = new Uint8Array(16)
    const input = new ByteBuffer()
    input.append(memory.subarray(0, 4))
    input.append(Uint8Array.of(9, 9))
    expect([...memory]).toEqual(new Array(16).fill(0))
    expect(unread(input)).toEqual([0, 0, 0, 0, 9, 9])
    input.clear()
    input.append(memory)
    input.consume(14)
    input.append(Uint8Array.of(9, 9))
    expect([...memory]).toEqual(new Array(16).fill(0))
    expect(unread(input)).toEqual([0, 0, 9, 9])
  })

  test("an empty buffer holds no memory, and a small rest gives back the room of what was large", () => {
    const input = new ByteBuffer()
    input.append(new Uint8Array(100_000))
    input.own()
    input.consume(99_990)
    input.own()
    expect(input.length).toBe(10)
    expect(input.bytes.length).toBeLessThanOrEqual(64)
    input.consume(10)
    expect(input.bytes.length).toBe(0)
    input.append(new Uint8Array(10))
    input.clear()
    expect([input.length, input.bytes.length]).toEqual([0, 0])
  })

  test("growing by single bytes copies each byte a few times, not each time", () => {
    const input = new ByteBuffer()
    let copies = 0
    let memory = input.bytes
    for (let i = 0; i < 100_000; i++) {
      input.append(Uint8Array.of(i))
      input.own()
      if (input.bytes !== memory) copies++
      memory = input.bytes
    }
    expect(input.length).toBe(100_000)
    expect(copies).toBeLessThan(40)
    expect(input.bytes.length).toBeLessThanOrEqual(2 * 100_000)
  })

  test("indexOf finds among the unread alone, not in the room behind them", () => {
    const input = new ByteBuffer()
    input.append(Uint8Array.of(7, 1, 7))
    expect([input.indexOf(7, 0), input.indexOf(7, 1), input.indexOf(1, 2)]).toEqual([0, 2, -1])
    input.own()
    expect(input.bytes.length).toBeGreaterThan(input.end)
    expect(input.indexOf(0, 0)).toBe(-1)
    input.consume(1)
    expect(input.indexOf(7, input.start)).toBe(input.start + 1)
  })

  test("copy has memory of its own, also of a chunk that is a Buffer", () => {
    const chunk = Buffer.from([1, 2, 3, 4])
    const input = new ByteBuffer()
    input.append(chunk)
    const copy = input.copy(1, 3)
    chunk.fill(0)
    expect(copy).toEqual(Uint8Array.of(2, 3))
    expect(copy.buffer.byteLength).toBe(2)
  })
})
