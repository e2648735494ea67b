/**
 * How connections of a run are made.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { type ConnectError, Sockets, type Transport } from "../core/Sockets.ts"
import type { Plan } from "./Plan.ts"

/** Makes the connection with this number, counted from 0. */
export type Connector = (number: number) => Effect.Effect<Transport, ConnectError, Scope>

/** The connector of a plan. */
export const make = ({ target }: Plan): Effect.Effect<Connector, never, Sockets> =>
  Effect.map(Sockets, ({ connect }) => () => connect({ address: target.address }))
