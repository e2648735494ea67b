/**
 * The outgoing half of a connection: replies are staged, encoded together and handed to the transport in one write; what
 * it does not take waits in the Outbox.
 *
 * When to write, and what it means that nothing is taken, is the connection's to say.
 */
import type { ByteWriter } from "./ByteWriter.ts"
import { type Encoder, type FrameError, invalidFrame } from "./Codec.ts"
import { Outbox } from "./Outbox.ts"
import type { Transport } from "./Sockets.ts"

/** As many replies are encoded at once as make about this many bytes, so that the marks see large ones soon. */
const batchBytes = 64 * 1024
const firstBatch = 16
const largestBatch = 1_024

/** Whether the transport took all that there was, or why a frame could not be encoded. */
export type Written = "All" | "Part" | FrameError

/** What one connection sends. */
export class Output<Out> {
  bytesSent = 0
  framesSent = 0
  readonly #transport: Transport
  #encoder: Encoder<Out>
  readonly #writer: ByteWriter
  readonly #outbox = new Outbox()
  #staged: Array<Out> | undefined
  #sure = 0 // bytes that what is staged becomes at most, where it was sent; 0 where it is replies
  #failed: FrameError | undefined // of what was said to be sure, to be told by the next write
  #batch = firstBatch
  #blocked = false // the transport took less than it was given, and will say when to try again

  constructor(transport: Transport, encoder: Encoder<Out>, writer: ByteWriter) {
    this.#transport = transport
    this.#encoder = encoder
    this.#writer = writer
  }

  /** Encodes what comes by another codec. No reply may be staged. */
  become<Next>(encoder: Encoder<Next>): void {
    this.settle()
    this.#encoder = encoder as unknown as Encoder<Out> // whoever changes it gives its frames from here on
  }

  /** Encoded bytes that the transport has not taken. */
  get unsent(): number {
    return this.#outbox.size
  }

  /** Whether replies are staged. */
  get replying(): boolean {
    return this.#staged !== undefined && this.#sure === 0
  }

  /** Whether nothing waits to be encoded or taken. */
  get empty(): boolean {
    return this.#staged === undefined && this.#outbox.size === 0
  }

  /** Adds a reply to those of this turn. Returns whether they are enough to be written at once. */
  stage(frame: Out): boolean {
    if (this.#sure > 0) this.settle()
    const staged = this.#staged
    if (staged === undefined) {
      this.#staged = [frame]
      return this.#batch === 1
    }
    staged.push(frame)
    return staged.length >= this.#batch
  }

  /**
   * Sends a frame behind all that waits; no reply may be staged. It is encoded at once, for whoever sends is told when it
   * cannot be; or later with the others of its turn, where it surely can and all that waits is no more than `mark` bytes.
   * The latter takes a fifth off what a session of lines costs.
   */
  enqueue(frame: Out, mark: number): FrameError | undefined {
    const most = this.#encoder.atMost?.(frame)
    if (most !== undefined && this.#outbox.size + this.#sure + most <= mark) {
      this.#sure += most
      if (this.#staged === undefined) this.#staged = [frame]
      else this.#staged.push(frame)
      return undefined
    }
    this.settle()
    const base = this.#writer.length
    const error = this.#encode([frame])
    this.#spill(base)
    return error
  }

  /** Encodes what was sent and is not encoded: from now on {@link unsent} says what waits. */
  settle(): void {
    if (this.#sure === 0) return
    const base = this.#writer.length
    const error = this.#encodeStaged(this.#staged!) // what is sure is staged
    this.#failed ??= error
    this.#spill(base)
  }

  /**
   * Hands to the transport what is staged and what is queued, as far as it takes it. In the usual case all is noted
   * before the transport is called: what is touched on both sides of a system call comes into the processor's caches twice.
   */
  write(): Written {
    const writer = this.#writer
    const outbox = this.#outbox
    const base = writer.length
    if (outbox.size > 0) {
      const error = (this.#staged === undefined ? undefined : this.#encodeStaged(this.#staged)) ?? this.#failed
      this.#spill(base)
      if (!this.#blocked) {
        this.bytesSent += outbox.flush(this.#transport)
        this.#blocked = outbox.size > 0
      }
      return error ?? (outbox.size > 0 ? "Part" : "All")
    }
    if (this.#staged === undefined) return this.#failed ?? "All"
    const error = this.#encodeStaged(this.#staged) ?? this.#failed
    const bytes = writer.bytes.subarray(base, writer.length)
    const { length } = bytes
    this.bytesSent += length
    writer.truncate(base)
    const taken = length === 0 ? 0 : this.#transport.write(bytes)
    if (taken === length) return error ?? "All"
    this.bytesSent -= length - taken
    this.#blocked = true
    outbox.append(bytes.subarray(taken))
    return error ?? "Part"
  }

  /** The transport takes bytes again. */
  unblock(): void {
    this.#blocked = false
  }

  /** Drops everything and returns how many encoded bytes that were. */
  drop(): number {
    this.settle()
    const { size } = this.#outbox
    this.#outbox.clear()
    this.#staged = undefined
    return size
  }

  #encodeStaged(staged: Array<Out>): FrameError | undefined {
    this.#staged = undefined
    this.#sure = 0
    const base = this.#writer.length
    const error = this.#encode(staged)
    const mean = (this.#writer.length - base) / staged.length
    this.#batch = Math.max(1, Math.min(largestBatch, Math.floor(batchBytes / Math.max(mean, 1))))
    return error
  }

  #encode(frames: ReadonlyArray<Out>): FrameError | undefined {
    const base = this.#writer.length
    this.framesSent += frames.length
    try {
      return this.#encoder.encode(frames, this.#writer)
    } catch (defect) {
      this.#writer.truncate(base)
      return invalidFrame(`Encoder threw: ${String(defect)}`)
    }
  }

  /** Moves what was encoded since `base` from the shared scratch buffer into this connection's queue. */
  #spill(base: number): void {
    const writer = this.#writer
    if (writer.length > base) this.#outbox.append(writer.bytes.subarray(base, writer.length))
    writer.truncate(base)
  }
}
