/**
 * The byte frames that one call of a decoder finds: noted first, then copied together, because an allocation for each
 * frame costs more than all the rest of decoding it (0.7 µs on Deno, and on Node from 64 bytes up).
 *
 * Frames copied together share their memory, so one that is kept keeps the others: at most {@link together} bytes, and
 * never more than arrived with it. A frame that was found alone has memory to itself.
 */
import type { ByteBuffer } from "../../ByteBuffer.ts"

const together = 64 * 1024

/** Frames noted and not yet copied. One serves one decoder, and is empty between its calls. */
export class Batch {
  #bounds: Array<number> = []

  /** Notes that `input.bytes[from]` to `input.bytes[to - 1]` is a frame. Nothing may be consumed before {@link flush}. */
  add(input: ByteBuffer, from: number, to: number, out: Array<Uint8Array>): void {
    if (this.#bounds.length > 0 && to - this.#bounds[0]! > together) this.flush(input, out)
    this.#bounds.push(from, to)
  }

  /** Copies what was noted and appends it to `out`. */
  flush(input: ByteBuffer, out: Array<Uint8Array>): void {
    const bounds = this.#bounds
    if (bounds.length === 0) return
    const first = bounds[0]!
    const copy = input.copy(first, bounds[bounds.length - 1]!)
    if (bounds.length === 2) out.push(copy)
    else for (let i = 0; i < bounds.length; i += 2) out.push(copy.subarray(bounds[i]! - first, bounds[i + 1]! - first))
    bounds.length = 0
  }
}
