import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Suspicion } from "../../core/Suspicion.ts"

const interval = 30_000

/** A peer that was accepted at 0 and from which something came after each of `gaps`; and when that was last. */
const heard = (gaps: ReadonlyArray<number>, every = interval, from = 0): { peer: Suspicion; last: number } => {
  const peer = new Suspicion(every, from)
  let last = from
  for (const gap of gaps) peer.arrived(last += gap)
  return { peer, last }
}

/** The level after each of `silences`. */
const levels = (gaps: ReadonlyArray<number>, silences: ReadonlyArray<number>, every = interval, from = 0) => {
  const { peer, last } = heard(gaps, every, from)
  return silences.map((silence) => peer.level(last + silence))
}

/** The silence at which a level is reached, to the second. */
const reaches = (level: number, gaps: ReadonlyArray<number>): number => {
  const { peer, last } = heard(gaps)
  let silence = 0
  while (peer.level(last + silence) < level && silence < 100 * interval) silence += 1_000
  return silence
}

const times = (count: number, gap: number): Array<number> => Array.from({ length: count }, () => gap)

/** Gaps of all sizes there are: bursts, in time, late, lost. */
const anyGaps = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 1_000 }),
    fc.integer({ min: 27_000, max: 33_000 }),
    fc.integer({ min: 0, max: 90_000 }),
    fc.integer({ min: 0, max: 10_000_000 }),
  ),
  { maxLength: 60, size: "max" },
)
const anySilence = fc.integer({ min: 0, max: 300_000 })
const every10Seconds = Array.from({ length: 40 }, (_, index) => index * 10_000)

/** −log10 of the chance of more than y deviations, by Simpson's rule over what is left when exp(−y²/2) is taken out. */
const integrated = (y: number): number => {
  const steps = 2_000
  const width = 12 / steps
  let sum = 0
  for (let step = 0; step <= steps; step++) {
    const t = step * width
    sum += Math.exp(-y * t - t * t / 2) * (step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2)
  }
  return y * y / 2 * Math.LOG10E - Math.log10(sum * width / 3 / Math.sqrt(2 * Math.PI))
}

/** The level by definition, from the whole history. */
const defined = (gaps: ReadonlyArray<number>, silence: number, every: number): number => {
  const counted: Array<number> = []
  let sinceCounted = 0
  for (const gap of gaps) {
    sinceCounted += gap
    if (sinceCounted < every) continue
    sinceCounted = 0
    counted.push(gap <= every ? every : gap >= 2 * every ? 2 * every : gap)
  }
  const window = [...times(16, every), ...counted].slice(-16)
  const mean = window.reduce((sum, gap) => sum + gap) / 16
  const deviation = Math.sqrt(window.reduce((sum, gap) => sum + gap * gap, 0) / 16 - mean * mean)
  if (silence <= mean) return 0
  const y = (silence - mean) / Math.max(1_000, every / 5, Number.isNaN(deviation) ? 0 : deviation)
  return y > 36 ? Math.min(300, y * y / 2 * Math.LOG10E) : integrated(y)
}

describe("the suspicion of a silent peer", () => {
  it("is −log10 of the chance that it is later still, of a normal distribution with what was learnt", () => {
    // From tables of the normal distribution: the reference is one.
    expect(integrated(1.281552)).toBeCloseTo(1, 5)
    expect(integrated(5.612001)).toBeCloseTo(8, 5)
    fc.assert(fc.property(
      anyGaps,
      anySilence,
      fc.constantFrom(1_000, 4_000, 20_000, interval, 60_000),
      (gaps, silence, every) => {
        const [level = NaN] = levels(gaps, [silence], every)
        const wanted = defined(gaps, silence, every)
        // 0.0012 is what the formula is off by, and as much where it leaves the table for the first term of a series.
        if (wanted < 280) expect(Math.abs(level - wanted)).toBeLessThan(0.002)
        else expect(level).toBeGreaterThan(279)
      },
    ))
  })

  it("is 0 within the interval, and never falls while it is silent", () => {
    fc.assert(fc.property(anyGaps, fc.array(anySilence, { minLength: 1 }), (gaps, some) => {
      const silences = [...some, 0, interval].sort((a, b) => a - b)
      const found = levels(gaps, silences)
      for (const [index, level] of found.entries()) {
        if (index > 0) expect(level).toBeGreaterThanOrEqual(found[index - 1] ?? NaN)
        if ((silences[index] ?? NaN) <= interval) expect(level).toBe(0)
      }
    }))
  })

  it("is 0 again when something came", () => {
    fc.assert(fc.property(anyGaps, (gaps) => {
      expect(levels(gaps, [0, 1, interval])).toEqual([0, 0, 0])
    }))
  })

  it("of which nothing ever came begins with its connection, and is what it is of one that is never late", () => {
    expect(levels([], every10Seconds)).toEqual(levels(times(40, interval), every10Seconds))
    expect(levels([], [2 * interval])[0]).toBeGreaterThan(1)
  })

  it("is below 1 when it is late by a tenth, as it always was", () => {
    fc.assert(fc.property(
      fc.constantFrom(20_000, interval, 60_000),
      fc.array(fc.double({ min: 0.9, max: 1.1, noNaN: true }), { maxLength: 60, size: "max" }),
      (every, shares) => {
        const { peer, last } = heard(shares.map((share) => Math.round(share * every)), every)
        expect(peer.level(last + 1.1 * every)).toBeLessThan(1)
      },
    ))
  })

  it("is below 8 after one missed beat of a peer that never was late, and well above after three intervals", () => {
    for (const count of [0, 1, 16, 100]) {
      const [two = NaN, three = NaN] = levels(times(count, interval), [2 * interval, 3 * interval])
      expect(two).toBeLessThan(8)
      expect(three).toBeGreaterThan(20)
    }
  })

  it("stays low for what clocks are off by, however short the interval", () => {
    expect(levels(times(40, 100), [100 + 1_000], 100)[0]).toBeLessThan(1)
    expect(levels(times(40, 100), [100 + 10_000], 100)[0]).toBeGreaterThan(20)
  })

  it("needs a longer silence the more irregular it was", () => {
    const regular = times(40, interval)
    const irregular = Array.from({ length: 40 }, (_, index) => index % 2 === 0 ? interval : 50_000)
    const wild = Array.from({ length: 40 }, (_, index) => index % 2 === 0 ? interval : 2 * interval)
    for (const level of [0.5, 1, 3, 8, 12]) {
      expect(reaches(level, irregular)).toBeGreaterThan(reaches(level, regular))
      expect(reaches(level, wild)).toBeGreaterThan(reaches(level, irregular))
    }
    // Not only because its mean is larger.
    const uneven = Array.from({ length: 40 }, (_, index) => index % 2 === 0 ? 32_000 : 58_000)
    expect(reaches(8, uneven)).toBeGreaterThan(reaches(8, times(40, 45_000)))
    fc.assert(fc.property(anyGaps, anySilence, (gaps, silence) => {
      expect(levels(gaps, [silence])[0]).toBeLessThanOrEqual(levels(regular, [silence])[0] ?? NaN)
    }))
  })

  it("gets used to a slower peer, and forgets that in as many intervals", () => {
    const slow = levels(times(16, 50_000), [50_000])
    expect(slow).toEqual([0])
    expect(levels([50_000], [50_000])[0]).toBeGreaterThan(1)
    expect(levels([...times(16, 50_000), ...times(16, interval)], every10Seconds)).toEqual(levels([], every10Seconds))
    expect(levels([...times(16, 50_000), ...times(15, interval)], every10Seconds)).not.toEqual(
      levels([], every10Seconds),
    )
  })
})

