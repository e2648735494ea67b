/**
 * Ending a server without losing what was begun, in phases. Each of them is an event, and visible as `drainPhase`.
 *
 * ```text
 * announced ─► readiness is off; still accepting for `drain.delay`, as balancers need a moment to notice
 * closing   ─► still accepting until nobody came for 50 ms, at most 1 s, in a busy process for longer: a closed listener
 *              resets what waits in its backlog
 * ending    ─► handlers are told; over `drain.spread` goodbyes are sent and connections end, each once it has nothing to do
 * forcing   ─► `drain.timeout` after `closing` began, without what the steps of the program took: the rest is reset
 * ended     ─► nobody is left
 * ```
 *
 * 1. A connection has nothing to do when all that it received is answered, and it received nothing while the loop turned
 *    several times: bytes may still lie in the kernel when the drain begins. Time alone says nothing: in a process that was
 *    starved, the timer fires before the sockets are asked.
 * 2. Whoever goes on sending has a last call. A hundred turns read more than a kernel holds for a socket that is read, so
 *    what had arrived before the drain is answered, and no more. Who has too much to do to be read has it at half of the
 *    time: what it cannot be read for by then is not answered.
 * 3. In a busy process both take longer. Deno asks the kernel for more, and gives each socket a turn, only every 80 turns
 *    while it has something else to do; Node accepts one client a turn, and then a turn takes long.
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
/** Who comes after so many has come after the drain began: more do not wait in a backlog. */
const backlog = 512
/** A process is busy when more connections than this receive something between two looks, or looks are so late. */
const fewBusy = 16
const lateMillis = 100
/** So often somebody must have been silent in a busy process. */
const looksOfSilence = 20
/** What a client gets to close first, to whom a goodbye was said; less in a short drain. */
const courtesyMillis = 1_000
/** What a client gets to finish that has had everything. */
const lingerMillis = 5_000

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
  const farewells = new Farewells(server.connections, spread)
  farewells.listen(began)
  let naps = 0
  const nap = (over: Effect.Effect<void>, millis: number): Effect.Effect<void> =>
    Effect.map(Effect.timeoutOption(over, millis), () => {
      if (++naps % napsPerLook === 0) farewells.listen(monotonic())
    })
  const first = server.arrived()
  let arrived = first
  let quiet = 0
  const mayCome = (): boolean => {
    const passed = monotonic() - began
    if (passed >= timeout / 4 || server.isAborted()) return false
    if (!farewells.busy) return quiet < quietNaps && passed < longestClosing
    return passed < longestClosing || (quiet < quietNaps && arrived - first < backlog)
  }
  while (mayCome()) {
    yield* nap(server.aborted, napMillis)
    quiet = server.arrived() === arrived ? quiet + 1 : 0
    arrived = server.arrived()
  }
  yield* server.stopAccepting
  const time = timeout - (monotonic() - began)

  yield* server.enter("ending")
  const told = monotonic()
  const left = (): number => time - (monotonic() - told)
  server.tell()
  farewells.within(time)
  while (server.places() > 0 && left() > 0 && !server.isAborted()) {
    if (naps % napsPerLook === 0) farewells.say(monotonic() - told)
    yield* nap(server.empty, Math.min(napMillis, left()))
  }
  if (server.places() > 0) {
    yield* server.enter("forcing")
    server.abort()
    yield* Effect.timeoutOption(server.empty, patience)
  }
  yield* server.enter("ended")
})

/** How the end of one connection goes. Times are milliseconds since the handlers were told. */
interface Farewell {
  /** From when on it may end. Undefined until it has its turn. */
  endsAt: number | undefined
  received: number
  /** In how many looks, one after the other, it had received nothing. */
  silent: number
  /** In how many it had, while nothing kept it from being read. */
  looks: number
  called: boolean
  /** When it was first seen to have had everything. */
  finishedAt: number | undefined
}

/** The ends of all connections. */
class Farewells {
  /** Whether the last look found that turns of the loop say little: many received something, or the look was late. */
  busy = false
  #listenedAt = Infinity
  readonly #connections: ReadonlyMap<number, Connection>
  readonly #farewells = new Map<number, Farewell>()
  #spread: number
  #time = Infinity

  /** Ends them over `spread` milliseconds. */
  constructor(connections: ReadonlyMap<number, Connection>, spread: number) {
    this.#connections = connections
    this.#spread = spread
  }

  /** So many milliseconds are there for all of them. */
  within(time: number): void {
    this.#time = time
    this.#spread = Math.min(this.#spread, time / 2)
  }

  /** Looks who has received something since it last did. */
  listen(now: number): void {
    let receiving = 0
    for (const [id, connection] of this.#connections) {
      const farewell = this.#of(id)
      const { bytesReceived, reading } = engineOf(connection)
      if (farewell.received === bytesReceived) farewell.silent++
      else {
        farewell.silent = 0
        receiving++
        if (reading) farewell.looks++
      }
      farewell.received = bytesReceived
    }
    this.busy = receiving > fewBusy || now - this.#listenedAt > lateMillis
    this.#listenedAt = now
  }

  /** Ends whoever has nothing to do, so many milliseconds after the handlers were told. */
  say(passed: number): void {
    for (const [id, connection] of this.#connections) {
      const engine = engineOf(connection)
      const farewell = this.#of(id)
      const silent = farewell.received === engine.bytesReceived && farewell.silent >= (this.busy ? looksOfSilence : 1)
      if (engine.finished) {
        farewell.finishedAt ??= Math.max(passed, 0)
        if (passed - farewell.finishedAt >= lingerMillis) connection.abortUnsafe(CloseReason.drained)
        continue
      }
      if (passed < (farewell.endsAt ?? share(id) * this.#spread)) continue
      farewell.endsAt ??= passed + this.#greet(connection, passed)
      if (passed < farewell.endsAt) continue
      if (engine.idle && (silent || farewell.called)) connection.closeUnsafe(CloseReason.drained)
      else if (!farewell.called && (farewell.looks > looksToLastCall || passed >= this.#time / 2)) {
        farewell.called = true
        engine.lastCall()
      }
    }
  }

  /** Says goodbye if the service has a word for it; for how long the client may close first, so that TIME_WAIT is its. */
  #greet(connection: Connection, passed: number): number {
    return engineOf(connection).goodbye() ? Math.min(courtesyMillis, (this.#time - passed) / 2) : 0
  }

  #of(id: number): Farewell {
    let farewell = this.#farewells.get(id)
    if (farewell === undefined) {
      farewell = { endsAt: undefined, received: -1, silent: 0, looks: 0, called: false, finishedAt: undefined }
      this.#farewells.set(id, farewell)
    }
    return farewell
  }
}

/** From 0 to 1, different for neighbouring ids (Knuth's multiplicative hashing), and the same each time. */
const share = (id: number): number => ((id * 2_654_435_761) >>> 0) / 2 ** 32
