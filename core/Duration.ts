/**
 * Durations as people write them: `250ms`, `30s`, `5m`, `1h`, and `off` for none. Nothing here measures time.
 */

/** Milliseconds, Infinity for `off`; undefined for what is no duration above zero. */
export const parse = (text: string): number | undefined => {
  if (text === "off") return Infinity
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const millis = Number(amount) * (units[unit ?? ""] ?? NaN)
  return millis > 0 ? millis : undefined
}

const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
