/**
 * How long something is: `100`, `64-4096` for any length between, and `64*9,4096*1` for lengths by weight, here nine times of
 * ten 64 and once 4096.
 */
import { type Problem, problem } from "./Problem.ts"
import type { Random } from "./Random.ts"

/** A distribution of lengths. */
export interface Sizes {
  readonly least: number
  readonly most: number
  readonly draw: (random: Random) => number
}

/** The distribution that a text says; no length is over `most`. */
export const parse = (text: string, most: number): Sizes | Problem => {
  const parts: Array<{ readonly from: number; readonly to: number; readonly until: number }> = []
  let total = 0
  for (const part of text.split(",")) {
    const [, from, to = from, weight = "1"] = /^(\d{1,10})(?:-(\d{1,10}))?(?:\*(\d{1,6}))?$/.exec(part.trim()) ?? []
    if (from === undefined || Number(weight) === 0) {
      return problem(`Expected sizes such as 100, 64-4096 or 64*9,4096*1, got ${text === "" ? "nothing" : text}`)
    }
    if (Number(from) > Number(to)) return problem(`Expected a size from the smaller to the larger, got ${part}`)
    if (Number(to) > most) return problem(`Expected sizes of at most ${most} bytes, got ${to}`)
    total += Number(weight)
    parts.push({ from: Number(from), to: Number(to), until: total })
  }
  const weight = total
  return {
    least: Math.min(...parts.map(({ from }) => from)),
    most: Math.max(...parts.map(({ to }) => to)),
    draw(random) {
      const at = parts.length === 1 ? 0 : random.below(weight)
      const { from, to } = parts.find(({ until }) => at < until)!
      return from === to ? from : from + random.below(to - from + 1)
    },
  }
}
