/**
 * The values that labels can have, known beforehand. Records, so that one that is missing here is an error of types.
 */
import * as CloseReason from "../../core/CloseReason.ts"
import type { RefusalLimit } from "../../core/Event.ts"

const tags: Record<CloseReason.CloseReason["_tag"], true> = {
  PeerClosed: true,
  PeerReset: true,
  LocalClosed: true,
  HandlerFailed: true,
  HandlerTimeout: true,
  DecodeFailed: true,
  EncodeFailed: true,
  TruncatedFrame: true,
  WriteStalled: true,
  FirstFrameTimeout: true,
  FrameTimeout: true,
  IdleTimeout: true,
  TooSlow: true,
  HeartbeatLost: true,
  OutboxFull: true,
  RateExceeded: true,
  Overloaded: true,
  MaxAge: true,
  Kicked: true,
  Drained: true,
  DrainTimeout: true,
  LoginRefused: true,
  LoginTimeout: true,
  Superseded: true,
  Refused: true,
  TransportFailed: true,
}

const limits: Record<RefusalLimit, true> = {
  allow: true,
  deny: true,
  maxConnectionsPerAddress: true,
  acceptRate: true,
  acceptRatePerAddress: true,
  maxConnections: true,
  "listener.maxConnections": true,
  "proxy.trusted": true,
  "proxy.timeout": true,
  "proxy.header": true,
  "overload.lag": true,
  memory: true,
  admit: true,
  "deadlines.admit": true,
  draining: true,
}

const keys = <Key extends string>(of: Record<Key, true>): ReadonlyArray<Key> => Object.keys(of) as Array<Key> // its own

/** Why connections end, as `CloseReason.label` writes it. */
export const closeReasons: ReadonlyArray<string> = keys(tags).map((_tag) => CloseReason.label({ _tag }))

/** What keeps clients out, as `CloseReason.settingOf` writes it. */
export const refusalLimits: ReadonlyArray<string> = keys(limits).map(CloseReason.settingOf)
