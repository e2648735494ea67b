/**
 * What can be observed of a server. Logs, metrics, traces, the admin page and the tests stand on this one union.
 *
 * Observers are called synchronously and must not throw or block. Without one, no event is made. Frames are counted,
 * never events.
 */
import type { Cause } from "effect/Cause"
import type { Address } from "./Address.ts"
import type { AdmissionLimit } from "./Admission.ts"
import type { CloseReason } from "./CloseReason.ts"
import type { FrameError } from "./Codec.ts"
import type { DrainPhase, DrainReport } from "./DrainReport.ts"
import type { Load } from "./Overload.ts"
import type { AcceptFailure } from "./Sockets.ts"

/** What a connection has moved so far. Bytes are those of the stream; frames are those that came whole or were encoded. */
export interface Counters {
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly framesReceived: number
  readonly framesSent: number
  /** Messages that their class gave up because the peer read too slowly. */
  readonly framesDropped: number
}

/** Why somebody was not let in: the name of the setting, or that the server drains. */
export type RefusalLimit =
  | AdmissionLimit
  | "maxConnections"
  | "listener.maxConnections"
  | "proxy.trusted"
  | "proxy.timeout"
  | "proxy.header"
  | "overload.lag"
  | "memory"
  | "admit"
  | "deadlines.admit"
  | "draining"

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
    /** What is wrong with the header, where `limit` is `proxy.header`. */
    readonly error?: FrameError
  }
  /**
   * Somebody connected where a PROXY header is required and left without a byte, as health checks do; or was gone before
   * the runtime could ask who it was.
   */
  | { readonly _tag: "Probed"; readonly remoteAddress: Address | undefined }
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
    /** What the peer was called that had logged in. */
    readonly identity?: string
  }
  /** The handshake of `Service.authenticate` has said who the peer is. */
  | {
    readonly _tag: "LoggedIn"
    readonly connection: number
    readonly remoteAddress: Address | undefined
    readonly identity: string | undefined
  }
  /** A client could not be accepted: by the system, or because a codec or the rule `admit` threw. */
  | { readonly _tag: "AcceptFailed"; readonly address: Address; readonly failure: AcceptFailure }
  | {
    readonly _tag: "HandlerFailed"
    readonly connection: number
    /** Unavailable: a dependency was; the peer was told and the connection goes on. Failed, defect: the connection ends. */
    readonly kind: "unavailable" | "failed" | "defect"
    readonly id: string
    readonly cause: Cause<unknown>
  }
  | {
    readonly _tag: "Suspected"
    readonly connection: number
    readonly remoteAddress: Address | undefined
    /** How unlikely it is that the peer is alive: see `heartbeat.suspectAt`. */
    readonly level: number
    /** Milliseconds since something came from it. */
    readonly silence: number
  }
  /** An alarm: so much of a limit is in use. */
  | {
    readonly _tag: "LimitCrossed"
    readonly limit: "maxConnections" | "memory" | "maxInFlight"
    readonly value: number
    readonly threshold: number
  }
  /** The process keeps up again, lets nobody in, or ends connections. `lag`: how late the loop was, in milliseconds. */
  | { readonly _tag: "LoadChanged"; readonly load: Load; readonly lag: number }
  /** A setting that is likely not what is wanted. Emitted once for each. */
  | { readonly _tag: "Advised"; readonly setting: string; readonly message: string }
  /** The settings were changed. */
  | { readonly _tag: "Updated" }
  /** Nobody is accepted until it is resumed, or accepting goes on. */
  | { readonly _tag: "Suspended" }
  | { readonly _tag: "Resumed" }
  /** A drain has come to a phase, with so many connections. */
  | { readonly _tag: "Draining"; readonly phase: DrainPhase; readonly connections: number }
  | { readonly _tag: "Drained"; readonly report: DrainReport }

/** Whether a connection was a probe: it ended without having sent a byte, and the peer ended it. */
export const isProbe = ({ reason, counters }: Extract<Event, { _tag: "Closed" }>): boolean =>
  counters.bytesReceived === 0 && (reason._tag === "PeerClosed" || reason._tag === "PeerReset")

/** Is told of every event. */
export type Observer = (event: Event) => void
