/**
 * Numbers as people read them: three digits that say something, and a unit.
 */

/** Microseconds: `850 µs`, `12.3 ms`, `1.05 s`. */
export const latency = (micros: number): string => {
  if (micros < 999.5) return `${digits(micros)} µs`
  if (micros < 999_500) return `${digits(micros / 1_000)} ms`
  return `${digits(micros / 1_000_000)} s`
}

/** Milliseconds, of lengths of time: `30 s`, `2 min 5 s`. */
export const time = (millis: number): string => {
  if (millis < 59_950) return latency(millis * 1_000)
  const seconds = Math.round(millis / 1_000)
  const parts = [[Math.floor(seconds / 3_600), "h"], [Math.floor(seconds / 60) % 60, "min"], [
    seconds % 60,
    "s",
  ]] as const
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ")
}

/** A whole number with its thousands parted: `1,234,567`. */
export const count = (value: number): string => {
  const [whole = "", rest] = String(value < 1_000 ? Math.round(value * 10) / 10 : Math.round(value)).split(".")
  const parted = whole.replace(/\B(?=(?:\d{3})+$)/g, ",")
  return rest === undefined ? parted : `${parted}.${rest}`
}

/** A rate: `12,345/s`. */
export const rate = (perSecond: number): string => `${count(perSecond)}/s`

/** Bytes: `1.2 MB`. */
export const bytes = (value: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let index = 0
  let scaled = value
  for (; scaled >= 999.5 && index < units.length - 1; index++) scaled /= 1_000
  return `${digits(scaled)} ${units[index]}`
}

/** A share from 0 to 1: `12.3%`. What is not nothing is not shown as nothing. */
export const share = (value: number): string => {
  const percent = value * 100
  if (percent > 0 && percent < 0.001) return "<0.001%"
  return `${percent < 1 ? Number(percent.toPrecision(2)) : digits(percent)}%`
}

const digits = (value: number): string => {
  if (value >= 99.95 || Number.isInteger(value)) return String(Math.round(value))
  return value >= 9.995 ? trimmed(value.toFixed(1)) : trimmed(value.toFixed(2))
}

const trimmed = (text: string): string => text.replace(/\.?0+$/, "")
