/**
 * What can be observed of a server. Logs, metrics, traces, the admin page and the tests stand on this one union.
 *
 * Observers are called synchronously and must not throw or block. Without one, no event is made. Frames are counted,
 * never events.
 */
import type { Cause } from "effect/Cause"
import type { Address } from "./Address.ts"
import type { RefusalLimit } from "./Admission.ts"
import type { CloseReason } from "./CloseReason.ts"
import type { AcceptFailure } from "./Sockets.ts"

/** What a connection has moved so far. Bytes are those of the stream; frames are those that a handler saw or sent. */
export interface Counters {
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly framesReceived: number
  readonly framesSent: number
}

/** Something that happened. `connection` is the id of the connection it happened to. */
export type Event =
  | { readonly _tag: "Listening"; readonly address: Address }
  | {
    readonly _tag: "Opened"
    readonly connection: number
    readonly remoteAddress: Address | undefined
    readonly localAddress: Address | undefined
  }
  | {
    readonly _tag: "Refused"
    readonly remoteAddress: Address | undefined
    readonly limit: RefusalLimit
  }
  | {
    readonly _tag: "Closed"
    readonly connection: number
    readonly remoteAddress: Address | undefined
    readonly reason: CloseReason
    readonly counters: Counters
    /** Milliseconds since it was opened. */
    readonly duration: number
    /** Bytes that were meant for the peer and never handed to the system. */
    readonly unsent: number
  }
  | { readonly _tag: "AcceptFailed"; readonly address: Address; readonly failure: AcceptFailure }
  | {
    readonly _tag: "HandlerFailed"
    readonly connection: number
    /** Unavailable: a dependency was; the peer was told and the connection goes on. Failed, defect: the connection ends. */
    readonly kind: "unavailable" | "failed" | "defect"
    readonly id: string
    readonly cause: Cause<unknown>
  }
  | { readonly _tag: "Draining"; readonly connections: number }
  | { readonly _tag: "Drained"; readonly report: DrainReport }

/** How a drain went. `served + drained + forced` are the connections that were open when it began. */
export interface DrainReport {
  /** Ended by themselves while the server waited. */
  readonly served: number
  /** Ended by the server, with everything begun answered. */
  readonly drained: number
  /** Reset when the time was up. */
  readonly forced: number
  /** Bytes that were meant for peers and never handed to the system. */
  readonly unsent: number
}

/** Is told of every event. */
export type Observer = (event: Event) => void
