/**
 * What can be observed of a client: each change of its state, and what it gave up. Frames are counted, never events.
 *
 * ```text
 * Connecting ─► Connected ─► LoggedIn ─► Disconnected ─► Waiting ─► Connecting …      LoggedIn: where there is a handshake
 *     └─────────────┴────────────────────────► │ ───────────┴─► Closed                Closed: once, last, from anywhere
 * ```
 */
import type { CloseReason } from "../CloseReason.ts"
import type { ConnectError } from "../Sockets.ts"

/** Why a connection ended, or was never made. */
export type Ending = CloseReason | ConnectError

/** Something that happened to a client. */
export type ClientEvent =
  /** `attempt` counts up from 1, and begins anew after a connection that lasted for `reconnect.stable`. */
  | { readonly _tag: "Connecting"; readonly attempt: number }
  | { readonly _tag: "Connected" }
  /** The handshake is done. */
  | { readonly _tag: "LoggedIn" }
  | { readonly _tag: "Disconnected"; readonly reason: Ending }
  /** So long until the next attempt. */
  | { readonly _tag: "Waiting"; readonly millis: number }
  /**
   * Frames that will never be sent, none of whose bytes had left: there was no room in the outbox, the codec could not
   * write them, or the client ended. Requests among them have failed with `NotSent`.
   */
  | { readonly _tag: "Dropped"; readonly count: number; readonly why: "OutboxFull" | "EncodeFailed" | "Closed" }
  /** It has ended for good. */
  | { readonly _tag: "Closed"; readonly reason: Ending }

/** Is told of every event; called synchronously, must not throw or block. */
export type ClientObserver = (event: ClientEvent) => void
