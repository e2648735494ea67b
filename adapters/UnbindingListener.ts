/**
 * The listener of a runtime that cannot leave clients in the backlog: pausing unbinds, resuming binds again.
 *
 * Connections live on in either case; how a server is bound and unbound is the adapter's. The system resets whoever is in
 * the backlog of a socket that is closed, so closing waits for a moment in which it is most likely empty.
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
  readonly #arrived: (() => number) | undefined
  #server: Server | undefined
  #closed = false

  /**
   * `bind` binds the same address again; `unbind` must not wait for connections; `arrived`: how many were accepted so far,
   * left out where nobody can be in a backlog.
   */
  constructor(
    server: Server,
    address: Address,
    bind: (address: Address) => Effect.Effect<Server, ListenError>,
    unbind: (server: Server) => void,
    arrived?: () => number,
  ) {
    this.#server = server
    this.#unbind = unbind
    this.#arrived = arrived
    this.address = address
    this.resume = Effect.suspend(() => {
      if (this.#closed || this.#server !== undefined) return Effect.void
      return Effect.map(bind(address), (server) => {
        if (this.#closed || this.#server !== undefined) unbind(server)
        else this.#server = server
      })
    })
    this.close = Effect.callback((resume) => {
      this.#closed = true
      const close = (): void => {
        this.pause()
        resume(Effect.void)
      }
      if (this.#arrived === undefined) close()
      else this.#afterQuickTurn(this.#arrived, close)
    })
  }

  pause(): void {
    if (this.#server !== undefined) this.#unbind(this.#server)
    this.#server = undefined
  }

  /**
   * Calls back directly behind a turn of the loop that was over at once and brought nobody, or after half a second. Who
   * connected before that turn was accepted; who connects while a turn lasts, only the next one sees.
   */
  #afterQuickTurn(arrived: () => number, done: () => void): void {
    const latest = performance.now() + longestWait
    const look = (began: number, before: number): void => {
      const now = performance.now()
      if (now - began < quickTurn && arrived() === before || now > latest) done()
      else setImmediate(look, now, arrived())
    }
    setImmediate(look, -Infinity, 0)
  }
}

/** Milliseconds: a turn in which nothing happens takes some 0.01. */
const quickTurn = 0.05
const longestWait = 500
