/** Clause 9, options: NODELAY, keep-alive and dual-stack are the same everywhere. The backlog is seen by clause 8. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Address from "../../../core/Address.ts"
import * as Case from "./Case.ts"
import { attached, expect, finishBoth, listen, named, portOf, settle } from "./harness.ts"

/** Skips the case where the machine has no IPv6. */
const ipv6 = Effect.suspend(() => Effect.scoped(listen(Address.tcp("::1", 0)))).pipe(
  Effect.catch((error) => Effect.fail(new Case.Skipped({ message: `no IPv6 here: ${String(error)}` }))),
)

/** The cases of clause 9. */
export const options: ReadonlyArray<Case.Case> = [
  Case.make(
    9,
    "NODELAY is on at both ends: small writes do not wait for acknowledgements",
    () =>
      Effect.gen(function* () {
        const ends = yield* attached()
        const before = yield* Clock.currentTimeMillis
        for (let round = 1; round <= 50; round++) {
          for (const [from, to] of [[ends.client, ends.server], [ends.server, ends.client]] as const) {
            from.send(1)
            yield* Effect.yieldNow
            from.send(1)
            yield* to.untilReceived(2 * round)
          }
        }
        // With Nagle's algorithm each of the 100 second bytes waits 40 ms for a delayed acknowledgement.
        const elapsed = (yield* Clock.currentTimeMillis) - before
        yield* expect(elapsed < 1_500, `100 times two small writes took ${elapsed} ms`)
        yield* finishBoth(ends)
      }),
  ),

  Case.make(9, "keep-alive is on at both ends", () =>
    Effect.gen(function* () {
      const { client } = yield* attached()
      const { localAddress, remoteAddress } = client.transport
      if (localAddress?._tag !== "Tcp" || remoteAddress?._tag !== "Tcp") return yield* expect(false, "no addresses")
      yield* settle
      const ports = [localAddress.port, remoteAddress.port].map((port) =>
        port.toString(16).toUpperCase().padStart(4, "0")
      )
      const lines = fs.readFileSync("/proc/net/tcp", "latin1").split("\n").filter((line) =>
        ports.every((port) => line.includes(`:${port} `)) && line.includes(" 01 ")
      )
      // The sixth column is the timer that runs; 02 is keep-alive.
      const timers = lines.map((line) => line.trim().split(/\s+/)[5]?.slice(0, 2))
      yield* expect(
        timers.join() === "02,02",
        `timers of the connection are ${timers.join() || "unknown"}, wanted 02,02`,
      )
    }), { area: "system" }),

  Case.make(
    9,
    ":: serves 127.0.0.1 and ::1, and names an IPv4 peer by its IPv4 address [F68]",
    () =>
      Effect.gen(function* () {
        yield* ipv6
        const bound = yield* listen(Address.tcp("::", 0))
        const port = portOf(bound.address)
        for (const host of ["127.0.0.1", "::1"]) {
          const ends = yield* attached({ ...bound, address: Address.tcp(host, port) })
          const { remoteAddress } = ends.server.transport
          yield* expect(remoteAddress?._tag === "Tcp" && remoteAddress.host === host, `peer is ${named(remoteAddress)}`)
          yield* finishBoth(ends)
        }
      }),
    { area: "addresses" },
  ),

  Case.make(9, "127.0.0.1 and ::1 are bound side by side on one port [F68]", () =>
    Effect.gen(function* () {
      yield* ipv6
      const first = yield* listen()
      const second = yield* listen(Address.tcp("::1", portOf(first.address)))
      yield* finishBoth(yield* attached(first))
      yield* finishBoth(yield* attached(second))
    }), { area: "addresses" }),

  Case.make(
    9,
    "localhost reaches a listener on 127.0.0.1, whatever it resolves to first [F68]",
    () =>
      Effect.gen(function* () {
        const bound = yield* listen()
        yield* finishBoth(yield* attached({ ...bound, address: Address.tcp("localhost", portOf(bound.address)) }))
      }),
    { area: "addresses" },
  ),
]
