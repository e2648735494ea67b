/**
 * What an open connection has taken too long for. Numbers in, verdict out: all times are the wheel's.
 *
 * The peer is blamed for nothing while it is not read, nor while the service is busy: then its time begins anew.
 */
import * as CloseReason from "./CloseReason.ts"
import type { Bounds } from "./Supervisor.ts"

/** How an open connection stands. */
export interface Standing {
  readonly id: number
  readonly beganAt: number
  /** When bytes went either way. */
  readonly movedAt: number
  /** When the frame began of which a part is there; 0 for none. */
  readonly partAt: number
  readonly framesReceived: number
  /** Nothing is to be done but to wait for the peer, and it is read. */
  readonly waitsForPeer: boolean
  /** Bytes are waiting for the peer to take them. */
  readonly sending: boolean
}

/** Why a connection has to end now, or when to look again (Infinity: not for this). */
export const overdue = (standing: Standing, bounds: Bounds, now: number): CloseReason.CloseReason | number => {
  const { id, beganAt, movedAt, partAt, framesReceived, waitsForPeer, sending } = standing
  const due = (since: number, bound: number, blames: boolean): number => (blames ? since : Math.max(since, now)) + bound
  const age = beganAt + bounds.maxAge * (1 - spread(id))
  if (now >= age) return CloseReason.maxAge
  const first = framesReceived === 0 ? due(beganAt, bounds.firstFrame, waitsForPeer) : Infinity
  if (now >= first) return CloseReason.firstFrameTimeout
  // Also without a part: one may begin, and is not to be armed for at each.
  const frame = due(partAt, bounds.frame, waitsForPeer && partAt !== 0)
  if (now >= frame) return CloseReason.frameTimeout
  const idle = due(movedAt, bounds.idle, waitsForPeer && !sending)
  if (now >= idle) return CloseReason.idleTimeout
  return Math.min(age, first, frame, idle)
}

/** Up to a tenth, different for neighbouring ids (Knuth's multiplicative hashing), and the same each time. */
const spread = (id: number): number => ((id * 2_654_435_761) >>> 0) / 2 ** 32 / 10
