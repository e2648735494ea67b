/**
 * How long something took, of many times: percentiles to read, and the histogram itself, so that results of many generators
 * are added. All values are microseconds.
 *
 * Percentiles are never averaged here nor anywhere: those of a sum are read from the sum of the histograms.
 */
import * as Schema from "effect/Schema"
import * as Hdr from "hdr-histogram-js"
import { isProblem, type Problem, problem } from "./Problem.ts"
import { histogram } from "./Recorder.ts"

const Micros: Schema.Finite = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** A count. */
export const Count: Schema.Int = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A distribution in a result, which has one only where something was measured. */
export const Distribution = Schema.Struct({
  count: Count,
  min: Micros,
  mean: Micros,
  p50: Micros,
  p90: Micros,
  p95: Micros,
  p99: Micros,
  "p99.9": Micros,
  "p99.99": Micros,
  max: Micros,
  histogram: Schema.String.annotate({
    description: "The histogram, of microseconds: HdrHistogram's V2 encoding, deflated, in base64",
  }),
}).annotate({ identifier: "Distribution", description: "How long something took, in microseconds" })

/** A distribution in a result. */
export type Distribution = typeof Distribution.Type

/** Bounds that are known better than by bucket. */
interface Bounds {
  readonly min: number
  readonly max: number
}

/** The distribution of a histogram; undefined where nothing was recorded. */
export const of = (histogram: Hdr.Histogram, bounds?: Bounds): Distribution | undefined => {
  const count = histogram.totalCount
  if (count === 0) return undefined
  const { min, max } = bounds ?? { min: histogram.minNonZeroValue, max: histogram.maxValue }
  // A bucket is named by its highest value, which may be above what was recorded.
  const at = (percentile: number): number => Math.min(max, histogram.getValueAtPercentile(percentile))
  return {
    count,
    min,
    mean: Math.min(max, Math.round(histogram.mean * 10) / 10),
    p50: at(50),
    p90: at(90),
    p95: at(95),
    p99: at(99),
    "p99.9": at(99.9),
    "p99.99": at(99.99),
    max,
    histogram: Hdr.encodeIntoCompressedBase64(histogram),
  }
}

/** Base64 that a histogram of all buckets would not need. */
const longest = 1_000_000
/** An hour, and what a bucket of it may stand for besides. */
const longestMicros = 3_600_000_000 * 1.02

/** Reads the histogram of a distribution: of three digits, or of two, as those of a second may be. */
export const read = (text: string): Hdr.Histogram | Problem => {
  if (text.length > longest) return problem(`Expected a histogram of at most ${longest} characters, got ${text.length}`)
  try {
    const found = Hdr.decodeFromCompressedBase64(text, 32, false)
    const digits = found.numberOfSignificantValueDigits
    if (digits !== 2 && digits !== 3) return problem(`Expected a histogram of 2 or 3 digits, got one of ${digits}`)
    if (found.maxValue <= longestMicros) return found
    return problem(`Expected a histogram of times up to an hour, got one up to ${found.maxValue} µs`)
  } catch {
    return problem("Expected a histogram in HdrHistogram's V2 encoding, deflated, in base64")
  }
}

/** The histogram of a distribution that was decoded, so that it is known to be one. */
export const histogramOf = ({ histogram }: { readonly histogram: string }): Hdr.Histogram => {
  const found = read(histogram)
  if (isProblem(found)) throw new Error(found.problem)
  return found
}

/** All of them as one; undefined where there is none. It has as many digits as the one that has the fewest. */
export const sum = (distributions: ReadonlyArray<Distribution>): Distribution | undefined => {
  const [first, ...others] = distributions
  if (first === undefined || others.length === 0) return first
  const histograms = distributions.map(histogramOf)
  // Values of two digits that were counted with three would all be the lowest of what they stand for.
  const coarse = histograms.some(({ numberOfSignificantValueDigits }) => numberOfSignificantValueDigits < 3)
  const all = coarse ? coarseHistogram() : histogram()
  for (const one of histograms) all.add(one)
  return of(all, {
    min: Math.min(...distributions.map(({ min }) => min)),
    max: Math.max(...distributions.map(({ max }) => max)),
  })
}

const coarseHistogram = (): Hdr.Histogram =>
  Hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: longestMicros,
    numberOfSignificantValueDigits: 2,
    bitBucketSize: 32,
    useWebAssembly: false,
  })

/** Any percentile of it, in microseconds. */
export const percentile = (distribution: Distribution, percentile: number): number =>
  Math.min(distribution.max, histogramOf(distribution).getValueAtPercentile(percentile))
