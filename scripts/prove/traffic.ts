/** Lines and their echo, of any amount; the same in every run. */

/** Requests, and what has to come back for them. */
export interface Traffic {
  readonly requests: Buffer
  readonly replies: Buffer
}

/** Numbered lines of 20 to `longest` bytes, long and short by turns, of which the replies make `bytes` or a little more. */
export const traffic = (bytes: number, longest: number): Traffic => {
  const filler = " abcdefghijklmnopqrstuvwxyz".repeat(Math.ceil(longest / 27))
  const lines: Array<string> = []
  for (let length = 0; length < bytes;) {
    const index = lines.length
    const line = `line ${index}${filler}`.slice(0, 20 + (index * 7_919) % (longest - 19))
    lines.push(line)
    length += line.length + "echo: \n".length
  }
  return {
    requests: Buffer.from(lines.map((line) => `${line}\n`).join("")),
    replies: Buffer.from(lines.map((line) => `echo: ${line}\n`).join("")),
  }
}
