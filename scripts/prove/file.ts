/** What every server of the proof answers to the line `file`: 8 MiB with the newline behind it, each 16 bytes unlike all others. */
export const file: string = Array.from({ length: 1 << 19 }, (_, cell) => `cell ${cell}`.padEnd(16, ".")).join("").slice(
  1,
)
