/**
 * How what a client was asked for fails. A request that fails says whether it may have been done: `NotSent` was not, and
 * may be tried again; `Unknown` may have been, and only who knows the protocol can say whether trying again does harm
 * (FAULTS 34).
 */
import * as Data from "effect/Data"
import * as CloseReason from "../CloseReason.ts"
import type { Ending } from "./Event.ts"

/** There is no connection, or the peer does not read, and as many frames are kept as `outbox.most` says. */
export class OutboxFull extends Data.TaggedError("OutboxFull")<{ readonly most: number }> {
  override get message(): string {
    return `Cannot send: ${this.most} frames are waiting already`
  }
}

/** The client has ended for good, for this reason. */
export class ClientClosed extends Data.TaggedError("ClientClosed")<{ readonly reason: Ending }> {
  override get message(): string {
    return `The client has ended: ${said(this.reason)}`
  }
}

/** The request never left this client: nobody has done it. */
export class NotSent extends Data.TaggedError("NotSent")<{
  /**
   * `OutboxFull`, `Dropped`: there was no room in the outbox, or it had to make room. `TooManyRequests`: see `maxRequests`.
   * `KeyInUse`, `KeyMissing`: the key is that of another request, or was to be given. `EncodeFailed`: the codec cannot
   * write it. `Timeout`: there was no connection in time. `Closed`: the client has ended.
   */
  readonly why:
    | "OutboxFull"
    | "Dropped"
    | "TooManyRequests"
    | "KeyInUse"
    | "KeyMissing"
    | "EncodeFailed"
    | "Timeout"
    | "Closed"
  readonly reason?: Ending
}> {
  override get message(): string {
    return `The request was not sent: ${whys[this.why]}${this.reason === undefined ? "" : `: ${said(this.reason)}`}`
  }
}

/** The request was sent, at least in part, and no answer came. It may have been done. It is not sent again. */
export class Unknown extends Data.TaggedError("Unknown")<{
  readonly why: "Timeout" | "Disconnected"
  readonly reason?: Ending
}> {
  override get message(): string {
    return this.why === "Timeout"
      ? "No answer came in time"
      : `The connection ended before the answer: ${said(this.reason!)}`
  }
}

const whys: Record<NotSent["why"], string> = {
  OutboxFull: "the outbox is full",
  Dropped: "the outbox made room for something newer",
  TooManyRequests: "maxRequests are waiting already",
  KeyInUse: "its key is that of another request",
  KeyMissing: "replies are found by key, and it has none",
  EncodeFailed: "the codec cannot write it",
  Timeout: "there was no connection in time",
  Closed: "the client has ended",
}

const said = (ending: Ending): string => {
  if (ending._tag === "ConnectError") return ending.message
  const detail = CloseReason.describe(ending)
  return detail === undefined ? CloseReason.label(ending) : `${CloseReason.label(ending)} (${detail})`
}
