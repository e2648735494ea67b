/**
 * Why a connection ended: one union for the handler's error, the log's field, the metric's label and the report.
 *
 * Named by who is to blame and what to do next. Values are plain data with a string type id, so that two copies of this
 * module understand each other.
 */
import type { Cause } from "effect/Cause"
import { hasProperty } from "effect/Predicate"
import type { FrameError } from "./Codec.ts"
import type { RefusalLimit } from "./Event.ts"

const TypeId = "~anyport/CloseReason"

interface Reason<Tag extends string> {
  readonly [TypeId]: true
  readonly _tag: Tag
}

/** The peer finished writing and has every answer. */
export interface PeerClosed extends Reason<"PeerClosed"> {}
/** The peer reset the connection. */
export interface PeerReset extends Reason<"PeerReset"> {}
/** The service ended it: a session returned, a reply was the last one. */
export interface LocalClosed extends Reason<"LocalClosed"> {}
/** The handler failed with an error that it does not handle, or had a defect. `id` stands in the log and in the event. */
export interface HandlerFailed extends Reason<"HandlerFailed"> {
  readonly id: string
  readonly cause: Cause<unknown>
}
/** The handler took longer than the service's `timeout`. */
export interface HandlerTimeout extends Reason<"HandlerTimeout"> {}
/** The peer's bytes are not a frame. */
export interface DecodeFailed extends Reason<"DecodeFailed"> {
  readonly error: FrameError
}
/** The service's frame cannot be written by its own codec. */
export interface EncodeFailed extends Reason<"EncodeFailed"> {
  readonly error: FrameError
}
/** The peer finished writing in the middle of a frame; `length` bytes of it had come. */
export interface TruncatedFrame extends Reason<"TruncatedFrame"> {
  readonly length: number
}
/** The peer took nothing of what was waiting for it during `deadlines.writeStall`. */
export interface WriteStalled extends Reason<"WriteStalled"> {}
/** The peer did not send a whole frame during `deadlines.firstFrame`. */
export interface FirstFrameTimeout extends Reason<"FirstFrameTimeout"> {}
/** The peer began a frame and did not finish it during `deadlines.frame`. */
export interface FrameTimeout extends Reason<"FrameTimeout"> {}
/** Nothing went either way, or one way, during this deadline, while the service waited for the peer. */
export interface IdleTimeout extends Reason<"IdleTimeout"> {
  readonly deadline: "idle" | "readIdle" | "writeIdle"
}
/** The peer sent a frame, or took what was waiting for it, more slowly than `limits.minRate`. */
export interface TooSlow extends Reason<"TooSlow"> {}
/** Nothing came from the peer in `heartbeat.missed` intervals, or for so long that `heartbeat.loseAt` was reached. */
export interface HeartbeatLost extends Reason<"HeartbeatLost"> {}
/** A message of a class that disconnects found more than `limits.outboxHigh` bytes unsent. */
export interface OutboxFull extends Reason<"OutboxFull"> {}
/** The peer, or its address, sent more than a rate allows, and `limits.overRate` is `close`. */
export interface RateExceeded extends Reason<"RateExceeded"> {}
/** The process could not keep up, by this setting, and this was the least important connection. */
export interface Overloaded extends Reason<"Overloaded"> {
  readonly limit: "memory" | "lag"
}
/** It was open for `deadlines.maxAge`. */
export interface MaxAge extends Reason<"MaxAge"> {}
/** Somebody asked the server to end it. */
export interface Kicked extends Reason<"Kicked"> {}
/** The server drained and everything begun was answered. */
export interface Drained extends Reason<"Drained"> {}
/** The server drained and could not wait any longer. */
export interface DrainTimeout extends Reason<"DrainTimeout"> {}
/** The handshake said that the peer is nobody. `detail` is for the log. */
export interface LoginRefused extends Reason<"LoginRefused"> {
  readonly detail: string | undefined
}
/** The peer did not log in within the `timeout` of `Service.authenticate`. */
export interface LoginTimeout extends Reason<"LoginTimeout"> {}
/** The same peer has logged in again, by another connection. */
export interface Superseded extends Reason<"Superseded"> {}
/** It was not admitted, or had to make room before it had logged in. */
export interface Refused extends Reason<"Refused"> {
  readonly limit: RefusalLimit | "authenticate.maxUnauthenticated"
}
/** The system ended it: a dead route, keep-alive without an answer. */
export interface TransportFailed extends Reason<"TransportFailed"> {
  readonly cause: unknown
}

/** Why a connection ended. */
export type CloseReason =
  | PeerClosed
  | PeerReset
  | LocalClosed
  | HandlerFailed
  | HandlerTimeout
  | DecodeFailed
  | EncodeFailed
  | TruncatedFrame
  | WriteStalled
  | FirstFrameTimeout
  | FrameTimeout
  | IdleTimeout
  | TooSlow
  | HeartbeatLost
  | OutboxFull
  | RateExceeded
  | Overloaded
  | MaxAge
  | Kicked
  | Drained
  | DrainTimeout
  | LoginRefused
  | LoginTimeout
  | Superseded
  | Refused
  | TransportFailed

