/** A client on a scripted network: the test says what becomes of each attempt, and is the server of those that succeed. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Client from "../../core/Client.ts"
import type { Codec } from "../../core/Codec.ts"
import { ConnectError, type ConnectProblem, Sockets } from "../../core/Sockets.ts"
import { turns } from "./harness.ts"
import { Peer } from "./scripted.ts"

/** What becomes of an attempt: a peer, a problem, or nothing at all. */
export type Outcome = "peer" | "silence" | ConnectProblem

/** A network that is dialled. */
export class Dialer {
  /** Of the next attempts; then `otherwise`. */
  readonly outcomes: Array<Outcome> = []
  otherwise: Outcome = "peer"
  /** Of all attempts that succeeded. */
  readonly peers: Array<Peer> = []
  /** How each new peer begins. */
  prepare: (peer: Peer) => void = () => {}

  /** The peer of the last connection. */
  get peer(): Peer {
    return this.peers.at(-1)!
  }

  /** Connections that have not ended. */
  get open(): number {
    return this.peers.filter(({ ended }) => ended === undefined).length
  }

  readonly layer: Layer.Layer<Sockets> = Layer.succeed(
    Sockets,
    Sockets.of({
      capabilities: {
        runtime: "dialer",
        reset: true,
        reusePort: false,
        stopAccepting: "backlog",
        adoptDescriptor: false,
        abstractUnix: false,
        bindSource: false,
      },
      listen: () => Effect.die("a dialer does not listen"),
      connect: ({ address }) =>
        Effect.acquireRelease(
          Effect.suspend(() => {
            const outcome = this.outcomes.shift() ?? this.otherwise
            if (outcome === "silence") return Effect.never
            if (outcome !== "peer") return Effect.fail(new ConnectError({ problem: outcome, address }))
            const peer = new Peer()
            this.prepare(peer)
            this.peers.push(peer)
            return Effect.succeed(peer.transport)
          }),
          (transport) => Effect.sync(() => transport.abort()),
          { interruptible: true },
        ),
    }),
  )
}

/** A client, its network and its events. */
export interface Dialled<In, Out> extends Dialer {
  readonly client: Client.Client<In, Out>
  readonly events: Array<Client.ClientEvent>
  /** The events as text: tag, and what there is to it. */
  readonly story: () => ReadonlyArray<string>
  /** Ends the client's scope, and lets all happen that then does. */
  readonly end: Effect.Effect<void>
  /** Fibers of the client that live. */
  readonly fibers: () => number
}

/** Makes a client on a network of its own, until the test's scope closes. */
export const dial = Effect.fnUntraced(function* <In, Out, E = never>(
  codec: Codec<In, Out>,
  options: Omit<Client.Options<In, Out, E>, "address" | "observers"> = {},
  dialer: Dialer = new Dialer(),
) {
  const events: Array<Client.ClientEvent> = []
  let living = 0
  const scope = yield* Scope.make()
  const client = yield* Client.make(codec, {
    ...options,
    address: "192.0.2.1:9000",
    observers: [(event) => events.push(event)],
  }).pipe(
    Effect.provide(dialer.layer),
    Scope.provide(scope),
    Effect.provideService(Metric.FiberRuntimeMetrics, {
      recordFiberStart: () => void living++,
      recordFiberEnd: () => void living--,
    }),
  )
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      for (const peer of dialer.peers) peer.reset()
      return Scope.close(scope, Exit.void)
    })
  )
  yield* turns
  const dialled: Dialled<In, Out> = Object.assign(dialer, {
    client,
    events,
    story: () => events.map(told),
    end: Effect.andThen(Scope.close(scope, Exit.void), turns),
    fibers: () => living,
  })
  return dialled
})

const told = (event: Client.ClientEvent): string => {
  switch (event._tag) {
    case "Connecting":
      return `Connecting ${event.attempt}`
    case "Waiting":
      return `Waiting ${event.millis}`
    case "Dropped":
      return `Dropped ${event.count} ${event.why}`
    case "Disconnected":
    case "Closed":
      return `${event._tag} ${"problem" in event.reason ? event.reason.problem : event.reason._tag}`
    default:
      return event._tag
  }
}
