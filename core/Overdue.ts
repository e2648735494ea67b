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
  /** When the frame began of which a part is there; 0 for none. */
  readonly partAt: number
  /** Bytes of that part. */
  readonly part: number
  readonly framesReceived: number
  /** Nothing is to be done but to wait for the peer, and it is read. */
  readonly waitsForPeer: boolean
  /** Bytes are waiting for the peer to take them. */
  readonly sending: boolean
}

/** Why a connection has to end now, or when to look again (Infinity: not for this). */
export const overdue = (
  standing: Standing,
  deadlines: Bounds,
  { minRate }: Limits,
  now: number,
): CloseReason.CloseReason | number => {
  const { id, beganAt, receivedAt, sentAt, partAt, part, framesReceived, waitsForPeer, sending } = standing
  const due = (since: number, bound: number, blames: boolean): number => (blames ? since : Math.max(since, now)) + bound
  const age = beganAt + deadlines.maxAge * (1 - spread(id))
  if (now >= age) return CloseReason.maxAge
  const first = framesReceived === 0 ? due(beganAt, deadlines.firstFrame, waitsForPeer) : Infinity
  if (now >= first) return CloseReason.firstFrameTimeout
  // Also without a part: one may begin, and is not to be armed for at each.
  const inPart = waitsForPeer && partAt !== 0
  const frame = due(partAt, deadlines.frame, inPart)
  if (now >= frame) return CloseReason.frameTimeout
  const slow = minRate === 0 ? Infinity : due(partAt, deadlines.grace + (inPart ? part * 1_000 / minRate : 0), inPart)
  if (now >= slow) return CloseReason.tooSlow
  const silent = waitsForPeer && !sending
  const idle = due(Math.max(receivedAt, sentAt), deadlines.idle, silent)
  if (now >= idle) return CloseReason.idleTimeout("idle")
  const readIdle = due(receivedAt, deadlines.readIdle, waitsForPeer)
  if (now >= readIdle) return CloseReason.idleTimeout("readIdle")
  const writeIdle = due(sentAt, deadlines.writeIdle, silent)
  if (now >= writeIdle) return CloseReason.idleTimeout("writeIdle")
  return Math.min(age, first, frame, slow, idle, readIdle, writeIdle)
}

/** Up to a tenth, different for neighbouring ids (Knuth's multiplicative hashing), and the same each time. */
const spread = (id: number): number => ((id * 2_654_435_761) >>> 0) / 2 ** 32 / 10
