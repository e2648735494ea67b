/**
 * Whether a result is the server's: a generator that was too slow has measured itself.
 *
 * Two things make a request of a schedule late, and only one of them counts here. A server that is slow leaves no room on
 * its connections, and what waits for it is its response time. A generator that is slow does not even notice what is due.
 */
import type { Outcome } from "./Outcome.ts"
import type { Mode } from "./Plan.ts"

/** What a result is worth. */
export type Verdict =
  | { readonly _tag: "Sound" }
  /** It says how fast the generator is; the server may be faster. */
  | { readonly _tag: "GeneratorBound"; readonly reason: string }
  /** It is none: requests were not sent when the schedule wanted them. */
  | { readonly _tag: "Invalid"; readonly reason: string }

/** Of one core. */
const mostCpu = 0.9
const longestLagMillis = 50
const longestLatenessMillis = 50

/**
 * Judges a run.
 *
 * - `Invalid`, of an open run: more than 1 % of the requests were noticed by the generator more than 50 ms after they were
 *   due.
 * - `GeneratorBound`: its process used 90 % of one core or more while measuring, or more than 1 % of its ticks were more
 *   than 50 ms late.
 */
export const verdict = (mode: Mode, { cpu, lag, measured, total }: Outcome): Verdict => {
  const lateness = total.lateness.getValueAtPercentile(99) / 1_000
  if (mode === "open" && lateness > longestLatenessMillis) {
    return { _tag: "Invalid", reason: `1 % of the requests were noticed ${lateness.toFixed(1)} ms late or more` }
  }
  if (measured > 0 && cpu / measured >= mostCpu) {
    return { _tag: "GeneratorBound", reason: `it used ${Math.round((100 * cpu) / measured)} % of a core` }
  }
  const late = lag.getValueAtPercentile(99) / 1_000
  if (late > longestLagMillis) {
    return { _tag: "GeneratorBound", reason: `1 % of its ticks were ${late.toFixed(1)} ms late or more` }
  }
  return { _tag: "Sound" }
}
