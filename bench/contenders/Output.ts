/** Memory for the replies of one chunk, which is used again for the next. */
export class Output {
  bytes: Uint8Array
  /** Bytes that are written. */
  size = 0

  constructor(room = 1 << 16) {
    this.bytes = new Uint8Array(room)
  }

  /** Begins anew, with room for so many bytes. */
  reserve(length: number): void {
    this.size = 0
    if (this.bytes.length < length) this.bytes = new Uint8Array(length)
  }
}