export const peerClosed: PeerClosed = { [TypeId]: true, _tag: "PeerClosed" }
export const peerReset: PeerReset = { [TypeId]: true, _tag: "PeerReset" }
export const localClosed: LocalClosed = { [TypeId]: true, _tag: "LocalClosed" }
export const handlerTimeout: HandlerTimeout = { [TypeId]: true, _tag: "HandlerTimeout" }
export const writeStalled: WriteStalled = { [TypeId]: true, _tag: "WriteStalled" }
export const firstFrameTimeout: FirstFrameTimeout = { [TypeId]: true, _tag: "FirstFrameTimeout" }
export const frameTimeout: FrameTimeout = { [TypeId]: true, _tag: "FrameTimeout" }
export const tooSlow: TooSlow = { [TypeId]: true, _tag: "TooSlow" }
export const heartbeatLost: HeartbeatLost = { [TypeId]: true, _tag: "HeartbeatLost" }
export const outboxFull: OutboxFull = { [TypeId]: true, _tag: "OutboxFull" }
export const rateExceeded: RateExceeded = { [TypeId]: true, _tag: "RateExceeded" }
export const maxAge: MaxAge = { [TypeId]: true, _tag: "MaxAge" }
export const kicked: Kicked = { [TypeId]: true, _tag: "Kicked" }
export const drained: Drained = { [TypeId]: true, _tag: "Drained" }
export const drainTimeout: DrainTimeout = { [TypeId]: true, _tag: "DrainTimeout" }
export const loginTimeout: LoginTimeout = { [TypeId]: true, _tag: "LoginTimeout" }
export const superseded: Superseded = { [TypeId]: true, _tag: "Superseded" }
export const loginRefused = (detail: string | undefined): LoginRefused => ({
  [TypeId]: true,
  _tag: "LoginRefused",
  detail,
})
export const idleTimeout = (deadline: IdleTimeout["deadline"]): IdleTimeout => ({
  [TypeId]: true,
  _tag: "IdleTimeout",
  deadline,
})
export const overloaded = (limit: Overloaded["limit"]): Overloaded => ({ [TypeId]: true, _tag: "Overloaded", limit })
export const handlerFailed = (id: string, cause: Cause<unknown>): HandlerFailed => ({
  [TypeId]: true,
  _tag: "HandlerFailed",
  id,
  cause,
})
export const decodeFailed = (error: FrameError): DecodeFailed => ({ [TypeId]: true, _tag: "DecodeFailed", error })
export const encodeFailed = (error: FrameError): EncodeFailed => ({ [TypeId]: true, _tag: "EncodeFailed", error })
export const truncatedFrame = (length: number): TruncatedFrame => ({ [TypeId]: true, _tag: "TruncatedFrame", length })
export const refused = (limit: Refused["limit"]): Refused => ({ [TypeId]: true, _tag: "Refused", limit })
export const transportFailed = (cause: unknown): TransportFailed => ({ [TypeId]: true, _tag: "TransportFailed", cause })

/** Whether a value is a close reason, of this copy of the module or another. */
export const isCloseReason = (value: unknown): value is CloseReason => hasProperty(value, TypeId)

/** The tag in snake_case: what logs and metrics call it. */
export const label = ({ _tag }: { readonly _tag: CloseReason["_tag"] }): string =>
  _tag.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()

/** What more there is to say than the tag, as one line; undefined when the tag says it all. */
export const describe = (reason: CloseReason): string | undefined => {
  switch (reason._tag) {
    case "DecodeFailed":
    case "EncodeFailed":
      return reason.error.message
    case "TruncatedFrame":
      return `${reason.length} bytes of an unfinished frame`
    case "HandlerFailed":
      return `failure ${reason.id}`
    case "Refused":
      return reason.limit
    case "LoginRefused":
      return reason.detail
    case "TransportFailed":
      return String(reason.cause)
    default:
      return undefined
  }
}

/** The setting by which a policy ended it, as it is written in the options; undefined when no setting did. */
export const setting = (reason: CloseReason): string | undefined => {
  switch (reason._tag) {
    case "IdleTimeout":
      return `deadlines.${reason.deadline}`
    case "Refused":
      return reason.limit === "draining" ? undefined : settingOf(reason.limit)
    case "Overloaded":
      return reason.limit === "memory" ? "limits.memory" : "overload.lag"
    default:
      return settings[reason._tag]
  }
}

/** The setting of a limit at which somebody was refused. */
export const settingOf = (limit: Refused["limit"]): string =>
  limit.includes(".") || limit === "admit" || limit === "draining" ? limit : `limits.${limit}`

const settings: Partial<Record<CloseReason["_tag"], string>> = {
  WriteStalled: "deadlines.writeStall",
  FirstFrameTimeout: "deadlines.firstFrame",
  FrameTimeout: "deadlines.frame",
  MaxAge: "deadlines.maxAge",
  TooSlow: "limits.minRate",
  HeartbeatLost: "heartbeat.missed",
  OutboxFull: "limits.outboxHigh",
  RateExceeded: "limits.overRate",
  DrainTimeout: "drain.timeout",
  HandlerTimeout: "timeout",
  LoginTimeout: "authenticate.timeout",
}
