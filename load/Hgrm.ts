/**
 * A distribution by percentile as the text (`.hgrm`) that HdrHistogram's plotter and others of its family read. Values are
 * milliseconds, which is what the plotter expects.
 */
import * as Distribution from "./Distribution.ts"

/** Lines for each halving of what is above a percentile, as all of that family write it. */
const ticks = 5
const microsPerMilli = 1_000

/** The text of a distribution, its values in milliseconds. */
export const hgrm = (distribution: Distribution.Distribution): string =>
  Distribution.histogramOf(distribution).outputPercentileDistribution(ticks, microsPerMilli)
