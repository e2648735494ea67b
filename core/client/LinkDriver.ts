/**
 * The driver of a client's connection, once nothing stands between it and the client: each frame is given away as it
 * comes, and reading stops while there is no room for more.
 */
import { type Driver, type ManagedConnection, Pause } from "../ManagedConnection.ts"
import type { CloseReason } from "../CloseReason.ts"

/** Where the frames go. */
export interface Desk<in In> {
  /** How many more frames may be given. */
  readonly room: number
  take(frame: In): void
  /** The transport has taken something, or not. */
  written(): void
  /** Nothing more will come or go, but what is flushed at a `LocalClosed`. */
  lost(reason: CloseReason): void
}

/** Frames that are taken in one turn before timers and other connections have theirs; likewise bytes. */
const framesPerTurn = 1_024
const bytesPerTurn = 64 * 1024
const framesPerDecode = 128

/** The driver of one connection. */
export class LinkDriver<In, Out> implements Driver {
  readonly idle = true
  readonly held = 0
  readonly #connection: ManagedConnection<In, Out>
  readonly #desk: Desk<In>
  #running = false

  constructor(connection: ManagedConnection<In, Out>, desk: Desk<In>) {
    this.#connection = connection
    this.#desk = desk
  }

  run(): void {
    // Whoever takes a frame may make room for more.
    if (this.#running) return
    this.#running = true
    const connection = this.#connection
    const { input } = connection
    const unread = input.length
    let left = framesPerTurn
    while (connection.running && input.readable) {
      if (left <= 0 || unread - input.length >= bytesPerTurn) {
        connection.yieldTurn()
        break
      }
      const { room } = this.#desk
      if (room <= 0) {
        connection.pause(Pause.input)
        break
      }
      const frames: Array<In> = []
      if (!connection.decode(frames, Math.min(framesPerDecode, room))) break
      left -= frames.length
      for (const frame of frames) {
        if (connection.reason !== undefined) break
        this.#desk.take(frame)
      }
    }
    this.#running = false
    if (input.end !== undefined) connection.close(input.end)
  }

  /** There is room again. */
  goOn(): void {
    this.#connection.unpause(Pause.input)
  }

  written(): void {
    this.#desk.written()
  }

  finish(): void {
    const connection = this.#connection
    const reason = connection.reason!
    // What is left would be flushed, but is to go by the next connection; and nobody is to be waited for before that.
    if (reason._tag !== "LocalClosed" && (reason._tag !== "PeerClosed" || connection.unsent > 0)) {
      connection.abort(reason)
    }
    this.interrupt()
  }

  interrupt(): void {
    this.#desk.lost(this.#connection.reason!)
    this.#connection.release()
  }
}
