/**
 * The listener over a descriptor that was inherited (systemd's socket activation): whoever passed it has it as well, so
 * closing it leaves the clients that wait in the backlog to the next process.
 *
 * It cannot be opened again. So while it is paused, whoever comes is accepted and reset, which is what a runtime that
 * unbinds does to its backlog. How a descriptor is listened on is the adapter's.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Address from "../core/Address.ts"
import { type Listener, ListenError, type Transport } from "../core/Sockets.ts"

type Accept = (transport: Transport) => void

/** Listens by `bind` until the scope closes. `unbind` must not wait for connections. */
export const adopt = <Server>(
  accept: Accept,
  bind: (accept: Accept) => Effect.Effect<Server, ListenError>,
  addressOf: (server: Server) => Address.Address,
  unbind: (server: Server) => void,
): Effect.Effect<Listener, ListenError, Scope> =>
  Effect.suspend(() => {
    let state: "Accepting" | "Paused" | "Closed" = "Accepting"
    const admit = (transport: Transport): void => state === "Accepting" ? accept(transport) : transport.abort()
    const listener = (server: Server): Listener => ({
      address: addressOf(server),
      pause: () => {
        if (state === "Accepting") state = "Paused"
      },
      resume: Effect.sync(() => {
        if (state === "Paused") state = "Accepting"
      }),
      close: Effect.sync(() => {
        if (state !== "Closed") unbind(server)
        state = "Closed"
      }),
    })
    return Effect.acquireRelease(Effect.map(bind(admit), listener), ({ close }) => close)
  })

/** Where a descriptor is bound: as the runtime says of TCP, else as was known before. A path may be known to nobody. */
export const adoptedAddress = (
  known: Address.Address,
  bound: { readonly address?: string; readonly port?: number } | string | null,
): Address.Address => {
  if (typeof bound === "object" && bound?.address !== undefined && bound.port !== undefined) {
    return Address.tcp(bound.address, bound.port)
  }
  return known._tag === "Unix" ? known : Address.unix("")
}

/** Why a descriptor cannot be listened on: the system says EINVAL of whatever is no such socket. */
export const descriptorError = (descriptor: number, cause: unknown): ListenError =>
  new ListenError({ problem: "InvalidDescriptor", address: `descriptor ${descriptor}`, cause })
