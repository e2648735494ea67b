/**
 * Hostile clients let loose on a server, and one that is well-behaved beside them: what came of the attack, and what
 * somebody decent felt meanwhile. It is bounded in connections, bytes and time, and ends by itself.
 *
 * What a server ought to do about each of them is in docs/limits.md.
 */
import type { Histogram } from "hdr-histogram-js"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"
import { ByteWriter } from "../../core/ByteWriter.ts"
import type { Sockets, Transport } from "../../core/Sockets.ts"
import * as Connector from "../Connector.ts"
import type { Framing } from "../Framing.ts"
import { constant as message } from "../Messages.ts"
import type { Outcome } from "../Outcome.ts"
import { Random } from "../Random.ts"
import { type Failure, histogram, record } from "../Recorder.ts"
import * as Run from "../Run.ts"
import { constant } from "../Schedule.ts"
import { isLoopback, type Target } from "../Target.ts"
import { attacks } from "./attacks.ts"
import type { HostileMode } from "./modes.ts"
import { Peer } from "./Peer.ts"

export { attacks } from "./attacks.ts"
export { type HostileMode, modes } from "./modes.ts"

/** What is done to whom. Times in milliseconds. */
export interface HostilePlan {
  readonly target: Target
  readonly sources: ReadonlyArray<string>
  readonly framing: Framing
  readonly mode: HostileMode
  /** Hostile connections at once, 1 to {@link bounds}`.connections`. */
  readonly connections: number
  /** At most {@link bounds}`.duration`. */
  readonly duration: number
  /** What a request says, of those who ask, and of the one who is well-behaved. */
  readonly message: Uint8Array
  readonly connectTimeout: number
  readonly seed: number
}

/** What no attack exceeds. */
export const bounds = {
  connections: 20_000,
  /** An hour. */
  duration: 3_600_000,
  /** Connections made in one run, of clients that come again. */
  visits: 1_000_000,
} as const

/** How hostile connections ended, and how many of each. */
export interface Endings {
  /** By the server, with FIN. */
  finished: number
  /** By the server, with a reset. */
  reset: number
  /** By the system. */
  failed: number
  /** By the client, which was done. */
  left: number
  /** They were there still when the time was over. */
  survived: number
}

/** What came of it. */
export interface HostileOutcome {
  readonly mode: HostileMode
  /** Milliseconds from the first connect to the end. */
  readonly took: number
  /** Connections that were made, and why others were not. */
  readonly connections: number
  readonly failures: ReadonlyMap<Failure, number>
  readonly endings: Readonly<Endings>
  /** How long those lived that the server ended, in microseconds. */
  readonly lifetime: Histogram
  readonly bytesSent: number
  readonly bytesReceived: number
  /** The client that is well-behaved: ten requests a second on a connection of its own. */
  readonly decent: Outcome
  /** It was ended before its time. */
  readonly cut: boolean
}

/** What a run asks of its surroundings. */
export interface HostileOptions {
  /** CPU time of this process so far, in milliseconds. */
  readonly cpu: () => number
  /** Ends it early. */
  readonly stop?: Effect.Effect<void>
}

/** Why a target must not be attacked; undefined where it may. */
export const guard = (target: Target, owned: boolean): string | undefined => {
  if (target.webSocket !== undefined) {
    return `hostile modes speak bytes and no WebSocket; give tcp:// or unix:, not ${target.url}`
  }
  if (owned || isLoopback(target)) return undefined
  return `${target.url} is no loopback address: hostile modes are for servers of one's own; say so by --i-own-this-target`
}

/** Requests a second of the one that is well-behaved. */
const decentRate = 10
/** Between two visits of a client that comes again, in milliseconds: a port is used up by each. */
const againMillis = 10
/** In which a connection that is done has to be closed. */
const closingMillis = 1_000
/** Connections that are being made at once: more would only fill the queue of new ones. */
const connecting = 100

