/**
 * What the cases are written in: a listener whose ends can be awaited, connections as pairs of ends, and expectations.
 * What one end does and checks by itself is in `End.ts`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Address from "../../../core/Address.ts"
import { type ConnectOptions, type Listener, type ListenOptions, Sockets } from "../../../core/Sockets.ts"
import { Broken, End } from "./End.ts"

/** 127.0.0.1 and a port that is free. */
export const here: Address.Address = Address.tcp("127.0.0.1", 0)

/** In bytes. */
export const mebibyte: number = 1024 * 1024

/** A listener whose accepted ends are taken one by one, in order. */
export interface Bound {
  readonly listener: Listener
  readonly address: Address.Address
  /** The next accepted end, unattached. */
  readonly next: Effect.Effect<End>
}

/** Listens until the scope closes. `onAccept` is called inside `accept`, with the end unattached. */
export const listen = (
  options: ListenOptions | Address.Address = here,
  onAccept: (end: End) => void = () => {},
): Effect.Effect<Bound, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = yield* Sockets
    const accepted: Array<End> = []
    const wanted: Array<(end: End) => void> = []
    const listener = yield* sockets.listen("_tag" in options ? { address: options } : options, (transport) => {
      const end = new End(transport)
      onAccept(end)
      const taker = wanted.shift()
      if (taker === undefined) accepted.push(end)
      else taker(end)
    })
    const next = Effect.callback<End>((resume) => {
      const end = accepted.shift()
      if (end === undefined) wanted.push((later) => resume(Effect.succeed(later)))
      else resume(Effect.succeed(end))
    })
    return { listener, address: listener.address, next }
  })

/** A client, unattached, which is aborted when the scope closes. */
export const connect = (
  options: ConnectOptions | Address.Address,
): Effect.Effect<End, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = yield* Sockets
    return new End(yield* sockets.connect("_tag" in options ? { address: options } : options))
  })

/** Both ends of one connection. */
export interface Ends {
  readonly client: End
  readonly server: End
}

/** A client and its server, both unattached, of a listener of their own unless one is given. */
export const pair = (bound?: Bound): Effect.Effect<Ends, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const { address, next } = bound ?? (yield* listen())
    const client = yield* connect(address)
    return { client, server: yield* next }
  })

/** A client and its server, both attached, the client first. */
export const attached = (bound?: Bound): Effect.Effect<Ends, unknown, Sockets | Scope.Scope> =>
  Effect.tap(pair(bound), ({ client, server }) =>
    Effect.sync(() => {
      client.attach()
      server.attach()
    }))

/** As many turns of the loop as some round trips over another connection take: what was to come has come. */
export const settle: Effect.Effect<void, unknown, Sockets | Scope.Scope> = Effect.suspend(() =>
  Effect.scoped(Effect.gen(function* () {
    const { client, server } = yield* attached()
    for (let round = 1; round <= 20; round++) {
      client.send(1)
      yield* server.untilReceived(round)
      server.send(1)
      yield* client.untilReceived(round)
    }
  }))
)

/** Fails with `message` unless the condition holds. */
export const expect = (holds: boolean, message: string): Effect.Effect<void, Broken> =>
  holds ? Effect.void : Effect.fail(new Broken({ message }))

/** Both ends finish, whatever is still coming. */
export const finishBoth = ({ client, server }: Ends): Effect.Effect<void, Broken> =>
  Effect.gen(function* () {
    client.shutdown()
    server.shutdown()
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  })

/** The error of an effect that has to fail with the expected problem. */
export const problem = (
  expected: string,
  effect: Effect.Effect<unknown, unknown, Sockets | Scope.Scope>,
): Effect.Effect<unknown, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(effect)
    const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
    const found = error instanceof Object && "problem" in error ? error.problem : `no problem: ${String(error)}`
    yield* expect(found === expected, `found ${String(found)}, wanted ${expected}`)
    return error
  })

/** The port of a TCP address, -1 of a path. */
export const portOf = (address: Address.Address): number => address._tag === "Tcp" ? address.port : -1

/** An address as text, and `none` for no address. */
export const named = (address: Address.Address | undefined): string =>
  address === undefined ? "none" : Address.format(address)
