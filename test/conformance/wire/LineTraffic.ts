/**
 * Lines of many lengths and their echo, neither of which is ever in memory as a whole: about 90 MiB for 10,000 lines.
 * The seed decides about all of it, and stands in the message of every failure.
 */
import { Buffer } from "node:buffer"
import type { Client } from "./client.ts"

const prefix = Buffer.from("echo: ")
const end = Buffer.from("\n")

/** Lines for the echo service. */
export class LineTraffic {
  readonly #seed: number
  readonly #random: () => number
  readonly #lines: ReadonlyArray<Buffer>

  constructor(seed: number, count: number, maximum: number) {
    this.#seed = seed
    this.#random = randomOf(seed)
    const text = Buffer.from(Array.from({ length: 2 * maximum }, () => 32 + this.#below(95)))
    this.#lines = shuffled(this.#lengths(count, maximum), this.#random).map((length) => {
      const start = this.#below(text.length - length)
      return text.subarray(start, start + length)
    })
  }

  /** The lines in random splits: many of a few bytes, some of more than any buffer holds. */
  *pieces(): Iterable<Buffer> {
    let pending: Array<Buffer> = []
    let size = 0
    let wanted = this.#split()
    for (const line of this.#lines) {
      pending.push(line, end)
      size += line.length + 1
      if (size < wanted) continue
      let all = Buffer.concat(pending)
      while (all.length >= wanted) {
        yield all.subarray(0, wanted)
        all = all.subarray(wanted)
        wanted = this.#split()
      }
      pending = [all]
      size = all.length
    }
    yield Buffer.concat(pending)
  }

  /** Reads the echo to its end, and rejects at the first byte that is wrong. */
  async check(client: Client): Promise<void> {
    for (const [index, line] of this.#lines.entries()) {
      for (const part of [prefix, line, end]) {
        const found = await client.receive(part.length).catch((error: Error) => this.#fail(index, error.message))
        if (!found.equals(part)) this.#fail(index, `it is ${line.length} bytes long and came back as something else`)
      }
    }
    const rest = await client.rest()
    if (rest.length > 0) this.#fail(this.#lines.length, `${rest.length} bytes came behind the last line`)
  }

  #fail(line: number, why: string): never {
    throw new Error(`Line ${line} of seed ${this.#seed}: ${why}`)
  }

  /** All short ones, the longest, those around powers of two, and random ones, more of them short than long. */
  #lengths(count: number, maximum: number): Array<number> {
    const lengths: Array<number> = []
    for (let length = 0; length < count / 2; length++) lengths.push(length)
    for (let length = maximum - 200; length <= maximum; length++) lengths.push(length)
    for (let power = 8_192; power < maximum; power *= 2) {
      for (let length = power - 8; length <= power + 8; length++) lengths.push(length)
    }
    while (lengths.length < count) lengths.push(Math.floor((maximum + 1) * this.#random() ** 4))
    return lengths
  }

  #split(): number {
    return 1 + Math.floor(200_000 * this.#random() ** 6)
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }
}

const shuffled = <A>(values: Array<A>, random: () => number): Array<A> => {
  for (let index = values.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[values[index], values[other]] = [values[other]!, values[index]!]
  }
  return values
}

// Numerical Recipes' linear congruential generator; its high bits are good enough for splits.
const randomOf = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}
