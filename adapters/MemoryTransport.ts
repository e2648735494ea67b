/**
 * A connection in memory: two transports, and between them a bounded pipe a direction, as a kernel's buffers would be.
 *
 * Each delivery is a task of its own, and each connection end has at most one of them scheduled, so bytes stay in
 * order. Faults strike at deliveries and writes. Nothing here knows of addresses or listeners.
 */
import type { Address } from "../core/Address.ts"
import type { Receiver, Transport, TransportEnd } from "../core/Sockets.ts"
import type { FaultSource } from "./Faults.ts"

/** What the connections of one network share. */
export interface Medium {
  /** Bytes that each direction of a connection holds unread. */
  readonly bufferSize: number
  readonly faults: FaultSource
  /** Runs a task in a later turn. */
  schedule(task: () => void): void
  /** Runs a delivery in a later turn, after the delay that the faults want. */
  scheduleDelivery(task: () => void): void
}

const aborted: TransportEnd = { _tag: "Aborted" }
const finished: TransportEnd = { _tag: "Finished" }
const reset: TransportEnd = { _tag: "Reset" }

/** What one side has written and the other has not read. */
class Pipe {
  size = 0
  fin = false
  readonly #pieces: Array<Uint8Array> = []

  push(bytes: Uint8Array): void {
    this.#pieces.push(new Uint8Array(bytes))
    this.size += bytes.length
  }

  /** The next `length` bytes, which are at least 1 and there. */
  take(length: number): Uint8Array {
    const taken = new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      const piece = this.#pieces[0]!
      const part = piece.subarray(0, length - filled)
      taken.set(part, filled)
      filled += part.length
      if (part.length === piece.length) this.#pieces.shift()
      else this.#pieces[0] = piece.subarray(part.length)
    }
    this.size -= length
    return taken
  }

  clear(): void {
    this.#pieces.length = 0
    this.size = 0
  }
}

/** One end of a connection in memory. {@link MemoryTransport.join} makes two of them one connection. */
export class MemoryTransport implements Transport {
  readonly localAddress: Address | undefined
  readonly remoteAddress: Address | undefined
  readonly sending = 0
  readonly #network: Medium
  readonly #incoming = new Pipe()
  #peer!: MemoryTransport
  #receiver: Receiver | undefined
  #end: TransportEnd | undefined
  #broken = false // reset by the peer, which is seen when it is looked
  #vanished = false
  #paused = false
  #shut = false
  #wanted = false // a write took less than it was given
  #finSeen = false
  #delivering = false // a delivery is scheduled

  constructor(network: Medium, local: Address | undefined, remote: Address | undefined) {
    this.#network = network
    this.localAddress = local
    this.remoteAddress = remote
  }

  /** Makes two transports the ends of one connection. */
  join(peer: MemoryTransport): void {
    this.#peer = peer
    peer.#peer = this
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#end === undefined) this.#deliverLater()
    else this.#reportLater()
  }

  write(bytes: Uint8Array): number {
    if (this.#shut || this.#end !== undefined) return 0
    if (this.#broken) return this.#finish(reset), 0
    const pipe = this.#peer.#incoming
    const room = Math.min(bytes.length, this.#network.bufferSize - pipe.size)
    const taken = room > 0 && this.#network.faults.strikes("partialWrite") ? this.#network.faults.upTo(room) : room
    if (taken > 0) pipe.push(bytes.subarray(0, taken))
    if (taken < bytes.length) {
      this.#wanted = true
      if (taken < room) this.#network.schedule(() => this.#drained())
    }
    this.#peer.#deliverLater()
    return taken
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliverLater()
  }

  shutdown(): void {
    if (this.#shut || this.#end !== undefined) return
    this.#shut = true
    this.#peer.#incoming.fin = true
    this.#peer.#deliverLater()
    if (this.#finSeen) this.#finish(finished)
  }

  abort(): void {
    if (this.#end !== undefined) return
    this.#finish(aborted)
    this.#peer.#break()
  }

  #break(): void {
    if (this.#vanished) return
    this.#broken = true
    this.#incoming.clear()
    this.#deliverLater()
  }

  #deliverLater(): void {
    if (this.#delivering || this.#receiver === undefined || this.#vanished) return
    this.#delivering = true
    this.#network.scheduleDelivery(this.#deliver)
  }

  // One delivery: a chunk, then the peer's FIN or RST if it is behind.
  readonly #deliver = (): void => {
    this.#delivering = false
    const receiver = this.#receiver
    if (receiver === undefined || this.#paused || this.#end !== undefined || this.#vanished) return
    if (this.#broken) return this.#finish(reset)
    const { size } = this.#incoming
    if (size > 0 || this.#incoming.fin) {
      if (this.#network.faults.strikes("vanish")) return this.#vanish()
      if (this.#network.faults.strikes("reset")) return this.#peer.#break(), this.#finish(reset)
    }
    if (size > 0) {
      if (this.#network.faults.strikes("merge")) return this.#deliverLater()
      const chunk = this.#incoming.take(this.#network.faults.strikes("split") ? this.#network.faults.upTo(size) : size)
      receiver.bytes(chunk)
      chunk.fill(overwritten)
      const peer = this.#peer
      if (peer.#wanted) this.#network.schedule(() => peer.#drained())
      if (this.#incoming.size > 0 || this.#incoming.fin) this.#deliverLater()
    } else if (this.#incoming.fin && !this.#finSeen) {
      this.#finSeen = true
      receiver.fin()
      if (this.#shut) this.#finish(finished)
    }
  }

  #drained(): void {
    if (!this.#wanted || this.#shut || this.#vanished || this.#end !== undefined) return
    this.#wanted = false
    this.#receiver?.writable()
  }

  #vanish(): void {
    this.#vanished = true
    this.#peer.#vanished = true
  }

  #finish(end: TransportEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    // What a vanished peer does cannot be noticed, not even that its buffer is free again.
    if (!this.#vanished) this.#incoming.clear()
    this.#reportLater()
  }

  #reportLater(): void {
    this.#network.schedule(() => {
      const receiver = this.#receiver
      this.#receiver = undefined
      receiver?.closed(this.#end!)
    })
  }
}

const overwritten = 0xaa
