/**
 * What a client is to send: the frames that are kept, and those that a connection has and the transport has not.
 *
 * A frame of which a byte has left is never sent again. One that has not begun to leave when its connection ends is kept
 * again, in front of all that came after it: so nothing is sent twice, and everything in order.
 */
import type { Request } from "./Requests.ts"

/** A frame on its way, with the request that it is. */
export interface Parcel<in In, out Out> {
  readonly frame: Out
  readonly request: Request<In> | undefined
}

interface Handed<in In, out Out> extends Parcel<In, Out> {
  /** How many bytes go before it on its connection. */
  readonly start: number
}

/** What one client sends. */
export class Outgoing<In, Out> {
  readonly #most: number
  readonly #full: "fail" | "drop-oldest"
  #kept: Array<Parcel<In, Out>> = []
  #handed: Array<Handed<In, Out>> = []

  constructor({ most, full }: { readonly most: number; readonly full: "fail" | "drop-oldest" }) {
    this.#most = most
    this.#full = full
  }

  /** How many are kept. */
  get size(): number {
    return this.#kept.length
  }

  /** Whether one more would be refused. */
  get refuses(): boolean {
    return this.#full === "fail" && this.#kept.length >= this.#most
  }

  /** Keeps a frame, and returns those that are dropped for it. */
  keep(parcel: Parcel<In, Out>): ReadonlyArray<Parcel<In, Out>> {
    this.#kept.push(parcel)
    return this.#excess()
  }

  /** The next to be sent, which is not kept any more. */
  next(): Parcel<In, Out> | undefined {
    return this.#kept.shift()
  }

  /** A connection has a frame, behind so many bytes. */
  hand({ frame, request }: Parcel<In, Out>, start: number): void {
    this.#handed.push({ frame, request, start })
  }

  /** So many bytes of the connection have left, or all. */
  left(bytes: number, all: boolean): void {
    if (all) this.#handed.length = 0
    else this.#handed.splice(0, this.#handed.findLastIndex(({ start }) => start < bytes) + 1)
  }

  /**
   * The connection is gone after so many bytes: what it has left, beside requests that were given up, is kept again.
   * Returns what there is no room for.
   */
  takeBack(bytes: number): { readonly back: ReadonlyArray<Parcel<In, Out>>; excess: ReadonlyArray<Parcel<In, Out>> } {
    const back = this.#handed.filter(({ request, start }) => start >= bytes && request?.state !== "Settled")
    this.#handed = []
    this.#kept = [...back, ...this.#kept]
    return { back, excess: this.#excess() }
  }

  /** A request that is kept was given up. */
  forget(request: Request<In>): void {
    const index = this.#kept.findIndex((parcel) => parcel.request === request)
    if (index >= 0) this.#kept.splice(index, 1)
  }

  /** Keeps nothing any more, and returns what was kept. */
  clear(): ReadonlyArray<Parcel<In, Out>> {
    return this.#kept.splice(0)
  }

  #excess(): ReadonlyArray<Parcel<In, Out>> {
    const excess = Math.max(0, this.#kept.length - this.#most)
    return this.#full === "fail" ? this.#kept.splice(this.#kept.length - excess) : this.#kept.splice(0, excess)
  }
}
