/** The ring of requests that wait, against one that is an array; and recorders. */
import { describe, expect, it } from "vitest"
import { Pending } from "../../load/Pending.ts"
import { record, Recorder } from "../../load/Recorder.ts"
import { Ring } from "../../load/Ring.ts"
import { randomFrom, seeds } from "../core/random.ts"

interface Request {
  readonly intended: number
  readonly end: number
  sent?: number
}

for (const seed of seeds) {
  describe(`seed ${seed}`, () => {
    it("Pending gives what was put in, in order, with when it was sent", () => {
      const below = randomFrom(seed)
      const pending = new Pending()
      const plain: Array<Request> = []
      let bytes = 0
      let taken = 0
      for (let now = 0; now < 5_000; now++) {
        for (let count = below(4); count > 0; count--) {
          bytes += 1 + below(10)
          const intended = now - below(2)
          pending.push(intended, bytes)
          plain.push({ intended, end: bytes })
        }
        taken += below(bytes - taken + 1)
        const marked = plain.filter(({ end, sent }) => sent === undefined && end <= taken)
        expect(pending.mark(taken, now)).toBe(marked.length)
        for (const request of marked) request.sent = now
        expect(pending.unsent).toBe(plain.filter(({ sent }) => sent === undefined).length)
        // Now and then it piles up.
        const limit = now % 100 < 50 ? below(3) : below(8)
        const count = pending.take(limit, (intended, sent, count) => {
          for (const request of plain.splice(0, count)) {
            expect([request.intended, request.sent]).toEqual([intended, sent])
          }
        })
        expect(count).toBeLessThanOrEqual(limit)
        expect(pending.length).toBe(plain.length)
      }
    })

    it("Ring gives what was put in, in order", () => {
      const below = randomFrom(seed)
      const ring = new Ring<number>()
      const plain: Array<number> = []
      for (let index = 0; index < 5_000; index++) {
        expect(ring.first).toBe(plain[0])
        if (below(index % 1_000 < 500 ? 3 : 2) > 0) ring.push(index), plain.push(index)
        else expect(ring.shift()).toBe(plain.shift())
        expect(ring.length).toBe(plain.length)
      }
    })
  })
}

describe("a recorder", () => {
  it("of the sum of two has what both had", () => {
    const [one, two] = [new Recorder(), new Recorder()]
    record(one.response, 1, 3)
    record(two.response, 1_000)
    record(two.response, 10_000_000)
    one.fail("reset")
    two.fail("reset", 2)
    two.fail("reply-lost", 0)
    one.sent = 3
    two.sent = 2
    one.add(two)
    expect([one.response.totalCount, one.sent, [...one.failures], one.errors]).toEqual([5, 5, [["reset", 3]], 3])
    expect(one.response.getValueAtPercentile(60)).toBe(1_000)
    // No more than an hour.
    expect(one.response.maxValue / 1e6).toBeCloseTo(3_600, -1)
  })

  it("copies for keeping take little, are exact to a hundredth, and can be added up", () => {
    const recorder = new Recorder()
    for (let millis = 1; millis <= 1_000; millis++) record(recorder.service, millis)
    recorder.replies = 1_000
    const copy = recorder.copy()
    recorder.clear()
    expect([recorder.service.totalCount, recorder.replies, recorder.errors]).toEqual([0, 0, 0])
    expect([copy.service.totalCount, copy.replies]).toEqual([1_000, 1_000])
    expect(copy.service.estimatedFootprintInBytes).toBeLessThan(20_000)
    expect(copy.response.estimatedFootprintInBytes).toBeLessThan(3_000)
    for (const percent of [10, 50, 99]) {
      expect(Math.abs(copy.service.getValueAtPercentile(percent) / (percent * 10_000) - 1)).toBeLessThan(0.01)
    }
    record(recorder.service, 60_000)
    copy.add(recorder.copy())
    expect(copy.service.totalCount).toBe(1_001)
    const total = new Recorder()
    total.add(copy)
    expect(total.service.totalCount).toBe(1_001)
  })
})
