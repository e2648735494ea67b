/** Chance that a seed decides, for tests that name theirs in the title. */

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
export const randomFrom = (seed: number) => (below: number): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}

/** Some that are always tried, and one that never was. */
export const seeds: ReadonlyArray<number> = [Date.now() % 1_000_000, 1, 2, 3, 4, 5]
