/**
 * A client that an author wrote, a thousand times: each one connects and logs in as `Client` does, and then its session
 * runs again and again. It is what the default export of a module has to be that `anyport load ./sim.ts` plays.
 *
 * ```ts
 * export default Simulation.make({
 *   target: "tcp://127.0.0.1:9000",
 *   codec: Lines.make({ maxLength: 1_024 }),
 *   session: (client, { connection }) => client.request(`hello from ${connection}`),
 * })
 * ```
 *
 * Every request is timed, without a word in the session. *Intended* is when the session asked: such a request depends on
 * what was before it, so nobody meant it earlier (a session that wants to think, sleeps). *Sent* is when it was written to a
 * connection. What is between is how long there was no room, or no connection any more; a session does not begin without one.
 *
 * This is a closed model: a server that is slow is asked less. What a schedule would have felt wants `Run` and an open mode.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type { Scope } from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Address } from "../core/Address.ts"
import * as Client from "../core/Client.ts"
import type { Codec } from "../core/Codec.ts"
import { Sockets } from "../core/Sockets.ts"
import * as Connector from "./Connector.ts"
import { CountedTransport } from "./CountedTransport.ts"
import { Measurement } from "./Measurement.ts"
import type { Outcome } from "./Outcome.ts"
import type { Plan as WholePlan } from "./Plan.ts"
import { isProblem } from "./Problem.ts"
import { Random as Numbers } from "./Random.ts"
import { record } from "./Recorder.ts"
import type { Options as RunOptions } from "./Run.ts"
import { type Parcel, Stage } from "./Stage.ts"
import * as Target from "./Target.ts"

/** Which of the simulated clients it is. */
export interface Context {
  /** Counted from 0. */
  readonly connection: number
  /** Of this client, from that of the run: the same each time. `Random` of the session has it already. */
  readonly seed: number
  /** Where the server is. */
  readonly address: Address
}

/** What a module says of its clients. */
export interface Options<In, Out, E = never, E2 = never> {
  /** Where the server is, unless the command line says: `tcp://127.0.0.1:9000`, or what else `anyport load` takes. */
  readonly target?: string
  readonly codec: Codec<In, Out>
  /** Options of each client. Default those of `Client.make`, but `deadlines.linger` 1 s. */
  readonly client?: (context: Context) => Omit<Client.Options<In, Out, E>, "address">
  /**
   * What a client does once it is connected, again and again. Its scope ends with it. It is interrupted at the end of the
   * run; what it still asks in a finalizer goes through and is not measured. One that closes its client gets a new one for
   * the next time. A failure is counted by its tag; a defect ends the run.
   */
  readonly session: (client: Client.Client<In, Out>, context: Context) => Effect.Effect<unknown, E2, Scope>
}

/** A client that can be simulated. */
export interface Simulation {
  readonly [TypeId]: true
  readonly target: Target.Target | undefined
  /** One client, from its first connection to the end of the run. */
  readonly live: (stage: Stage, cues: Cues, context: Context) => Effect.Effect<void, Client.SettingsError, Sockets>
}

