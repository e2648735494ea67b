/** The endless pattern that ends send each other, so that every byte can be checked by its position alone. */

const period = 65_521 // a prime, so that no buffer size is a multiple of it
const doubled = new Uint8Array(2 * period + 2 * 1024 * 1024)
for (let index = 0, state = 1; index < doubled.length; index++) {
  if (index % period === 0) state = 1
  state = Math.imul(state, 1_103_515_245) + 12_345 | 0
  doubled[index] = state >>> 16
}

/** The pattern from a position on, at most 2 MiB of it, in memory of its own. */
export const patternAt = (position: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(doubled.subarray(position % period, position % period + length))
  return bytes
}

/** The index in a chunk received at a position of the first byte that is not the pattern's, -1 if all are. */
export const firstMismatch = (chunk: Uint8Array, position: number): number => {
  const start = position % period
  for (let index = 0; index < chunk.length; index++) if (chunk[index] !== doubled[start + index]) return index
  return -1
}
