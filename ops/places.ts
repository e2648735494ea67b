/**
 * A server with no more places for clients than the process has descriptors for, so that running out of them is not what
 * happens when many come.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Server from "../core/Server.ts"
import type { ListenError, Sockets } from "../core/Sockets.ts"
import * as Descriptors from "./descriptors.ts"

/** What was asked for and is not there. */
export interface Lowered {
  readonly asked: number
  readonly lowered: number
  readonly limit: number
}

/**
 * `Server.make` with `limits.maxConnections` and `limits.maxRefusing` as high as the descriptor limit carries: roughly
 * before it listens, exactly once it does. `lowered` is told when that is less than the options ask for. `kept`
 * descriptors are for somebody else.
 */
export const make = Effect.fnUntraced(function* <E>(
  options: Server.Options<ReadonlyArray<Server.Endpoint<never, E>>>,
  lowered: (less: Lowered) => void,
  kept = 0,
): Effect.fn.Return<Server.Server, ListenError | Server.SettingsError | E, Sockets | Scope> {
  const limits = {
    ...Server.presets.local.limits,
    ...(options.preset === undefined ? {} : Server.presets[options.preset]?.limits),
    ...options.limits,
  }
  const queue = kept + (typeof limits.atLimit === "object" ? limits.atLimit.queue : 0)
  // Whatever cannot be is refused by name below.
  const wanted = { maxConnections: limits.maxConnections, maxRefusing: limits.maxRefusing }
  const before = Descriptors.affordable(wanted, { queue })
  const server = yield* Server.make({ ...options, limits: { ...options.limits, ...least(wanted, before) } })
  const { connections, waiting, refusing } = server.usage
  const now = Descriptors.affordable(wanted, { queue, sockets: connections + waiting + refusing })
  if (now.maxConnections !== before.maxConnections || now.maxRefusing !== before.maxRefusing) {
    yield* server.update({ limits: least(wanted, now) })
  }
  const limit = Descriptors.read()?.limit
  if (now.maxConnections < wanted.maxConnections && limit !== undefined) {
    lowered({ asked: wanted.maxConnections, lowered: now.maxConnections, limit })
  }
  return server
})

// What is no number is left for the server to name.
const least = (
  wanted: Descriptors.Places,
  { maxConnections, maxRefusing }: Descriptors.Places,
): Descriptors.Places => ({
  maxConnections: Number.isNaN(maxConnections) ? wanted.maxConnections : maxConnections,
  maxRefusing: Number.isNaN(maxRefusing) ? wanted.maxRefusing : maxRefusing,
})