/** When a client may do what. */
export interface Cues {
  /** Waits for its turn to connect. */
  readonly turn: <A, E, R>(connect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** It is connected, or has failed to be. */
  readonly tried: () => void
  /** Waits until sessions may begin. */
  readonly started: Effect.Effect<void>
}

const TypeId = "~anyport/load/Simulation"

/** A simulation of what an author says. Throws where `target` is none. */
export const make = <In, Out, E = never, E2 = never>(options: Options<In, Out, E, E2>): Simulation => {
  const target = options.target === undefined ? undefined : Target.parse(options.target)
  if (isProblem(target)) throw new RangeError(`Cannot make a simulation: target: ${target.problem}`)
  return { [TypeId]: true, target, live: (stage, cues, context) => live(options, stage, cues, context) }
}

/** Whether it is what {@link make} returns, also that of another copy of this module. */
export const isSimulation = (value: unknown): value is Simulation =>
  typeof value === "object" && value !== null && TypeId in value

// ── One client ─────────────────────────────────────────────────────────────────────────────────────────────────────

const failedMillis = 100
const idleMillis = 1
const lingerMillis = 1_000

const live = Effect.fnUntraced(function* <In, Out, E, E2>(
  { codec, client: clientOf, session }: Options<In, Out, E, E2>,
  stage: Stage,
  { turn, tried, started }: Cues,
  context: Context,
): Effect.fn.Return<void, Client.SettingsError, Sockets> {
  const once = Effect.fnUntraced(function* () {
    const answered = Latch.makeUnsafe() // the first attempt to connect
    const raw = yield* turn(Effect.gen(function* () {
      const said = clientOf?.(context) ?? {}
      const watch = observer(stage, said.handshake !== undefined, answered)
      const client = yield* Client.make(timed(codec, stage), watched(said, context, stage, watch))
      yield* answered.await
      return client
    }))
    tried()
    yield* started
    const client = measured(raw, stage)
    while (stage.phase === "Playing" && stage.problem === undefined) {
      if (Exit.isFailure(yield* Effect.exit(raw.connected))) break
      const { sent, bytesReceived } = stage.measurement.recorder
      const exit = yield* Effect.exit(Effect.scoped(Effect.suspend(() => session(client, context))))
      if (Exit.isFailure(exit)) stage.failed(exit.cause)
      const { recorder } = stage.measurement
      // One that does nothing must not do so without end.
      if (Exit.isFailure(exit)) yield* Effect.sleep(failedMillis)
      else if (recorder.sent === sent && recorder.bytesReceived === bytesReceived) yield* Effect.sleep(idleMillis)
      else yield* Effect.yieldNow
    }
    return raw.state === "Closed" && (yield* raw.closed)._tag !== "LocalClosed"
  })
  const again = Effect.gen(function* () {
    while (!(yield* Effect.scoped(once())) && stage.phase === "Playing" && stage.problem === undefined);
  })
  yield* Random.withSeed(again, context.seed)
})

/** Options of a client whose events and own frames are noticed. */
const watched = <In, Out, E>(
  { handshake, heartbeat, observers = [], deadlines, ...rest }: Omit<Client.Options<In, Out, E>, "address">,
  { address }: Context,
  stage: Stage,
  watch: Client.ClientObserver,
): Client.Options<In, Parcel<Out>, E> => {
  const own = (frame: Out): Parcel<Out> => ({ frame, intended: undefined, sentAt: undefined })
  const { ping: _, ...manners } = heartbeat ?? {}
  const ping = heartbeat?.ping?.bind(heartbeat)
  const beat = (): Parcel<Out> => {
    stage.measurement.recorder.heartbeats++
    return own(ping!()) // it is only used where there is one
  }
  return {
    ...rest,
    address,
    deadlines: { linger: lingerMillis, ...deadlines },
    observers: [watch, ...observers],
    ...handshake === undefined ? {} : {
      handshake: (link) =>
        handshake({ receive: Effect.suspend(() => link.receive), send: (frame) => link.send(own(frame)) }),
    },
    ...heartbeat === undefined ? {} : { heartbeat: { ...manners, ...ping === undefined ? {} : { ping: beat } } },
  }
}

const observer = (stage: Stage, logsIn: boolean, answered: Latch.Latch): Client.ClientObserver => {
  const self = {}
  let before = false // there was a connection
  return (event) => {
    switch (event._tag) {
      case logsIn ? "LoggedIn" : "Connected":
        if (before) stage.measurement.recorder.reconnects++
        before = true
        stage.clients.add(self)
        return void answered.openUnsafe()
      case "Disconnected":
        stage.clients.delete(self)
        stage.disconnected(event.reason)
        return void answered.openUnsafe()
      case "Closed":
        answered.openUnsafe()
    }
  }
}

/** A codec that notes when a frame is written. */
const timed = <In, Out>(codec: Codec<In, Out>, stage: Stage): Codec<In, Parcel<Out>> => ({
  decoder: () => codec.decoder(),
  encoder() {
    const encoder = codec.encoder()
    return {
      encode(parcels, output) {
        stage.written(parcels)
        return encoder.encode(parcels.map(({ frame }) => frame), output)
      },
    }
  },
})

/** The client as its session has it. */
const measured = <In, Out>(client: Client.Client<In, Parcel<Out>>, stage: Stage): Client.Client<In, Out> => ({
  send: (frame) => stage.gate(Effect.suspend(() => client.send(stage.parcel(frame)))),
  request: (frame, options) =>
    stage.gate(Effect.suspend(() => {
      const parcel = stage.parcel(frame)
      stage.asked(parcel)
      return Effect.onExit(client.request(parcel, options), (exit) => Effect.sync(() => stage.answered(parcel, exit)))
    })),
  receive: client.receive,
  frames: client.frames,
  connected: client.connected,
  closed: client.closed,
  close: client.close,
  get state() {
    return client.state
  },
  get usage() {
    return client.usage
  },
})

// ── All of them ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of a plan, what applies to simulated clients. The server is at its target, whatever the simulation says. */
export type Plan = Pick<
  WholePlan,
  "target" | "sources" | "connections" | "connecting" | "connectRate" | "warmup" | "duration" | "grace" | "seed"
>

const tickMillis = 50
const second = 1_000

/**
 * Plays a simulation with so many clients: connects, warms up, measures, waits for the answers that are left, and ends all
 * sessions and clients. Does not fail: what went wrong is in the outcome, as that of `Run.run`.
 */
export const run = (
  simulation: Simulation,
  plan: Plan,
  options: RunOptions,
): Effect.Effect<Outcome, never, Sockets> =>
  Effect.scoped(Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = options.now ?? ((): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
    const measurement = new Measurement(now, options.cpu)
    const stage = new Stage(measurement)
    const sockets = yield* counted(plan, measurement)

    // ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────

    const started = Latch.makeUnsafe()
    const tried = Latch.makeUnsafe() // all of them, once
    const untried = new Set<number>(Array.from({ length: plan.connections }, (_, number) => number))
    const permits = Semaphore.makeUnsafe(plan.connecting)
    const pace = second / (plan.connectRate ?? Infinity)
    let left = plan.connections
    const play = (connection: number) => {
      const notice = (): void => {
        untried.delete(connection)
        if (untried.size === 0) tried.openUnsafe()
      }
      const seed = new Numbers(plan.seed, connection).uint32()
      return simulation.live(
        stage,
        { turn: permits.withPermits(1), tried: notice, started: started.await },
        { connection, seed, address: plan.target.address },
      ).pipe(
        Effect.provideService(Sockets, sockets),
        Effect.catch((error) => Effect.sync(() => stage.break(error.message))),
        Effect.catchDefect((defect) => Effect.sync(() => stage.break(`the module's client died of ${String(defect)}`))),
        Effect.ensuring(Effect.sync(() => {
          left--
          notice()
        })),
      )
    }

    const stopped = Latch.makeUnsafe()
    if (options.stop !== undefined) yield* Effect.forkScoped(Effect.andThen(options.stop, stopped.open))
    const isOver = (): boolean => stopped.isOpen() || stage.problem !== undefined
    const fibers = yield* Effect.forEach(
      [...untried],
      (number) => Effect.forkScoped(pace === 0 ? play(number) : Effect.delay(play(number), number * pace)),
    )
    yield* Effect.raceFirst(tried.await, stopped.await)

    // ── Phases ───────────────────────────────────────────────────────────────────────────────────────────────────

    const connected = stage.clients.size
    const outcome = (measured: number, cpu: number): Outcome => ({
      total: measurement.total,
      intervals: measurement.intervals,
      measured,
      cpu,
      lag: measurement.lag,
      scheduled: undefined,
      unsent: 0,
      connected,
      cut: isOver() || measured === 0,
      problem: stage.problem,
    })
    if (connected > 0 && options.ready !== undefined) {
      yield* Effect.raceFirst(options.ready(connected), stopped.await)
    }
    if (isOver() || connected === 0) {
      stage.settle()
      stage.release()
      measurement.total.add(measurement.recorder)
      return outcome(0, 0)
    }

    const cut = (at: number): void => {
      const interval = measurement.cut(at, { connections: stage.clients.size, inFlight: stage.inFlight })
      options.onInterval?.(interval)
    }
    const tick = Effect.fnUntraced(function* (until: number, from: number) {
      let nextSecond = from + second
      for (let time = now(); time < until && !isOver(); time = now()) {
        const nap = Math.min(tickMillis, until - time)
        yield* Effect.sleep(nap)
        measurement.tick(nap)
        if (left === 0) stage.break("all clients have ended for good")
        const then = now()
        if (then < nextSecond || then >= until) continue
        nextSecond += second * Math.ceil((then - nextSecond + 1) / second)
        cut(then - from)
      }
    })

    measurement.start()
    if (plan.warmup === 0) measurement.begin()
    stage.phase = "Playing"
    started.openUnsafe()
    if (plan.warmup > 0) {
      const warm = now()
      yield* tick(warm + plan.warmup, Infinity)
      measurement.begin()
    }
    const { from } = measurement
    yield* tick(from + plan.duration, from)
    const measured = now() - from
    const { cpu } = measurement
    stage.phase = "Ending"
    const graceEnds = now() + (isOver() ? Math.min(plan.grace, second) : plan.grace)
    for (let rest = graceEnds - now(); stage.owed > 0 && rest > 0; rest = graceEnds - now()) {
      yield* Effect.sleep(Math.min(tickMillis, rest))
    }
    stage.settle()
    cut(measured)
    // Sessions first, so that nobody goes on with what waited for the end but who must not be interrupted.
    for (const fiber of fibers) fiber.interruptUnsafe()
    stage.release()
    yield* Fiber.awaitAll(fibers)
    return outcome(measured, cpu)
  }))

/** The sockets of a plan, by which clients connect to its target and nowhere else. */
const counted = Effect.fnUntraced(function* (plan: Plan, measurement: Measurement) {
  const sockets = yield* Sockets
  const open = yield* Connector.make(plan)
  return Sockets.of({
    ...sockets,
    connect: () =>
      Effect.suspend(() => {
        const { now } = measurement
        const began = now()
        return Effect.map(open(0), (transport) => {
          record(measurement.recorder.connect, now() - began)
          measurement.recorder.connections++
          return new CountedTransport(transport, measurement)
        })
      }),
  })
})
