/**
 * A run of the generator in virtual time, against a server of the test on a network in memory. The server speaks lines,
 * and what it does at which millisecond is a script.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import { layer, type Options as Network } from "../../adapters/memory.ts"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { type Receiver, Sockets, type Transport } from "../../core/Sockets.ts"
import { constant } from "../../load/Messages.ts"
import type { Expectation, Plan } from "../../load/Plan.ts"
import { type Interval, type Outcome, run } from "../../load/Run.ts"

const encoder = new TextEncoder()

export const bytes = (text: string): Uint8Array => encoder.encode(text)

export const echo: Expectation = { _tag: "Echo", prefix: bytes("") }

const address = Address.tcp("127.0.0.1", 9_000)

/** One connection of a generator, running for ten seconds; a test says what is different. */
export const usual: Plan = {
  target: { url: "tcp://127.0.0.1:9000", address, webSocket: undefined },
  sources: [],
  framing: () => Lines.bytes({ maxLength: 1_024 }),
  mode: "closed",
  connections: 1,
  inFlight: 1,
  stages: [],
  warmup: 0,
  duration: 10_000,
  think: 0,
  messages: constant(bytes("hello")),
  expect: echo,
  hello: undefined,
  beat: undefined,
  connectTimeout: 1_000,
  grace: 1_000,
  connecting: 100,
  reconnect: true,
  seed: 1,
}

/** The server's side of a connection. */
export class Peer implements Receiver {
  readonly number: number
  readonly transport: Transport
  readonly lines: Array<string> = []
  readonly #server: Server
  #rest = ""
  #unsent = ""

  constructor(server: Server, number: number, transport: Transport) {
    this.#server = server
    this.number = number
    this.transport = transport
  }

  say(text: string): void {
    this.#unsent += text
    this.writable()
  }

  writable(): void {
    const taken = this.transport.write(bytes(this.#unsent))
    this.#unsent = this.#unsent.slice(taken)
  }

  bytes(chunk: Uint8Array): void {
    this.#server.received += chunk.length
    const lines = (this.#rest + new TextDecoder().decode(chunk)).split("\n")
    this.#rest = lines.pop()!
    for (const line of lines) this.#server.take(this, line)
  }

  fin(): void {
    this.#server.does.fin?.(this)
    if (this.#server.does.fin === undefined) this.transport.shutdown()
  }

  closed(): void {
    this.#server.peers.delete(this)
  }
}

/** What a server does. By default it echoes. */
export interface Does {
  readonly open?: (peer: Peer) => void
  readonly line?: (peer: Peer, line: string) => void
  readonly fin?: (peer: Peer) => void
}

export class Server {
  readonly peers = new Set<Peer>()
  readonly does: Does
  /** Everybody, in order. */
  readonly accepted: Array<Peer> = []
  received = 0
  /** Refuses new connections by closing its listener; set by the stage. */
  close: () => void = () => {}
  #stopped = false
  readonly #kept: Array<() => void> = []

  constructor(does: Does) {
    this.does = does
  }

  accept(transport: Transport): void {
    const peer = new Peer(this, this.accepted.length, transport)
    this.accepted.push(peer)
    this.peers.add(peer)
    transport.attach(peer)
    this.does.open?.(peer)
  }

  take(peer: Peer, line: string): void {
    const answer = this.does.line ?? ((peer, line) => peer.say(`${line}\n`))
    if (this.#stopped) this.#kept.push(() => answer(peer, line))
    else answer(peer, line)
  }

  /** Reads, and does nothing, until it goes on. */
  stop(): void {
    this.#stopped = true
  }

  goOn(): void {
    this.#stopped = false
    for (const todo of this.#kept.splice(0)) todo()
  }
}

export interface Setting {
  readonly plan?: Partial<Plan>
  readonly does?: Does
  /** What happens at a millisecond of the run. */
  readonly at?: Readonly<Record<number, (server: Server) => void>>
  readonly network?: Network
  readonly listens?: boolean
  /** Ends the run after so many milliseconds. */
  readonly stopAfter?: number
  /** Milliseconds that its clock is ahead: it was held up so long. */
  readonly late?: () => number
  /** What the generator has used, in milliseconds, by a moment. */
  readonly cpu?: (now: number) => number
  /** Who makes the load. Default the generator. */
  readonly run?: typeof run
}

export interface Played {
  readonly outcome: Outcome
  readonly server: Server
  readonly intervals: ReadonlyArray<Interval>
  /** Milliseconds that the run took. */
  readonly took: number
  /** Connections that the server still had when the run was over, and fibers that were left. */
  readonly left: { readonly peers: number; readonly fibers: number }
}

const longest = 120_000

/** Runs a plan. */
export const play = (setting: Setting): Effect.Effect<Played> => {
  let fibers = 0
  const counting = { recordFiberStart: () => void fibers++, recordFiberEnd: () => void fibers-- }
  const intervals: Array<Interval> = []
  return Effect.scoped(Effect.gen(function* () {
    const server = new Server(setting.does ?? {})
    const sockets = yield* Sockets
    if (setting.listens !== false) {
      const listener = yield* sockets.listen({ address }, (transport) => server.accept(transport))
      server.close = () => Effect.runFork(listener.close)
    }
    let time = 0
    const running = yield* Effect.forkChild(
      (setting.run ?? run)({ ...usual, ...setting.plan }, {
        cpu: () => setting.cpu?.(time) ?? 0,
        ...(setting.late === undefined ? {} : { now: () => time + setting.late!() }),
        onInterval: (interval) => intervals.push(interval),
        ...(setting.stopAfter === undefined ? {} : { stop: Effect.sleep(setting.stopAfter) }),
      }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting)),
    )
    yield* turns
    for (; running.pollUnsafe() === undefined && time < longest; time++) {
      setting.at?.[time]?.(server)
      yield* turns
      yield* TestClock.adjust(1)
      yield* turns
    }
    const exit = running.pollUnsafe()
    if (exit === undefined) throw new Error("The run did not end")
    if (Exit.isFailure(exit)) throw new Error(`The run failed: ${String(exit.cause)}`)
    yield* Fiber.join(running)
    // What was aborted is told in later turns, and nothing to who is paused.
    for (const { transport } of server.peers) transport.resume()
    for (let turn = 0; turn < 20; turn++) yield* turns
    return { outcome: exit.value, server, intervals, took: time, left: { peers: server.peers.size, fibers } }
  })).pipe(Effect.provide(layer(setting.network)), Effect.orDie)
}

/** Lets what was written arrive, and its answer, without time passing. */
const turns = Effect.forEach(Array.from({ length: 6 }), () => Effect.yieldNow, { discard: true })

/** Failures, as an object. */
export const failures = ({ total }: Outcome): Record<string, number> => Object.fromEntries(total.failures)

/** A percentile, in milliseconds. */
export const percentile = (
  { total }: Outcome,
  of: "response" | "service" | "lateness" | "connect" | "firstByte",
  percent: number,
): number => total[of].getValueAtPercentile(percent) / 1_000