/** Does it. Throws a RangeError for a plan beyond the bounds; everything else is in the outcome. */
export const run = (plan: HostilePlan, options: HostileOptions): Effect.Effect<HostileOutcome, never, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const { connections, duration } = plan
    if (!(connections >= 1 && connections <= bounds.connections)) throw beyond("connections", connections)
    if (!(duration > 0 && duration <= bounds.duration)) throw beyond("duration", duration)
    const open = yield* Connector.make(plan)
    const clock = yield* Clock.Clock
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const attack = attacks[plan.mode]
    const request = encoded(plan.framing, plan.message)
    const endings: Endings = { finished: 0, reset: 0, failed: 0, left: 0, survived: 0 }
    const failures = new Map<Failure, number>()
    const lifetime = histogram()
    const permits = Semaphore.makeUnsafe(connecting)
    const early = Latch.makeUnsafe()
    let cut = false
    let made = 0
    let lost = 0 // of those that came first, how many were not let in
    let bytesSent = 0
    let bytesReceived = 0
    let over = false

    const close = (peer: Peer, born: number, ending: keyof Endings): void => {
      bytesSent += peer.bytesSent
      bytesReceived += peer.bytesReceived
      endings[ending]++
      if (ending === "finished" || ending === "reset") record(lifetime, now() - born)
    }

    /** One visit, from the connection to its end. */
    const visit = Effect.fnUntraced(function* (transport: Transport, random: Random) {
      made++
      const born = now()
      const peer = new Peer(transport, attack.polite)
      const act = attack.act(peer, { framing: plan.framing, request, random })
      const done = yield* Effect.raceFirst(
        Effect.as(act, "done" as const),
        Effect.as(attack.polite ? peer.over : peer.gone, "ended" as const),
      ).pipe(Effect.onInterrupt(() => Effect.sync(() => close(peer, born, endingOf(peer, "survived")))))
      close(peer, born, endingOf(peer, done === "done" ? "left" : "finished"))
      if (done === "done") peer.finish()
      // What it does not end by itself, its scope resets.
      yield* Effect.timeoutOption(peer.gone, closingMillis)
    })

    const client = Effect.fnUntraced(function* (number: number) {
      for (let visits = 0; !over && made < bounds.visits; visits++) {
        // Of its own each time, so that what one says does not hang on when the others came.
        const random = new Random(plan.seed, number * 65_536 + visits)
        yield* Effect.scoped(Effect.gen(function* () {
          const transport = yield* Effect.timeoutOrElse(permits.withPermits(1)(open(number)), {
            duration: plan.connectTimeout,
            orElse: () => Effect.fail({ problem: "TimedOut" } as const),
          }).pipe(Effect.catch(({ problem }) => {
            const kind = Run.connectFailures[problem] ?? "connect-failed"
            failures.set(kind, (failures.get(kind) ?? 0) + 1)
            return Effect.undefined
          }))
          if (transport !== undefined) yield* visit(transport, random)
          // Where nobody was let in there is nobody to wait for.
          else if (visits === 0 && ++lost === connections) early.openUnsafe()
        }))
        if (!attack.again) return
        yield* Effect.sleep(againMillis)
      }
    })

    const began = now()
    const stop = Effect.sync(() => {
      cut = true
      early.openUnsafe()
    })
    if (options.stop !== undefined) yield* Effect.forkScoped(Effect.andThen(options.stop, stop))
    const decent = yield* Effect.forkChild(Run.run(decentPlan(plan), { cpu: options.cpu, stop: early.await }))
    const clients = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: connections }, (_, number) => number), client, {
        concurrency: "unbounded",
        discard: true,
      }),
    )
    yield* Effect.raceFirst(Effect.sleep(duration), early.await)
    over = true
    yield* Fiber.interrupt(clients)
    const outcome = yield* Fiber.join(decent)
    return {
      mode: plan.mode,
      took: now() - began,
      connections: made,
      failures,
      endings,
      lifetime,
      bytesSent,
      bytesReceived,
      decent: outcome,
      cut,
    }
  }))

const endingOf = ({ end, finished }: Peer, otherwise: keyof Endings): keyof Endings => {
  switch (end?._tag) {
    case "Finished":
      return "finished"
    case "Reset":
      return "reset"
    case "Failed":
      return "failed"
    case "Aborted":
      return "left"
    default:
      return finished ? "finished" : otherwise
  }
}

const decentPlan = ({ target, sources, framing, duration, message: bytes, connectTimeout, seed }: HostilePlan) => ({
  target,
  sources,
  framing: framing.codec,
  mode: "open",
  connections: 1,
  inFlight: 1,
  stages: constant(decentRate, duration),
  warmup: 0,
  duration,
  think: 0,
  messages: message(bytes),
  expect: { _tag: "Any" },
  hello: undefined,
  beat: undefined,
  connectTimeout,
  grace: 1_000,
  connecting: 1,
  reconnect: true,
  seed,
} as const)

/** A request as the framing writes it. */
const encoded = (framing: Framing, message: Uint8Array): Uint8Array => {
  const writer = new ByteWriter()
  const error = framing.codec().encoder().encode([message], writer)
  if (error !== undefined) throw new RangeError(`Cannot attack: message: ${error.message}`)
  return writer.bytes.slice(0, writer.length)
}

const beyond = (name: "connections" | "duration", value: number): RangeError =>
  new RangeError(`Cannot attack: ${name}: expected up to ${bounds[name]}, got ${value}`)
