/**
 * The incoming half of a connection: unread bytes become frames, until the peer finishes or sends what is none.
 *
 * When to decode, and what the end means, is the connection's and its driver's to say.
 */
import { ByteBuffer } from "./ByteBuffer.ts"
import * as CloseReason from "./CloseReason.ts"
import { type Decoder, type FrameError, frameTooLarge, invalidFrame } from "./Codec.ts"

/** What one connection receives. */
export class Input<In> {
  bytesReceived = 0
  framesReceived = 0
  /** Why no more frames will come: the peer finished, or its bytes are not frames. */
  end: CloseReason.CloseReason | undefined
  #decoder: Decoder<In>
  readonly #unread = new ByteBuffer()
  #fin = false
  #lastByte = -1 // see lastCall

  constructor(decoder: Decoder<In>) {
    this.#decoder = decoder
  }

  /** Bytes received and not yet decoded. */
  get length(): number {
    return this.#unread.length
  }

  /** Whether {@link decode} may have something to give: unread bytes, or the end of them. */
  get readable(): boolean {
    return this.#unread.length > 0 || (this.#fin && this.end === undefined)
  }

  /** Decodes what is unread, and what comes, by another codec. */
  become<Next>(decoder: Decoder<Next>): void {
    this.#decoder = decoder as unknown as Decoder<In> // whoever changes it takes its frames from here on
  }

  /** Adds a chunk that is lent until {@link own} is called. */
  append(chunk: Uint8Array): void {
    // Behind what is no frame there are none; whoever still has to say so must not gather it.
    if (this.end === undefined) this.#unread.append(chunk)
  }

  /** Copies what is left of the chunk. */
  own(): void {
    this.#unread.own()
  }

  /** The peer has finished writing. */
  finish(): void {
    this.#fin = true
  }

  /** Frames that begin behind what was received so far are not decoded any more. */
  lastCall(): void {
    this.#lastByte = this.bytesReceived
  }

  /** Whether all that came before the last call was decoded, and so no more is. */
  get done(): boolean {
    return this.#lastByte >= 0 && this.bytesReceived - this.#unread.length >= this.#lastByte
  }

  /** Drops what is unread. */
  clear(): void {
    this.#unread.clear()
  }

  /**
   * Appends at most `limit` frames to `out`, which is empty, and returns whether there were any. More than `maxFrame`
   * unread bytes that are no frame are an error.
   */
  decode(out: Array<In>, limit: number, maxFrame: number): boolean {
    if (this.end !== undefined || (this.done && this.#unread.length > 0)) return false
    const unread = this.#unread
    let error: FrameError | undefined
    try {
      // One by one, so that none is taken that begins behind the last byte.
      error = this.#decoder.decode(unread, out, this.#lastByte < 0 ? limit : 1)
      if (this.#fin && error === undefined && out.length === 0) {
        error = this.#decoder.end(unread, out)
        this.end = unread.length > 0 ? CloseReason.truncatedFrame(unread.length) : CloseReason.peerClosed
      }
      if (unread.length > maxFrame && error === undefined && out.length === 0) {
        error = frameTooLarge(unread.length, maxFrame)
      }
    } catch (defect) {
      error = invalidFrame(`Decoder threw: ${String(defect)}`)
    }
    if (error !== undefined) this.end = CloseReason.decodeFailed(error)
    if (this.end !== undefined) unread.clear()
    this.framesReceived += out.length
    return out.length > 0
  }
}
