import { Buffer } from "node:buffer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Outbox } from "../../core/Outbox.ts"
import type { Transport } from "../../core/Sockets.ts"

/** A transport that takes the next of `takes` bytes at each write, and remembers them. */
const taking = (takes: ReadonlyArray<number>): { transport: Transport; got: () => Buffer } => {
  const got: Array<Buffer> = []
  let call = 0
  const write = (bytes: Uint8Array): number => {
    const taken = Math.min(bytes.length, takes[call++] ?? Infinity)
    got.push(Buffer.from(bytes.subarray(0, taken)))
    return taken
  }
  return { transport: { write } as Transport, got: () => Buffer.concat(got) } // the one method that an Outbox calls
}

const counting = (from: number, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  for (let index = 0; index < length; index++) bytes[index] = from + index
  return bytes
}

describe("the outbox", () => {
  it("hands over every byte once and in order, whatever the transport takes", () => {
    fc.assert(fc.property(
      fc.array(fc.tuple(fc.nat(20_000), fc.boolean()), { maxLength: 12 }),
      fc.array(fc.nat(9_000), { maxLength: 30 }),
      (steps, takes) => {
        const outbox = new Outbox()
        const { transport, got } = taking(takes)
        let next = 0
        for (const [length, flush] of steps) {
          const bytes = counting(next, length)
          next += length
          outbox.append(bytes)
          bytes.fill(0xaa)
          if (flush) outbox.flush(transport)
          expect(got().length + outbox.size).toBe(next)
        }
        for (let round = 0; round < 40; round++) outbox.flush(transport)
        expect(outbox.size).toBe(0)
        expect(got().equals(counting(0, next))).toBe(true)
      },
    ))
  })

  it("says how many bytes a flush handed over", () => {
    const outbox = new Outbox()
    outbox.append(new Uint8Array(10_000))
    expect(outbox.flush(taking([4_096, 5]).transport)).toBe(4_096)
    expect(outbox.size).toBe(5_904)
  })

  it("clear drops everything, and it can be used again", () => {
    const outbox = new Outbox()
    outbox.append(new Uint8Array(100_000))
    outbox.flush(taking([10]).transport)
    outbox.clear()
    expect(outbox.size).toBe(0)
    outbox.append(Uint8Array.of(1, 2, 3))
    const { transport, got } = taking([])
    outbox.flush(transport)
    expect([...got()]).toEqual([1, 2, 3])
  })
})
