/** What `npm run soak` says can be trusted: its lines, its verdict, and that a server that leaks is found out. */
import { describe, expect, it } from "vitest"
import { broken, type Row, table } from "../../scripts/soak/results.ts"
import { batches, type Sample, student, trend } from "../../scripts/soak/trend.ts"
import { judge, type Measure, measures, settling } from "../../scripts/soak/verdict.ts"

const samples = (count: number, value: (minute: number, index: number) => number): ReadonlyArray<Sample> =>
  Array.from({ length: count }, (_, index) => ({ at: index / 30, value: value(index / 30, index) }))

/** The same each time, and as much above nothing as below. */
const noise = (seed: number): () => number => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
  return seed / 2 ** 30 - 1
}

const measure = (name: Measure["name"]): Measure => measures.find((measure) => measure.name === name)!

describe("a trend", () => {
  it("is the line by least squares, with its interval", () => {
    // By hand: the residuals' squares sum up to 2.4, so that the error is √(2.4 / 3 / 10), and t of 3 is 3.182.
    const found = trend([2, 4, 5, 4, 5].map((value, index) => ({ at: index + 1, value })))
    expect(found.slope).toBeCloseTo(0.6, 10)
    expect(found.low).toBeCloseTo(-0.3, 2)
    expect(found.high).toBeCloseTo(1.5, 2)
    expect(found).toMatchObject({ first: 2, last: 5, points: 5 })
  })

  it("of a straight line is that, and sure", () => {
    const found = trend(samples(300, (minute) => 5 + 3 * minute))
    expect([found.slope, found.low, found.high].map((value) => value.toFixed(9))).toEqual(Array(3).fill("3.000000000"))
  })

  it("has the true slope within its interval about as often as it says", () => {
    let held = 0
    for (let seed = 1; seed <= 200; seed++) {
      const next = noise(seed * 7_919)
      const { high, low } = trend(samples(300, (minute) => 2 * minute + 10 * next()))
      if (low <= 2 && 2 <= high) held++
    }
    expect(held).toBeGreaterThan(170)
    expect(held).toBeLessThan(200)
  })

  it("is told by no fewer than three samples", () => {
    expect(() => trend(samples(2, () => 1))).toThrow("3 samples")
    expect(trend(samples(3, () => 1))).toMatchObject({ slope: 0, low: 0, high: 0 })
  })

  it.each([[1, 12.706], [2, 4.303], [3, 3.182], [5, 2.571], [10, 2.228], [28, 2.048], [100, 1.984]])(
    "knows how unsure few samples are: with %d degrees of freedom by %d",
    (freedom, wanted) => expect(Math.abs(student(freedom) - wanted) / wanted).toBeLessThan(0.002),
  )

  it("joins neighbours and loses none", () => {
    const joined = batches(samples(100, (_, index) => index), 30)
    expect(joined.length).toBe(30)
    expect(joined[0]).toEqual({ at: 1 / 30, value: 1 })
    expect(batches(samples(7, (_, index) => index), 30).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6])
  })
})

describe("a leak", () => {
  const soak = (name: Measure["name"], minutes: number, perMinute: number, swing: number) => {
    const next = noise(42)
    return judge(measure(name), samples(minutes * 30, (minute) => 100 + perMinute * minute + swing * next()))
  }

  it("is what grows by more than it may, however much comes and goes besides", () => {
    expect(soak("rss", 50, 3, 40).leaks).toBe(true)
    expect(soak("rss", 2.4, 60, 20).leaks).toBe(true)
    // One for each client who comes, of twenty a second, and one for each who reads nothing.
    expect(soak("fibers", 2.4, 1_200, 10).leaks).toBe(true)
    expect(soak("timers", 2.4, 1_200, 10).leaks).toBe(true)
    expect(soak("descriptors", 50, 1, 5).leaks).toBe(true)
    // A hundred bytes a message.
    expect(soak("heap", 2.4, 57, 20).leaks).toBe(true)
  })

  it("is nothing that comes and goes, settles, or grows by less", () => {
    expect(soak("rss", 50, 0, 60).leaks).toBe(false)
    expect(soak("rss", 2.4, 10, 40).leaks).toBe(false)
    expect(soak("descriptors", 2.4, 2, 6).leaks).toBe(false)
    const settles = judge(measure("rss"), samples(1_500, (minute) => 200 - 100 * Math.exp(-minute / 3)))
    expect(settles.leaks).toBe(false)
  })

  it("is looked for when a server has got going", () => {
    expect([1, 3, 60, 600].map(settling)).toEqual([0.5, 0.6, 10, 10])
  })
})

describe("a soak", () => {
  const found = (leaking?: Measure["name"]) =>
    measures.map(({ name, most }) => ({
      ...judge(measure(name), samples(90, (minute) => name === leaking ? most * minute : 7)),
    }))
  const row: Row = {
    runtime: "bun",
    minutes: 3,
    rate: 10_000,
    replies: 1_800_000,
    scheduled: 1_800_000,
    p50: 512,
    p99: 20_100,
    max: 90_000,
    visits: 3_600,
    frozen: 3,
    stalled: 2,
    opened: 3_700,
    failures: {},
    settled: 0.6,
    found: found(),
    series: {},
  }

  it("holds when nothing leaks, all was answered, and who reads nothing is ended", () => {
    expect(broken(row)).toEqual([])
    expect(broken({ ...row, found: found("fibers") }).join()).toContain("bun: fibers leaks: 1920.0 (1920.0 to 1920.0)")
    expect(broken({ ...row, replies: 1_799_999 })).toEqual(["bun: 1 of 1800000 requests were not answered"])
    expect(broken({ ...row, failures: { "requests: reset": 2 } })).toEqual(["bun: 2 requests: reset"])
    expect(broken({ ...row, stalled: 1 }).length).toBe(1)
  })

  it("is a table", () => {
    const lines = table([row, { ...row, runtime: "deno" }]).split("\n")
    expect(lines[0]).toBe("|  | Bun | Deno |")
    expect(lines).toContain("| messages answered | 1,800,000 | 1,800,000 |")
    expect(lines).toContain("| response, p50 and p99 | 0.51 ms, 20 ms | 0.51 ms, 20 ms |")
    expect(lines).toContain("| fibers: an hour | 0.0 (0.0 to 0.0) | 0.0 (0.0 to 0.0) |")
  })
})
