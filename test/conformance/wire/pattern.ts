/** Bytes that both sides of a test can make for themselves: a pseudo-random pattern that its length alone determines. */

/** `length` bytes. Patterns of different lengths differ from the first bytes on. */
export const pattern = (length: number): Uint8Array<ArrayBuffer> => {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = length + 1
  for (let index = 0; index < words.length; index++) {
    // Marsaglia's xorshift32.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** FNV-1a of 32 bits, continued from `hash`. */
export const fnv1a = (bytes: Uint8Array, hash: number = 0x811c9dc5): number => {
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