describe("a peer is not wrongly suspected, nor trusted, for", () => {
  it("much traffic, after which it only answers heartbeats", () => {
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 0, max: interval }), { maxLength: 300, size: "max" }),
      (gaps) => {
        expect(levels(gaps, every10Seconds)).toEqual(levels([], every10Seconds))
      },
    ))
  })

  it("a burst, by which nothing is forgotten", () => {
    fc.assert(fc.property(
      anyGaps,
      fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 300, size: "max" }),
      anySilence,
      (gaps, burst, silence) => {
        // The late one begins a new interval, into which the burst falls.
        const before = [...gaps, 45_000]
        expect(levels([...before, ...burst], [silence])).toEqual(levels(before, [silence]))
      },
    ))
  })

  it("a single long gap: however long, three intervals are still above 8", () => {
    fc.assert(fc.property(
      fc.nat({ max: 15 }),
      fc.integer({ min: interval, max: 1_000_000_000 }),
      (after, gap) => {
        const gaps = [...times(16, interval), gap, ...times(after, interval)]
        expect(levels(gaps, [3 * interval])[0]).toBeGreaterThan(8)
        expect(levels([...gaps, ...times(16, interval)], every10Seconds)).toEqual(levels([], every10Seconds))
      },
    ))
  })

  it("whatever it did before: five intervals are above 8", () => {
    fc.assert(fc.property(
      anyGaps,
      fc.integer({ min: 5_000, max: 60_000 }),
      (gaps, every) => {
        expect(levels(gaps, [5 * every], every)[0]).toBeGreaterThan(8)
      },
    ))
  })
})

describe("a changed interval", () => {
  it("makes a new one of it", () => {
    fc.assert(fc.property(
      anyGaps,
      anyGaps,
      fc.integer({ min: 1_000, max: 120_000 }),
      anySilence,
      (before, after, every, silence) => {
        const { peer, last } = heard(before)
        const changedAt = last + silence
        peer.expect(every, changedAt)
        expect(peer.level(changedAt + every)).toBe(0)
        let now = changedAt
        for (const gap of after) peer.arrived(now += gap)
        expect([peer.level(now + silence)]).toEqual(levels(after, [silence], every))
      },
    ))
  })
})

describe("the numbers", () => {
  it("are as exact late as early, up to the last whole ones", () => {
    fc.assert(fc.property(anyGaps, anySilence, (gaps, silence) => {
      const from = Number.MAX_SAFE_INTEGER - gaps.reduce((sum, gap) => sum + gap, 0) - silence
      expect(levels(gaps, [silence], interval, from)).toEqual(levels(gaps, [silence]))
    }))
  })

  it("stay finite for an enormous silence", () => {
    for (const silence of [1e6, 1e9, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE, Infinity]) {
      expect(levels([40_000], [silence])).toEqual([300])
    }
  })

  it("are no reason to suspect where they are none", () => {
    expect(levels([40_000], [NaN, -Infinity, -1])).toEqual([0, 0, 0])
    expect(levels([40_000, NaN, 10], [interval])).toEqual([0])
  })

  it("are levels whatever goes in", () => {
    const weird = fc.oneof(
      fc.double(),
      fc.constantFrom(0, -1, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53),
    )
    fc.assert(
      fc.property(
        weird,
        weird,
        fc.array(weird, { maxLength: 30, size: "max" }),
        weird,
        (every, from, arrivals, now) => {
          const peer = new Suspicion(every, from)
          for (const at of arrivals) peer.arrived(at)
          const level = peer.level(now)
          expect(level).toBeGreaterThanOrEqual(0)
          expect(level).toBeLessThanOrEqual(300)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
