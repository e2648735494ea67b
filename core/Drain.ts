/**
 * Ending a server without losing what was begun, in phases. Each of them is an event, and visible as `drainPhase`.
 *
 * ```text
 * announced ─► readiness is off; still accepting for `drain.delay`, as balancers need a moment to notice
 * closing   ─► still accepting until nobody came for 50 ms, at most 1 s: a closed listener resets what waits in its backlog
 * ending    ─► handlers are told, goodbyes sent; connections end over `drain.spread`, each once it has nothing to do
 * forcing   ─► `drain.timeout` after `closing` began: the rest is reset
 * ended     ─► nobody is left
 * ```
 *
 * 1. A connection has nothing to do when all that it received is answered, and it received nothing while the loop turned
 *    several times: bytes may still lie in the kernel when the drain begins. Time alone says nothing: in a process that was
 *    starved, the timer fires before the sockets are asked.
 * 2. Whoever goes on sending has a last call. A hundred turns read more than a kernel holds for a socket that is read, so
 *    what had arrived before the drain is answered, and no more.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CloseReason from "./CloseReason.ts"
import { type Connection, engineOf } from "./Connection.ts"
import type { DrainPhase } from "./DrainReport.ts"
import type { DrainSettings } from "./Settings.ts"

const napMillis = 10
const napsPerLook = 5
/** A nap is a turn of the loop at least, and a turn reads 64 KiB of a socket; the kernel holds 6 MiB for one. */
const looksToLastCall = 20
/** For how long nobody else may come before the listeners close, and how long that is waited for at most. */
const quietNaps = 5
const longestClosing = 1_000
/** What a client gets to close first, to whom a goodbye was said. */
const courtesyMillis = 1_000

/** What a drain needs of a server. */
export interface Draining {
  readonly connections: ReadonlyMap<number, Connection>
  /** How many have connected so far. */
  arrived(): number
  /** Places taken: by connections, and by those who are about to become one. */
  places(): number
  /** Waits until all places are free. */
  readonly empty: Effect.Effect<void>
  /** The drain has come to a phase; what was registered for it is done before it goes on. */
  enter(phase: DrainPhase): Effect.Effect<void>
  /** Closes the listeners. */
  readonly stopAccepting: Effect.Effect<void>
  /** Tells the handlers that the server drains. */
  tell(): void
  /** Ends everybody at once. */
  abort(): void
  /** Waits until somebody has done that. */
  readonly aborted: Effect.Effect<void>
  isAborted(): boolean
}

/** Drains a server; waits `patience` milliseconds for those who are reset at the end. */
export const drain = Effect.fnUntraced(function* (
  server: Draining,
  { delay, spread, timeout }: DrainSettings,
  patience: number,
): Effect.fn.Return<void> {
  const clock = yield* Clock.Clock
  const monotonic = (): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000
  yield* server.enter("announced")
  if (delay > 0 && !server.isAborted()) yield* Effect.timeoutOption(server.aborted, delay)

  yield* server.enter("closing")
  const began = monotonic()
  const left = (): number => timeout - (monotonic() - began)
  const farewells = new Farewells(server.connections, Math.min(spread, timeout / 2), timeout / 2)
  farewells.look(-Infinity)
  let arrived = server.arrived()
  const longest = Math.min(longestClosing, timeout)
  for (let quiet = 0; quiet < quietNaps && monotonic() - began < longest && !server.isAborted(); quiet++) {
    yield* Effect.timeoutOption(server.aborted, napMillis)
    if (server.arrived() === arrived) continue
    arrived = server.arrived()
    quiet = -1
  }
  yield* server.stopAccepting

  yield* server.enter("ending")
  const told = monotonic()
  server.tell()
  farewells.greet()
  for (let naps = 0; server.places() > 0 && left() > 0; naps++) {
    if (naps % napsPerLook === 0) farewells.look(monotonic() - told)
    yield* Effect.timeoutOption(server.empty, Math.min(napMillis, left()))
  }
  if (server.places() > 0) {
    yield* server.enter("forcing")
    server.abort()
    yield* Effect.timeoutOption(server.empty, patience)
  }
  yield* server.enter("ended")
})

/** How the end of one connection goes. */
interface Farewell {
  /** Milliseconds after which it may end. */
  turn: number
  received: number
  /** How often it was looked at while it was read. */
  looks: number
  called: boolean
}

/** The ends of all connections. */
class Farewells {
  readonly #connections: ReadonlyMap<number, Connection>
  readonly #spread: number
  readonly #longest: number
  readonly #farewells = new Map<number, Farewell>()

  /** Ends them over `spread` milliseconds; after `longest` also those that are not read because they have too much to do. */
  constructor(connections: ReadonlyMap<number, Connection>, spread: number, longest: number) {
    this.#connections = connections
    this.#spread = spread
    this.#longest = longest
  }

  /** Says goodbye to all whose service has a word for it: they should close first, so that TIME_WAIT is theirs. */
  greet(): void {
    for (const [id, connection] of this.#connections) {
      if (engineOf(connection).goodbye()) this.#of(id).turn += courtesyMillis
    }
  }

  /** Ends whoever has nothing to do, so many milliseconds after it might. */
  look(passed: number): void {
    for (const [id, connection] of this.#connections) {
      const farewell = this.#of(id)
      const { bytesReceived, reading, idle } = engineOf(connection)
      const silent = farewell.received === bytesReceived
      farewell.received = bytesReceived
      if (reading) farewell.looks++
      if (passed < farewell.turn) continue
      if (idle && (silent || farewell.called)) connection.closeUnsafe(CloseReason.drained)
      else if (!farewell.called && (farewell.looks > looksToLastCall || passed >= this.#longest)) {
        farewell.called = true
        engineOf(connection).lastCall()
      }
    }
  }

  #of(id: number): Farewell {
    let farewell = this.#farewells.get(id)
    if (farewell === undefined) {
      farewell = { turn: share(id) * this.#spread, received: -1, looks: 0, called: false }
      this.#farewells.set(id, farewell)
    }
    return farewell
  }
}

/** From 0 to 1, different for neighbouring ids (Knuth's multiplicative hashing), and the same each time. */
const share = (id: number): number => ((id * 2_654_435_761) >>> 0) / 2 ** 32
