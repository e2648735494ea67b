/**
 * Ending the connections of a server without losing what was begun: idle ones end, busy ones finish first, and at the
 * timeout the rest is reset.
 *
 * Idle means that nothing was received while the loop turned several times, since bytes may still lie in the kernel when
 * the drain begins. Time alone says nothing: in a process that was starved, the timer fires before the sockets are asked.
 * Nothing here stops accepting; that was done before.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CloseReason from "./CloseReason.ts"
import type { Connection } from "./Connection.ts"

const napMillis = 10
const napsPerLook = 5

/** What a drain needs of a server's registry. */
export interface Draining {
  readonly connections: ReadonlyMap<number, Connection>
  /** Places taken: by connections, and by those who are about to become one. */
  places(): number
  /** Waits until all places are free. */
  readonly empty: Effect.Effect<void>
  /** Ends everybody at once. */
  abort(): void
}

/** Ends all connections within `timeout` milliseconds, those that are left by a reset; waits `patience` for these. */
export const drain = Effect.fnUntraced(function* (
  { connections, places, empty, abort }: Draining,
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
  const clock = yield* Clock.Clock
  const start = clock.monotonicTimeNanosUnsafe()
  let left = timeout
  for (let naps = 0; places() > 0 && left > 0; naps++) {
    if (naps % napsPerLook === 0) look()
    yield* Effect.timeoutOption(empty, Math.min(napMillis, left))
    left = timeout - Number((clock.monotonicTimeNanosUnsafe() - start) / 1_000n) / 1_000
  }
  abort()
  yield* Effect.timeoutOption(empty, patience)
})
