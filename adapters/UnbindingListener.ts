/**
 * The listener of a runtime that cannot leave clients in the backlog: pausing unbinds, resuming binds again.
 *
 * Connections live on in either case; how a server is bound and unbound is the adapter's.
 */
import * as Effect from "effect/Effect"
import type { Address } from "../core/Address.ts"
import type { Listener, ListenError } from "../core/Sockets.ts"

/** A listener over servers of type `Server`, of which there is one while it accepts. */
export class UnbindingListener<Server> implements Listener {
  readonly address: Address
  readonly resume: Effect.Effect<void, ListenError>
  readonly close: Effect.Effect<void>
  readonly #unbind: (server: Server) => void
  #server: Server | undefined
  #closed = false

  /** `bind` binds the same address again; `unbind` must not wait for connections. */
  constructor(
    server: Server,
    address: Address,
    bind: (address: Address) => Effect.Effect<Server, ListenError>,
    unbind: (server: Server) => void,
  ) {
    this.#server = server
    this.#unbind = unbind
    this.address = address
    this.resume = Effect.suspend(() => {
      if (this.#closed || this.#server !== undefined) return Effect.void
      return Effect.map(bind(address), (server) => {
        if (this.#closed || this.#server !== undefined) unbind(server)
        else this.#server = server
      })
    })
    this.close = Effect.sync(() => {
      this.#closed = true
      this.pause()
    })
  }

  pause(): void {
    if (this.#server !== undefined) this.#unbind(this.#server)
    this.#server = undefined
  }
}
