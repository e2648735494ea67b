/**
 * What a server is soaked in, all at the same time: requests at a fixed rate, clients that come and go, and once in a while
 * somebody who asks for much and reads nothing. A reload of the configuration may join them.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { connect } from "node:net"
import { performance } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { layer } from "../../adapters/node.ts"
import { cpu } from "../../cli/load/cpu.ts"
import * as Address from "../../core/Address.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { constant as always } from "../../load/Messages.ts"
import type { Outcome } from "../../load/Outcome.ts"
import { run } from "../../load/Run.ts"
import { constant } from "../../load/Schedule.ts"
import * as Simulation from "../../load/Simulation.ts"

/** How much of it. */
export interface Amount {
  readonly port: number
  /** Requests a second. */
  readonly rate: number
  /** Milliseconds. */
  readonly duration: number
  /** From one who reads nothing to the next, in milliseconds; the first comes after half of it. */
  readonly freezeEvery: number
}

/** What became of it. */
export interface Traffic {
  readonly steady: Outcome
  readonly churn: Outcome
  readonly frozen: number
}

/** For answers at the end: a machine that has much else to do is not what is judged. */
const grace = 60_000
const connections = 50
const inFlight = 64
const visitors = 10
/** Each visitor stays so long at most, so that about twenty come in a second. */
const visitMillis = 1_000
/** Somebody who reads nothing is gone then, if the server has not ended him: before the next one comes. */
const frozenMillis = 25_000
/** More than the buffers of the system and of the server hold, with the answers: 32 of 1 MiB. */
const frozenBlock = `${"x".repeat(1_023)}\n`.repeat(1_024)
const frozenBlocks = 32

/** Soaks a server. Resolves when it is over. */
export const soak = async (amount: Amount): Promise<Traffic> => {
  const over = new AbortController()
  const frozen = freezes(amount, over.signal)
  try {
    const [steady, churn] = await Promise.all([requests(amount), visits(amount)])
    over.abort()
    return { steady, churn, frozen: await frozen }
  } finally {
    over.abort()
  }
}

const targetOf = (port: number) => {
  const address = Address.tcp("127.0.0.1", port)
  return { url: `tcp://${Address.format(address)}`, address, webSocket: undefined }
}

const options = {
  cpu,
  now: (): number => performance.now(),
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const requests = ({ port, rate, duration }: Amount): Promise<Outcome> =>
  Effect.runPromise(Effect.provide(
    run({
      target: targetOf(port),
      sources: [],
      framing: () => Lines.bytes({ maxLength: 1_024 }),
      mode: "open",
      connections,
      inFlight,
      stages: constant(rate, duration),
      warmup: 0,
      duration,
      think: 0,
      messages: always(bytes("x".repeat(63))),
      expect: { _tag: "Echo", prefix: bytes("echo: ") },
      hello: undefined,
      beat: undefined,
      connectTimeout: grace,
      grace,
      connecting: connections,
      reconnect: true,
      seed: 1,
    }, options),
    layer,
  ))

const visitor = Simulation.make({
  codec: Lines.make({ maxLength: 1_024 }),
  session: (client) =>
    Effect.gen(function* () {
      yield* client.request("hello")
      yield* Effect.sleep(yield* Random.nextBetween(0, visitMillis))
      yield* client.request("bye")
      yield* client.close
    }),
})

const visits = ({ port, duration }: Amount): Promise<Outcome> =>
  Effect.runPromise(Effect.provide(
    Simulation.run(visitor, {
      target: targetOf(port),
      sources: [],
      connections: visitors,
      connecting: visitors,
      warmup: 0,
      duration,
      grace,
      seed: 1,
    }, options),
    layer,
  ))

const freezes = async ({ port, freezeEvery }: Amount, signal: AbortSignal): Promise<number> => {
  let count = 0
  const nap = (millis: number) => sleep(millis, undefined, { signal }).then(() => true, () => false)
  for (let wait = freezeEvery / 2; await nap(wait); wait = freezeEvery) {
    count++
    freeze(port, signal)
  }
  return count
}

/** Asks for much, and reads nothing. */
const freeze = (port: number, signal: AbortSignal): void => {
  const socket = connect({ host: "127.0.0.1", port })
  const leave = (): void => void socket.destroy()
  const timer = setTimeout(leave, frozenMillis)
  signal.addEventListener("abort", leave, { once: true })
  socket.pause()
  socket.on("error", () => {}) // `close` follows
  socket.on("connect", () => {
    for (let block = 0; block < frozenBlocks; block++) socket.write(frozenBlock)
  })
  socket.on("close", () => {
    clearTimeout(timer)
    signal.removeEventListener("abort", leave)
  })
}
