import { describe, expect, it } from "vitest"
import { allocated, parse } from "../../bench/trials/Collections.ts"

const mebibyte = 2 ** 20

describe("collections of garbage", () => {
  it("are read from what Node and Deno write", () => {
    const text = [
      "[7:0x1]      330 ms: Scavenge 21.0 (30.1) -> 19.5 (46.4) MB, pooled: 0 MB, 43.97 / 0.00 ms  (average mu = 1.000, " +
      "current mu = 1.000) allocation failure; ",
      '{"message":"listening","address":"127.0.0.1:1"}',
      "[7:0x1]      736 ms: Mark-Compact (reduce) 52.0 (108.7) -> 47.0 (112.1) MB, 43.80 / 0.00 ms  (+ 16.7 ms in 11 steps",
      "[7:0x1]     1317 ms: Incremental Mark-Compact 75.0 (88.9) -> 25.5 (41.9) MB, pooled: 28.0 MB, 1.50 / 0.00 ms",
    ].join("\n")
    for (const runtime of ["node", "deno"] as const) {
      expect(parse(runtime, text)).toEqual([
        { before: 21 * mebibyte, after: 19.5 * mebibyte, pause: 0.04397 },
        { before: 52 * mebibyte, after: 47 * mebibyte, pause: expect.closeTo(0.0438) },
        { before: 75 * mebibyte, after: 25.5 * mebibyte, pause: 0.0015 },
      ])
    }
  })

  it("are read from what Bun writes, all pauses of one added up", () => {
    const text = [
      "[GC<0x3>: START M 1184kb => FullCollection, a=0kb i#1:N<Cs> 0+0 v=457kb i#3:P<MsrShPbc => 618kb, p=4.000000ms " +
      "(max 4.096329), cycle 4.041264ms END]",
      "GC END!",
      "[GC<0x3>: START M 9033kb => EdenCollection, a=0kb i#1:N<Cs> 3+7 v=7569kb 0+1 p=6.500000ms (max 6.572603)...]",
      "[GC<0x3>: M a=2356kb i#2:N<WsOJw>Pbc 2+1 i#5:P<Cs>Pbc => 10565kb, p=1.500000ms (max 6.572603), cycle 20.5ms END]",
    ].join("\n")
    expect(parse("bun", text)).toEqual([
      { before: 1_184 * 1_024, after: 618 * 1_024, pause: expect.closeTo(0.004) },
      { before: 9_033 * 1_024, after: 10_565 * 1_024, pause: expect.closeTo(0.008) },
    ])
  })

  it("say how much was allocated by the rises between them", () => {
    const one = (before: number, after: number) => ({ before, after, pause: 0 })
    expect(allocated([one(10, 2), one(12, 3), one(13, 2)])).toBe(30)
    expect(allocated([one(10, 2), one(1, 1)])).toBe(0)
  })

  it("say nothing of it where there are fewer than two", () => {
    expect(allocated([])).toBeUndefined()
    expect(allocated([{ before: 9, after: 1, pause: 0 }])).toBeUndefined()
  })
})
