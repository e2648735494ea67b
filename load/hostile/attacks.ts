/**
 * What hostile clients do, each from the moment at which it is connected. An attack ends when it is done, or is interrupted
 * when its connection has ended or the time is over; it holds a bounded number of bytes, and sends a bounded number of them.
 */
import * as Effect from "effect/Effect"
import type { Framing } from "../Framing.ts"
import type { Random } from "../Random.ts"
import type { HostileMode } from "./modes.ts"
import type { Peer } from "./Peer.ts"

/** What an attack has. */
export interface Scene {
  readonly framing: Framing
  /** A request as it is on the wire. */
  readonly request: Uint8Array
  readonly random: Random
}

/** What one kind of client does. */
export interface Attack {
  readonly what: string
  /** It comes again as soon as it is gone, and is not only there. */
  readonly again: boolean
  /** It answers the server's FIN by its own. */
  readonly polite: boolean
  readonly act: (peer: Peer, scene: Scene) => Effect.Effect<void>
}

/** Between the bytes of one that drips, in milliseconds. */
const dripMillis = 100
/** Between the parts of a frame that is torn. */
const tearMillis = 5
/** Between chunks of garbage. */
const garbageMillis = 10
/** Between two looks of one that reads slowly, and how long it looks. */
const napMillis = 1_000
const lookMillis = 1
/** What one connection sends at most, in bytes. */
const most = 64 * 1024 * 1024
const chunkBytes = 64 * 1024

export const attacks: Readonly<Record<HostileMode, Attack>> = {
  silent: {
    what: "connects and says nothing",
    again: false,
    polite: true,
    act: () => Effect.never,
  },
  slowloris: {
    what: `sends a byte of a frame every ${dripMillis} ms, and never its last`,
    again: false,
    polite: true,
    act: (peer, { request }) =>
      Effect.gen(function* () {
        // Where a frame is one byte, or has no end, there is nothing to hold back.
        const begun = request.subarray(0, Math.max(1, request.length - 1))
        for (let at = 0; at < begun.length; at++) {
          yield* peer.send(begun.subarray(at, at + 1))
          yield* Effect.sleep(dripMillis)
        }
        return yield* Effect.never
      }),
  },
  "torn-frames": {
    what: `sends requests in parts, cut at each place, ${tearMillis} ms between them, then half a request and FIN`,
    again: true,
    polite: true,
    act: (peer, { request }) =>
      Effect.gen(function* () {
        for (let at = 1; at < request.length; at++) {
          yield* peer.send(request.subarray(0, at))
          yield* Effect.sleep(tearMillis)
          yield* peer.send(request.subarray(at))
        }
        yield* peer.send(request.subarray(0, request.length >> 1))
        peer.finish()
        return yield* peer.over
      }),
  },
  garbage: {
    what: `sends bytes by chance, 1 to 4,096 every ${garbageMillis} ms`,
    again: true,
    polite: true,
    act: (peer, { random }) =>
      Effect.gen(function* () {
        for (let sent = 0; sent < most;) {
          const bytes = new Uint8Array(1 + random.below(4_096))
          for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256)
          yield* peer.send(bytes)
          sent += bytes.length
          yield* Effect.sleep(garbageMillis)
        }
      }),
  },
  oversize: {
    what: `declares a frame longer than any may be, and sends as much of it as is taken, up to ${most >> 20} MiB`,
    again: true,
    polite: true,
    act: (peer, { framing }) =>
      Effect.gen(function* () {
        const head = declared(framing.name)
        yield* peer.send(head)
        const filler = new Uint8Array(chunkBytes).fill(0x78) // the letter x, which ends no frame
        for (let sent = head.length; sent < most; sent += filler.length) {
          yield* peer.send(filler)
          // Who takes all of it at once would leave nobody else a turn.
          yield* Effect.yieldNow
        }
        return yield* peer.over
      }),
  },
  "slow-reader": {
    what: `asks as much as is taken, up to ${most >> 20} MiB, and reads for ${lookMillis} ms each second`,
    again: false,
    polite: true,
    act: (peer, { request }) => {
      const count = Math.max(1, Math.floor(chunkBytes / request.length))
      const batch = new Uint8Array(count * request.length)
      for (let index = 0; index < count; index++) batch.set(request, index * request.length)
      const ask = Effect.gen(function* () {
        for (let sent = 0; sent < most; sent += batch.length) {
          yield* peer.send(batch)
          yield* Effect.yieldNow
        }
        return yield* Effect.never
      })
      const read = Effect.gen(function* () {
        for (;;) {
          peer.pause()
          yield* Effect.sleep(napMillis)
          peer.resume()
          yield* Effect.sleep(lookMillis)
        }
      })
      return Effect.raceFirst(ask, read)
    },
  },
  "half-open": {
    what: "asks, reads the beginning of the answer, and is never heard of again: no byte, no FIN, nothing read",
    again: false,
    polite: false,
    act: (peer, { request }) =>
      Effect.gen(function* () {
        yield* peer.send(request)
        yield* peer.received(1)
        peer.pause()
        return yield* Effect.never
      }),
  },
  "reset-storm": {
    what: "asks, resets without reading the answer, and comes again",
    again: true,
    polite: true,
    act: (peer, { request }) => Effect.andThen(peer.send(request), Effect.sync(() => peer.reset())),
  },
}

/** The beginning of a frame that is longer than any may be; nothing where frames have no length. */
const declared = (framing: string): Uint8Array => {
  const [name, argument] = framing.split(":")
  switch (name) {
    case "length":
      return new Uint8Array(Number(argument)).fill(0xff)
    case "varint":
      return Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f) // 2^32 - 1
    case "netstring":
      return new TextEncoder().encode("999999999:")
    default:
      return new Uint8Array(0)
  }
}
