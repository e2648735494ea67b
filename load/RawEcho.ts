/**
 * No framing, against a server that gives back what it gets: a reply ends where it has as many bytes as its request, and
 * those that the server puts in front. One codec is one connection: its two halves share the count.
 */
import type { Codec } from "../core/Codec.ts"

/** A codec of one connection, whose replies are so many bytes longer than their requests. */
export const make = (more: number): Codec<Uint8Array, Uint8Array> => {
  const lengths = new Lengths()
  return {
    decoder: () => ({
      decode(input, out, limit) {
        for (const stop = out.length + limit; out.length < stop && input.length > 0;) {
          // What nobody asked for is one frame, and the session says that it is wrong.
          const length = lengths.first ?? input.length
          if (input.length < length) return undefined
          lengths.shift()
          out.push(input.copy(input.start, input.start + length))
          input.consume(length)
        }
        return undefined
      },
      end: () => undefined,
    }),
    encoder: () => ({
      encode(frames, output) {
        for (const frame of frames) {
          lengths.push(frame.length + more)
          output.raw(frame)
        }
        return undefined
      },
    }),
  }
}

/** A queue of lengths. Most are the same as the one before, and take no room. */
class Lengths {
  readonly #runs: Array<{ readonly length: number; count: number }> = []
  #at = 0

  get first(): number | undefined {
    return this.#runs[this.#at]?.length
  }

  push(length: number): void {
    const last = this.#runs.at(-1)
    if (last?.length === length && this.#at < this.#runs.length) last.count++
    else this.#runs.push({ length, count: 1 })
  }

  shift(): void {
    const run = this.#runs[this.#at]
    if (run === undefined || --run.count > 0) return
    this.#at++
    if (this.#at < 1_024 && this.#at < this.#runs.length) return
    this.#runs.splice(0, this.#at)
    this.#at = 0
  }
}
