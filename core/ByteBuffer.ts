/**
 * Unread input of one connection: bytes appended at the end, consumed at the start.
 *
 * The usual chunk holds whole frames and is decoded where it lies, without a copy: an empty buffer *borrows* the chunk
 * that it is given, and {@link ByteBuffer.own} copies what is left before the lender takes its memory back (clause 1 of
 * the port). It sets no bound: a decoder fails once more than its maximum lies here without a frame, and a connection
 * that is not decoding has paused reading.
 */

const empty = new Uint8Array(0)
const smallest = 64

/** Unread input. `bytes[start]` to `bytes[end - 1]` are unread; only this class moves the two. */
export class ByteBuffer {
  bytes: Uint8Array = empty
  start = 0
  end = 0
  #borrowed = false

  /** How many bytes are unread. */
  get length(): number {
    return this.end - this.start
  }

  /** Adds a chunk. It is borrowed while nothing else is unread, else copied. */
  append(chunk: Uint8Array): void {
    if (this.start === this.end) {
      this.bytes = chunk
      this.start = 0
      this.end = chunk.length
      this.#borrowed = true
      return
    }
    const length = this.length + chunk.length
    if (this.#borrowed || length > this.bytes.length) this.#move(Math.max(length, 2 * this.length))
    else if (this.end + chunk.length > this.bytes.length) this.#compact()
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Where `byte` first stands among the unread bytes at `from` or after, as an index of `bytes`; -1 if it does not. */
  indexOf(byte: number, from: number): number {
    // Behind `end` there may be room to grow: searching that as well, at each call, would make a slow sender quadratic.
    const bytes = this.end === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.end)
    return bytes.indexOf(byte, from)
  }

  /** A copy of `bytes[from]` to `bytes[to - 1]` with memory of its own. */
  copy(from: number, to: number): Uint8Array<ArrayBuffer> {
    // Not `slice`: a chunk of Node's is a Buffer, and slicing that is a view.
    const bytes = new Uint8Array(to - from)
    bytes.set(this.bytes.subarray(from, to))
    return bytes
  }

  /** Marks the first `count` unread bytes as read. */
  consume(count: number): void {
    this.start += count
    if (this.start >= this.end) this.clear()
  }

  /** Drops everything unread. An empty buffer holds no memory. */
  clear(): void {
    this.bytes = empty
    this.start = 0
    this.end = 0
    this.#borrowed = false
  }

  /** Copies what is still borrowed, and gives back room that the rest no longer needs. To be called before the lender returns. */
  own(): void {
    if (this.#borrowed || this.bytes.length > 16 * Math.max(this.length, smallest)) this.#move(this.length)
  }

  #move(capacity: number): void {
    if (this.start === this.end) return this.clear()
    const bytes = new Uint8Array(Math.max(capacity, smallest))
    bytes.set(this.bytes.subarray(this.start, this.end))
    this.end -= this.start
    this.start = 0
    this.bytes = bytes
    this.#borrowed = false
  }

  #compact(): void {
    this.bytes.copyWithin(0, this.start, this.end)
    this.end -= this.start
    this.start = 0
  }
}
