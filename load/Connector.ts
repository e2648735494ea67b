/**
 * How connections of a run are made: by the port, or as WebSockets, and from each source address by turns.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { type ConnectError, Sockets, type Transport } from "../core/Sockets.ts"
import { largest } from "./Framing.ts"
import type { Plan } from "./Plan.ts"

/** Makes the connection with this number, counted from 0. */
export type Connector = (number: number) => Effect.Effect<Transport, ConnectError, Scope>

/** The connector of a plan. */
export const make = Effect.fnUntraced(function* (
  { target, sources }: Pick<Plan, "target" | "sources">,
): Effect.fn.Return<Connector, never, Sockets> {
  const { connect } = yield* Sockets
  let turn = 0
  // Not by the connection's number: one that connects again and again needs the ports of all of them.
  const from = (): { readonly source?: string } =>
    sources.length === 0 ? {} : { source: sources[turn++ % sources.length]! }
  const { address, webSocket } = target
  if (webSocket === undefined) return () => connect({ address, ...from() })
  // Loaded when it is needed: on Deno the library wants permission to look for its options in the environment.
  const WebSocketTransport = yield* Effect.promise(() => import("./WebSocketTransport.ts"))
  return () => WebSocketTransport.connect({ target: { ...target, webSocket }, maxMessage: largest, ...from() })
})
