/**
 * Ending the connections of a server without losing what was begun: idle ones end, busy ones finish first, and at the
 * timeout the rest is reset.
 *
 * Idle means that nothing was received during one look at a turning loop, since bytes may still lie in the kernel when
 * the drain begins. Nothing here stops accepting; that was done before.
 */
import * as Effect from "effect/Effect"
import * as CloseReason from "./CloseReason.ts"
import type { Connection } from "./Connection.ts"

const lookMillis = 50

/** What a drain needs of a server's registry. */
export interface Draining {
  readonly connections: ReadonlyMap<number, Connection>
  /** Waits until there are no connections. */
  readonly empty: Effect.Effect<void>
}

/** Ends all connections within `timeout` milliseconds, those that are left by a reset; waits `patience` for these. */
export const drain = Effect.fnUntraced(function* (
  { connections, empty }: Draining,
  timeout: number,
  patience: number,
): Effect.fn.Return<void> {
  const received = new Map<number, number>()
  const look = (): void => {
    for (const [id, connection] of connections) {
      const { bytesReceived } = connection.counters
      if (connection.idle && received.get(id) === bytesReceived) connection.closeUnsafe(CloseReason.drained)
      received.set(id, bytesReceived)
    }
  }
  for (let waited = 0; connections.size > 0 && waited < timeout; waited += lookMillis) {
    look()
    yield* Effect.timeoutOption(empty, Math.min(lookMillis, timeout - waited))
  }
  for (const connection of connections.values()) connection.abortUnsafe(CloseReason.drainTimeout)
  yield* Effect.timeoutOption(empty, patience)
})
