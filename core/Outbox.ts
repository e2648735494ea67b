/**
 * What is to be sent on one connection and was not yet taken by its transport: the one outbound queue.
 *
 * It keeps bytes in order and counts them. Marks, stalls and what to do about them are the connection's.
 */
import type { Transport } from "./Sockets.ts"

const firstSegment = 4 * 1024
const segment = 64 * 1024

/** A queue of bytes in segments. An empty one holds no memory. */
export class Outbox {
  /** Bytes waiting. */
  size = 0
  readonly #segments: Array<Uint8Array> = []
  // Where reading goes on in the first segment, and writing in the last.
  #read = 0
  #write = 0

  /** Adds a copy of `bytes` at the end. */
  append(bytes: Uint8Array): void {
    const last = this.#segments.at(-1)
    const fits = last === undefined ? 0 : Math.min(last.length - this.#write, bytes.length)
    if (fits > 0) {
      last!.set(fits === bytes.length ? bytes : bytes.subarray(0, fits), this.#write)
      this.#write += fits
    }
    if (fits < bytes.length) {
      const rest = bytes.subarray(fits)
      const next = new Uint8Array(Math.max(rest.length, last === undefined ? firstSegment : segment))
      next.set(rest)
      this.#segments.push(next)
      this.#write = rest.length
    }
    this.size += bytes.length
  }

  /** Hands over what the transport takes, in order, and returns how many bytes that were. */
  flush(transport: Transport): number {
    const before = this.size
    while (this.size > 0) {
      const first = this.#segments[0]!
      const end = this.#segments.length === 1 ? this.#write : first.length
      const taken = transport.write(first.subarray(this.#read, end))
      this.size -= taken
      this.#read += taken
      if (this.#read < end) break
      this.#segments.shift()
      this.#read = 0
    }
    return before - this.size
  }

  /** Drops everything. */
  clear(): void {
    this.#segments.length = 0
    this.#read = 0
    this.size = 0
  }
}
