/**
 * Where encoders write: one growing scratch buffer, used by one connection at a time and reused for ever.
 *
 * It is not a queue: what the transport does not take is copied into the connection's Outbox.
 */

const initial = 64 * 1024
const kept = 256 * 1024
const encoder = new TextEncoder()

/** A growing buffer. `bytes[0]` to `bytes[length - 1]` are written. */
export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(initial)
  length = 0
  #view: DataView | undefined

  /** A view of the whole buffer, for numbers wider than a byte. Valid until the next {@link reserve}. */
  get view(): DataView {
    return this.#view ??= new DataView(this.bytes.buffer)
  }

  /** Makes `count` bytes writable and returns where they begin. Whatever is not overwritten has no defined value. */
  reserve(count: number): number {
    const at = this.length
    this.#grow(at + count)
    this.length = at + count
    return at
  }

  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): void {
    // In this order: reserving may put other bytes in the place of these.
    const at = this.reserve(bytes.length)
    this.bytes.set(bytes, at)
  }

  /** Writes text as UTF-8 (lone surrogates become U+FFFD) and returns how many bytes it took. */
  text(text: string): number {
    const at = this.length
    if (text.length > initial) {
      this.raw(encoder.encode(text))
    } else {
      this.#grow(at + 3 * text.length)
      this.length = at + encoder.encodeInto(text, at === 0 ? this.bytes : this.bytes.subarray(at)).written
    }
    return this.length - at
  }

  /** Forgets what was written from `length` on, and gives back what an unusually large frame made it grow to. */
  truncate(length: number): void {
    this.length = length
    if (length === 0 && this.bytes.length > kept) this.#replace(initial)
  }

  #grow(needed: number): void {
    if (needed > this.bytes.length) this.#replace(Math.max(needed, 2 * this.bytes.length))
  }

  #replace(capacity: number): void {
    const bytes = new Uint8Array(capacity)
    bytes.set(this.bytes.subarray(0, this.length))
    this.bytes = bytes
    this.#view = undefined
  }
}
