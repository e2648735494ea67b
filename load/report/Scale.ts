/**
 * Where a value lies on an axis, and which values are written beside it.
 */

/** An axis without its place: values become shares of its length. */
export interface Scale {
  /** From 0 to 1; what lies outside is put on the border. */
  at(value: number): number
  /** In order, all between the borders. */
  readonly ticks: ReadonlyArray<number>
}

const within = (share: number): number => Math.min(1, Math.max(0, share))

/** From 0 to a round number that is not below `most`, in steps of at least `least`. */
export const linear = (most: number, least = 0, count = 5): Scale => {
  const step = most > 0 ? Math.max(least, round(most / count)) : Math.max(least, 1)
  const steps = Math.max(1, Math.ceil(most / step - 1e-9))
  return {
    at: (value) => within(value / (step * steps)),
    // Multiples of a step such as 0.1 are not what they look like.
    ticks: Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12))),
  }
}

/** The next of 1, 2 and 5, times a power of ten. */
const round = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 5].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10
  return factor * power
}

/** From 0 to exactly `most`, in a unit that has sixty of its own: seconds or minutes. */
export const time = (most: number, count = 6): Scale => {
  const nice = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((step) => most / step <= count)
  const step = nice ?? round(most / count)
  return {
    at: (value) => within(most === 0 ? 0 : value / most),
    ticks: Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step),
  }
}

/** From a round number that is not above `least` to one that is not below `most`, both above 0. */
export const logarithmic = (least: number, most: number): Scale => {
  const high = round(most)
  // 1, 2 and 5 turned round are 1, 5 and 2, and the next below is the next above turned round.
  const low = Math.min(1 / round(1 / least), high / 10)
  const decades = Math.log10(high / low)
  const ticks: Array<number> = []
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    // Few decades have room for more than the powers of ten.
    for (const factor of decades <= 2.4 ? [1, 2, 5] : [1]) ticks.push(Number((factor * 10 ** power).toPrecision(1)))
  }
  return {
    at: (value) => value <= 0 ? 0 : within(Math.log10(value / low) / decades),
    ticks: ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)),
  }
}

/** Of shares from 0 to 1 each nine more is as far as the one before: 0, 90 %, 99 %, and so on to 1 of `count`. */
export const nines = (count: number): Scale & { readonly shares: ReadonlyArray<number> } => {
  const end = Math.log10(Math.max(10, count))
  const decades = Math.floor(end + 1e-9)
  const steps = 160
  return {
    at: (share) => within(share >= 1 ? 1 : -Math.log10(1 - share) / end),
    ticks: [0, ...Array.from({ length: decades }, (_, index) => 1 - 10 ** -(index + 1))],
    shares: Array.from({ length: steps + 1 }, (_, index) => 1 - 10 ** (-end * index / steps)),
  }
}
