/**
 * Sizes on the command line: `512`, `64KiB`, `1MiB`.
 */

/** Bytes; undefined for what is no size above zero. */
export const parse = (text: string): number | undefined => {
  const [, amount, unit] = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text) ?? []
  const bytes = Number(amount) * units[unit ?? "B"]!
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined
}

const units: Record<string, number> = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 }
