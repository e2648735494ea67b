/**
 * What becomes of a message when its peer reads too slowly, by what kind of message it is.
 *
 * While no more than `limits.outboxHigh` bytes are unsent, every message is encoded and queued in the order in which it
 * was sent. Beyond that the class of a message decides; messages without one wait, as replies do. Those that are kept are
 * encoded once `limits.outboxLow` is reached, class by class, in the order in which they were sent.
 */

/** A class of messages. The object is the class: make one and use it for all messages that it is meant for. */
export interface MessageClass {
  /**
   * `wait`: the sender waits. `drop-newest`: this message is dropped. `drop-oldest`: it is kept, and the oldest kept one of
   * its class is dropped for it once there are `most`. `latest`: it is kept instead of the one with the same key, if there
   * is one, and has its place, so that what changes often comes as well; else as `drop-oldest`. `disconnect`: the
   * connection ends as `OutboxFull`.
   */
  readonly full: "wait" | "drop-newest" | "drop-oldest" | "latest" | "disconnect"
  /**
   * How many messages of this class are kept for one connection, at least 1. They are the sender's objects: against
   * `limits.memory` they count once they are encoded. Default 64.
   */
  readonly most?: number
}

/** How a message is sent. */
export interface SendOptions {
  /** Default: its sender waits. */
  readonly class?: MessageClass
  /** What a message of a `latest` class is about, compared as in a Map. */
  readonly key?: unknown
}

const defaultMost = 64

/** The messages that are kept for one connection. */
export class Lanes<Out> {
  /** How many messages were dropped. */
  dropped = 0
  // The keys of other classes than `latest` are objects of their own.
  readonly #lanes = new Map<MessageClass, Map<unknown, Out>>()

  /** Keeps a message of a class that keeps some. */
  keep(frame: Out, kind: MessageClass, key: unknown): void {
    let lane = this.#lanes.get(kind)
    if (lane === undefined) this.#lanes.set(kind, lane = new Map())
    const name = kind.full === "latest" ? key : {}
    const { most = defaultMost } = kind
    if (lane.has(name)) this.dropped++
    // What is no such number is no reason to keep all.
    else if (lane.size > 0 && !(lane.size < most)) {
      this.dropped++
      lane.delete(lane.keys().next().value)
    }
    lane.set(name, frame)
  }

  /** The next kept message, which is kept no longer; undefined when there is none. */
  take(): { readonly frame: Out } | undefined {
    for (const [kind, lane] of this.#lanes) {
      for (const [name, frame] of lane) {
        lane.delete(name)
        if (lane.size === 0) this.#lanes.delete(kind)
        return { frame }
      }
    }
    return undefined
  }

  /** Drops everything. */
  clear(): void {
    for (const lane of this.#lanes.values()) this.dropped += lane.size
    this.#lanes.clear()
  }
}
