/**
 * What an open connection has taken too long for. Numbers in, verdict out: all times are the wheel's.
 *
 * The peer is blamed for nothing while it is not read, nor while the service is busy: then its time begins anew.
 */
import * as CloseReason from "./CloseReason.ts"
import type { Bounds, Limits } from "./Settings.ts"

/** How an open connection stands. */
export interface Standing {
  readonly id: number
  readonly beganAt: number
  /** When something was received, and when something was sent. */
  readonly receivedAt: number
  readonly sentAt: number
  /** Since when nothing is to be done but to wait for the peer, which is read; undefined while that is not so. */
  readonly waitsSince: number | undefined
  /** When the frame began of which a part is there; 0 for none. */
  readonly partAt: number
  /** Bytes that came of it. */
  readonly part: number
  readonly framesReceived: number
  /** Bytes are waiting for the peer to take them. */
  readonly sending: boolean
}

/** Why a connection has to end now, or when to look again (Infinity: not for this). */
export const overdue = (
  { id, beganAt, receivedAt, sentAt, waitsSince, partAt, part, framesReceived, sending }: Standing,
  deadlines: Bounds,
  { minRate }: Limits,
  now: number,
): CloseReason.CloseReason | number => {
  const due = (since: number, bound: number, silent = true): number =>
    (silent && waitsSince !== undefined ? Math.max(since, waitsSince) : Math.max(since, now)) + bound
  const age = beganAt + deadlines.maxAge * (1 - spread(id))
  if (now >= age) return CloseReason.maxAge
  const first = framesReceived === 0 ? due(beganAt, deadlines.firstFrame) : Infinity
  if (now >= first) return CloseReason.firstFrameTimeout
  const frame = partAt === 0 ? Infinity : due(partAt, deadlines.frame)
  if (now >= frame) return CloseReason.frameTimeout
  const slow = partAt === 0 ? Infinity : due(partAt, slowAfter(part, deadlines, minRate))
  if (now >= slow) return CloseReason.tooSlow
  const idle = due(Math.max(receivedAt, sentAt), deadlines.idle, !sending)
  if (now >= idle) return CloseReason.idleTimeout("idle")
  const readIdle = due(receivedAt, deadlines.readIdle)
  if (now >= readIdle) return CloseReason.idleTimeout("readIdle")
  const writeIdle = due(sentAt, deadlines.writeIdle, !sending)
  if (now >= writeIdle) return CloseReason.idleTimeout("writeIdle")
  return Math.min(age, first, frame, slow, idle, readIdle, writeIdle)
}

/** How long after its beginning a frame may be overdue at the soonest, in milliseconds. */
export const partBound = (deadlines: Bounds, { minRate }: Limits): number =>
  Math.min(deadlines.frame, slowAfter(0, deadlines, minRate))

/** How long so many bytes of a frame may take. */
const slowAfter = (bytes: number, { grace }: Bounds, minRate: number): number =>
  minRate === 0 ? Infinity : grace + bytes * 1_000 / minRate

/** Up to a tenth, different for neighbouring ids (Knuth's multiplicative hashing), and the same each time. */
const spread = (id: number): number => ((id * 2_654_435_761) >>> 0) / 2 ** 32 / 10
