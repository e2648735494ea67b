/**
 * The port's conformance: cases against nothing but the port, a listener and its clients over the same adapter.
 *
 * Each case stands under the number of the clause that it tests; 0 is `listen` and `connect` themselves, which have no
 * number. In brackets stand the numbers of the behaviours that were found broken in some runtime (d5) or of the fault
 * (F) that it covers. What holds in every case, clauses 1, 2 and 7, is checked by {@link End} all the time.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as Address from "../../core/Address.ts"
import { type Capabilities, type Listener, type ListenOptions, Sockets } from "../../core/Sockets.ts"
import { Broken, End } from "./End.ts"

/**
 * What a case needs, as far as it wants permissions of its own: TCP on 127.0.0.1, other loopback addresses, Unix
 * sockets, their paths as files, the whole system, or to have permission for nothing but 127.0.0.1.
 */
export type Area = "tcp" | "addresses" | "unix" | "files" | "system" | "denied"

/** One case of the suite. */
export interface Case {
  readonly clause: number
  readonly name: string
  readonly area: Area
  /** The ability without which it is skipped. */
  readonly needs?: keyof Capabilities
  readonly run: Effect.Effect<void, unknown, Sockets | Scope.Scope>
}

/** The case means nothing on this machine. */
export class Skipped extends Data.TaggedError("Skipped")<{ readonly message: string }> {}

type Run = Effect.Effect<void, unknown, Sockets | Scope.Scope>

const cases: Array<Case> = []

const add = (clause: number, name: string, run: () => Run, options: Partial<Pick<Case, "area" | "needs">> = {}) =>
  cases.push({ clause, name, area: "tcp", run: Effect.suspend(run), ...options })

/** The suite. Cases of the areas `unix` and `files` bind paths in `directory`. */
export const suite = (directory: string): ReadonlyArray<Case> => {
  place = directory
  return cases
}

let place = ""
const here = Address.tcp("127.0.0.1", 0)
const mebibyte = 1024 * 1024

// ── Listening and connecting ───────────────────────────────────────────────────────────────────────────────────────

/** A listener whose accepted ends are taken one by one, in order. */
interface Bound {
  readonly listener: Listener
  readonly address: Address.Address
  /** The next accepted end, unattached. */
  readonly next: Effect.Effect<End>
}

const listen = (
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

const connect = (address: Address.Address): Effect.Effect<End, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = yield* Sockets
    return new End(yield* sockets.connect({ address }))
  })

/** A client and its server, both unattached. */
const pair = (bound?: Bound): Effect.Effect<Ends, unknown, Sockets | Scope.Scope> =>
  Effect.gen(function* () {
    const { address, next } = bound ?? (yield* listen())
    const client = yield* connect(address)
    return { client, server: yield* next }
  })

interface Ends {
  readonly client: End
  readonly server: End
}

const attached = (bound?: Bound) =>
  Effect.tap(pair(bound), ({ client, server }) =>
    Effect.sync(() => {
      client.attach()
      server.attach()
    }))

/** As many turns of the loop as some round trips over another connection take: what was to come has come. */
const settle: Effect.Effect<void, unknown, Sockets | Scope.Scope> = Effect.suspend(() =>
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

const expect = (holds: boolean, message: string): Effect.Effect<void, Broken> =>
  holds ? Effect.void : Effect.fail(new Broken({ message }))

/** Both ends finish, whatever is still coming. */
const finishBoth = ({ client, server }: Ends) =>
  Effect.gen(function* () {
    client.shutdown()
    server.shutdown()
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  })

/** Fails with the given problem. */
const problem = (expected: string, effect: Effect.Effect<unknown, unknown, Sockets | Scope.Scope>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(effect)
    const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
    const found = error instanceof Object && "problem" in error ? error.problem : `no problem: ${String(error)}`
    yield* expect(found === expected, `found ${String(found)}, wanted ${expected}`)
    return error
  })

// ── 1. Borrowed both ways ──────────────────────────────────────────────────────────────────────────────────────────

add(1, "16 MiB to a reader that starts late arrive byte for byte [d5-1]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    server.attach()
    server.sendAll(16 * mebibyte)
    yield* expect(server.blocked, "16 MiB were taken at once")
    yield* settle
    client.attach()
    yield* client.until("fin", (end) => end.fins === 1)
    yield* expect(client.received === 16 * mebibyte, `received ${client.received} bytes`)
    client.shutdown()
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  }))

for (const [label, size] of [["64 B", 64], ["100 KiB", 100 * 1024], ["1 MiB", mebibyte]] as const) {
  add(1, `memory is free again when write returns: both ways in writes of ${label}`, () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      const total = Math.min(4 * mebibyte, size * 4096)
      ends.client.send(total, size)
      ends.server.send(total, size)
      yield* ends.client.untilReceived(total)
      yield* ends.server.untilReceived(total)
      yield* finishBoth(ends)
    }))
}

add(1, "writes of every length from 1 to 2,000 bytes arrive in order", () =>
  Effect.gen(function* () {
    const ends = yield* attached()
    let total = 0
    for (let size = 1; size <= 2_000; size++) {
      total += size
      ends.client.send(total - ends.client.sent, size)
      if (ends.client.blocked) yield* ends.server.untilReceived(total)
    }
    yield* ends.server.untilReceived(total)
    yield* finishBoth(ends)
  }))

// ── 2. No call inside a call ───────────────────────────────────────────────────────────────────────────────────────

add(2, "attach and resume return before the first bytes, which were waiting", () =>
  Effect.gen(function* () {
    const ends = yield* pair()
    ends.client.attach()
    ends.client.send(1000)
    yield* settle
    ends.server.attach()
    yield* ends.server.untilReceived(1000)
    ends.server.pause()
    ends.client.send(1000)
    yield* settle
    ends.server.resume()
    yield* ends.server.untilReceived(2000)
    yield* finishBoth(ends)
  }))

for (const method of ["abort", "shutdown", "pause", "resume"] as const) {
  add(2, `${method} called from bytes, and twice, calls nobody back at once`, () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.onBytes = () => {
        server[method]()
        server[method]()
      }
      client.send(1)
      yield* server.untilReceived(1)
      server.onBytes = undefined
      client.abort()
      server.abort()
      yield* server.until("closed", (end) => end.end !== undefined)
      yield* client.until("closed", (end) => end.end !== undefined)
    }))
}

add(2, "a large write and shutdown called from bytes, and abort from fin", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.onBytes = () => server.sendAll(8 * mebibyte)
    server.onFin = () => server.abort()
    client.send(1)
    yield* client.untilReceived(8 * mebibyte)
    client.shutdown()
    yield* server.until("closed", (end) => end.end !== undefined)
    yield* client.until("closed", (end) => end.end !== undefined)
  }))

add(2, "shutdown called from fin ends both sides", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.onFin = () => server.shutdown()
    client.shutdown()
    yield* server.untilClosed("Finished")
    yield* client.untilClosed("Finished")
  }))

// ── 3. Total ───────────────────────────────────────────────────────────────────────────────────────────────────────

const callAll = (end: End) =>
  Effect.gen(function* () {
    for (let times = 0; times < 2; times++) {
      end.pause()
      end.resume()
      end.shutdown()
      end.abort()
      yield* expect(end.write(new Uint8Array(10)) === 0, "write took bytes after the end")
      yield* expect(end.write(new Uint8Array(0)) === 0, "write of nothing took bytes")
    }
    yield* expect(end.transport.sending === 0, "still sending after the end")
    void end.transport.localAddress
    void end.transport.remoteAddress
    yield* settle
    yield* end.until("no violation", () => true)
  })

add(3, "every method does nothing after Finished, twice [d5-14]", () =>
  Effect.gen(function* () {
    const ends = yield* attached()
    yield* finishBoth(ends)
    yield* callAll(ends.server)
    yield* callAll(ends.client)
  }))

add(
  3,
  "every method does nothing after Aborted and after the peer's abort, twice [d5-14]",
  () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      server.onFin = () => server.shutdown()
      client.abort()
      yield* client.untilClosed("Aborted")
      yield* server.until("closed", (end) => end.end !== undefined)
      yield* callAll(client)
      yield* callAll(server)
    }),
)

add(3, "every method may be called between abort and its report", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.abort()
    server.pause()
    server.resume()
    server.shutdown()
    server.abort()
    yield* expect(server.write(new Uint8Array(10)) === 0, "write took bytes after abort")
    yield* server.untilClosed("Aborted")
    client.abort()
    yield* client.until("closed", (end) => end.end !== undefined)
  }))

add(3, "every method may be called before attach", () =>
  Effect.gen(function* () {
    const ends = yield* pair()
    ends.server.pause()
    ends.server.resume()
    ends.server.pause()
    ends.server.send(1000)
    ends.client.send(1000)
    ends.client.attach()
    yield* ends.client.untilReceived(1000)
    ends.server.attach()
    yield* settle
    yield* expect(ends.server.received === 0, "received while paused since before attach")
    ends.server.resume()
    yield* ends.server.untilReceived(1000)
    yield* finishBoth(ends)
  }))

add(3, "pause, resume and shutdown twice are as once", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    for (const end of [client, server]) {
      end.pause()
      end.pause()
      end.resume()
      end.resume()
      end.send(100_000)
    }
    yield* client.untilReceived(100_000)
    yield* server.untilReceived(100_000)
    client.shutdown()
    client.shutdown()
    yield* expect(client.write(new Uint8Array(1)) === 0, "write took bytes after shutdown")
    server.shutdown()
    server.shutdown()
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  }))

add(3, "a client that aborts as soon as it is connected harms nobody [F3]", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    for (let round = 0; round < 20; round++) {
      const client = yield* connect(bound.address)
      client.abort()
      client.attach()
      yield* client.untilClosed("Aborted")
    }
    const last = yield* connect(bound.address)
    last.attach()
    last.send(10)
    for (let round = 0; round < 20; round++) {
      const server = yield* bound.next
      server.onFin = () => server.shutdown()
      server.attach()
      yield* server.until("closed", (end) => end.end !== undefined)
    }
    const server = yield* bound.next
    server.attach()
    yield* server.untilReceived(10)
    yield* finishBoth({ client: last, server })
  }))

// ── 4. Pause ───────────────────────────────────────────────────────────────────────────────────────────────────────

add(
  4,
  "pause lets at most one more chunk through, fills the pipe, and resume gets the rest",
  () =>
    Effect.gen(function* () {
      const ends = yield* attached()
      ends.server.pause()
      ends.client.send(16 * mebibyte)
      yield* settle
      yield* settle
      yield* expect(ends.server.chunks <= 1, `${ends.server.chunks} chunks while paused`)
      yield* expect(ends.client.blocked, "16 MiB were taken although nobody reads")
      ends.server.resume()
      yield* ends.server.untilReceived(16 * mebibyte)
      yield* finishBoth(ends)
    }),
)

add(4, "pausing in each chunk loses nothing", () =>
  Effect.gen(function* () {
    const ends = yield* attached()
    const { server } = ends
    const context = yield* Effect.context<never>()
    server.onBytes = () => {
      server.pause()
      Effect.runForkWith(context)(Effect.flatMap(Effect.yieldNow, () => Effect.sync(() => server.resume())))
    }
    ends.client.send(2 * mebibyte, 1000)
    yield* server.untilReceived(2 * mebibyte)
    server.onBytes = undefined
    yield* settle
    yield* finishBoth(ends)
  }))

add(4, "pause, the peer sends and finishes, resume: data, then fin [d5-5]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.pause()
    client.sendAll(200_000)
    yield* settle
    yield* expect(server.chunks <= 1, `${server.chunks} chunks while paused`)
    server.resume()
    yield* server.until("fin", (end) => end.fins === 1)
    yield* expect(server.received === 200_000, `received ${server.received} bytes before fin`)
    server.shutdown()
    yield* server.untilClosed("Finished")
    yield* client.untilClosed("Finished")
  }))

add(4, "pause, the peer resets, resume: Reset [d5-6]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.pause()
    client.send(100_000)
    yield* settle
    client.abort()
    yield* settle
    server.resume()
    yield* server.untilClosed("Reset")
    yield* client.untilClosed("Aborted")
  }), { needs: "reset" })

// ── 5. fin ─────────────────────────────────────────────────────────────────────────────────────────────────────────

add(5, "the peer half-closes and gets a reply of 1 MiB [d5-3]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.onFin = () => server.sendAll(mebibyte)
    client.sendAll(100)
    yield* client.until("fin", (end) => end.fins === 1)
    yield* expect(client.received === mebibyte, `received ${client.received} bytes before fin`)
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  }))

add(5, "fin comes once and closes nothing", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    client.shutdown()
    yield* server.until("fin", (end) => end.fins === 1)
    for (let round = 1; round <= 20; round++) {
      server.send(1)
      yield* client.untilReceived(round)
    }
    yield* settle
    yield* expect(server.end === undefined && client.end === undefined, "closed because of fin")
    server.pause()
    server.resume()
    server.shutdown()
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
  }))

// ── 6. shutdown ────────────────────────────────────────────────────────────────────────────────────────────────────

add(6, "after our shutdown the peer sends 1 MiB more [d5-4]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.shutdown()
    yield* client.until("fin", (end) => end.fins === 1)
    client.sendAll(mebibyte)
    yield* server.until("fin", (end) => end.fins === 1)
    yield* expect(server.received === mebibyte, `received ${server.received} bytes before fin`)
    yield* server.untilClosed("Finished")
    yield* client.untilClosed("Finished")
  }))

add(
  6,
  "shutdown directly behind a large reply while the peer keeps sending: all of it arrives [d5-2]",
  () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached()
      client.send(8 * mebibyte)
      server.sendAll(8 * mebibyte)
      yield* client.until("fin", (end) => end.fins === 1)
      yield* expect(client.received === 8 * mebibyte, `received ${client.received} bytes before fin`)
      yield* server.untilReceived(8 * mebibyte)
      client.shutdown()
      yield* server.untilClosed("Finished")
      yield* client.untilClosed("Finished")
    }),
)

add(6, "both sides shut down at once: Finished and Finished", () =>
  Effect.gen(function* () {
    const ends = yield* attached()
    ends.client.sendAll(10)
    ends.server.sendAll(10)
    yield* ends.client.untilClosed("Finished")
    yield* ends.server.untilClosed("Finished")
    yield* expect(ends.client.fins === 1 && ends.server.fins === 1, "closed without fin")
    yield* expect(ends.client.received === 10 && ends.server.received === 10, "closed without the bytes")
  }))

// ── 7. Order ───────────────────────────────────────────────────────────────────────────────────────────────────────

add(7, "the peer goes away while writes are queued: Reset, and nothing spins [d5-7]", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    server.attach()
    server.send(16 * mebibyte)
    yield* settle
    yield* expect(server.blocked, "16 MiB were taken although nobody reads")
    client.abort() // with bytes unread, so every system sends RST
    yield* server.untilClosed("Reset")
    yield* expect(server.writables < 1_000, `writable was called ${server.writables} times`)
    yield* expect(server.transport.sending === 0, "still sending after a reset")
  }))

add(7, "a reset of an idle connection is Reset", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    client.abort()
    yield* server.untilClosed("Reset")
    yield* client.untilClosed("Aborted")
    yield* expect(server.fins === 0, "fin of a peer that has reset")
  }), { needs: "reset" })

add(7, "a reset that a write meets before it was reported is Reset", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    client.abort()
    server.send(10)
    server.send(10)
    yield* server.untilClosed("Reset")
  }), { needs: "reset" })

add(7, "a reset after our shutdown is Reset", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.shutdown()
    yield* client.until("fin", (end) => end.fins === 1)
    client.abort()
    yield* server.untilClosed("Reset")
  }), { needs: "reset" })

add(7, "a reset after the peer's fin ends a reply that is queued with Reset", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    server.attach()
    server.onFin = () => server.send(16 * mebibyte)
    client.shutdown()
    yield* server.until("fin", (end) => end.fins === 1)
    yield* settle
    client.abort()
    yield* server.untilClosed("Reset")
  }))

add(7, "a transport that was reset before attach reports after it", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    client.abort()
    yield* settle
    server.attach()
    yield* server.untilClosed("Reset")
  }), { needs: "reset" })

add(7, "a transport that was aborted before attach reports after it", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    client.abort()
    server.abort()
    yield* settle
    server.attach()
    client.attach()
    yield* server.untilClosed("Aborted")
    yield* client.untilClosed("Aborted")
  }))

add(7, "abort directly behind shutdown is Aborted, once", () =>
  Effect.gen(function* () {
    const { client, server } = yield* attached()
    server.shutdown()
    server.abort()
    yield* server.untilClosed("Aborted")
    client.shutdown()
    yield* client.until("closed", (end) => end.end !== undefined)
  }))

// ── 8. accept ──────────────────────────────────────────────────────────────────────────────────────────────────────

add(8, "accept is called before any byte is sent", () =>
  Effect.gen(function* () {
    yield* finishBoth(yield* attached())
  }))

add(8, "a transport held unread delivers nothing until it is attached", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair()
    client.attach()
    client.sendAll(50_000)
    yield* settle
    yield* expect(server.received === 0, "received before attach")
    server.attach()
    yield* server.until("fin", (end) => end.fins === 1)
    yield* expect(server.received === 50_000, `received ${server.received} bytes before fin`)
    server.shutdown()
    yield* server.untilClosed("Finished")
    yield* client.untilClosed("Finished")
  }))

add(8, "attach in accept, with a write at once", () =>
  Effect.gen(function* () {
    const bound = yield* listen(here, (end) => {
      end.attach()
      end.send(10)
    })
    const client = yield* connect(bound.address)
    client.attach()
    client.send(10)
    const server = yield* bound.next
    yield* client.untilReceived(10)
    yield* server.untilReceived(10)
    yield* finishBoth({ client, server })
  }))

add(8, "abort in accept refuses the client", () =>
  Effect.gen(function* () {
    const bound = yield* listen(here, (end) => end.abort())
    // The reset may come before the runtime has reported the connection.
    const client = yield* Effect.result(connect(bound.address))
    if (Result.isSuccess(client)) {
      client.success.onFin = () => client.success.shutdown()
      client.success.attach()
      yield* client.success.until("closed", (end) => end.end !== undefined)
    } else yield* problem("Reset", Effect.fail(client.failure))
    const server = yield* bound.next
    server.attach()
    yield* server.untilClosed("Aborted")
  }))

add(8, "400 clients that connect in one turn are all accepted", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    const clients = yield* Effect.all(Array.from({ length: 400 }, () => connect(bound.address)), {
      concurrency: "unbounded",
    })
    for (const client of clients) {
      client.attach()
      const server = yield* bound.next
      server.attach()
    }
    for (const client of clients) {
      client.abort()
      yield* client.untilClosed("Aborted")
    }
  }))

add(
  8,
  "a paused listener accepts nobody and harms nobody; after resume it accepts again",
  () =>
    Effect.gen(function* () {
      const { capabilities } = yield* Sockets
      let accepted = 0
      const bound = yield* listen(here, () => accepted++)
      const ends = yield* attached(bound)
      bound.listener.pause()
      bound.listener.pause()
      if (capabilities.stopAccepting === "unbind") yield* problem("Refused", connect(bound.address))
      else yield* connect(bound.address)
      yield* settle
      yield* expect(accepted === 1, "accepted while paused")
      ends.client.send(10)
      yield* ends.server.untilReceived(10)
      yield* bound.listener.resume
      yield* bound.listener.resume
      if (capabilities.stopAccepting === "backlog") (yield* bound.next).abort()
      yield* finishBoth(yield* attached(bound))
      yield* finishBoth(ends)
    }),
)

// ── 9. Options ─────────────────────────────────────────────────────────────────────────────────────────────────────

add(9, "NODELAY is on at both ends: small writes do not wait for acknowledgements", () =>
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
  }))

add(9, "keep-alive is on at both ends", () =>
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
    yield* expect(timers.join() === "02,02", `timers of the connection are ${timers.join() || "unknown"}, wanted 02,02`)
  }), { area: "system" })

add(9, ":: serves 127.0.0.1 and ::1, and names an IPv4 peer by its IPv4 address [F68]", () =>
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
  }), { area: "addresses" })

add(9, "127.0.0.1 and ::1 are bound side by side on one port [F68]", () =>
  Effect.gen(function* () {
    yield* ipv6
    const first = yield* listen()
    const second = yield* listen(Address.tcp("::1", portOf(first.address)))
    yield* finishBoth(yield* attached(first))
    yield* finishBoth(yield* attached(second))
  }), { area: "addresses" })

add(9, "localhost reaches a listener on 127.0.0.1, whatever it resolves to first [F68]", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    yield* finishBoth(yield* attached({ ...bound, address: Address.tcp("localhost", portOf(bound.address)) }))
  }), { area: "addresses" })

const ipv6 = Effect.suspend(() => Effect.scoped(listen(Address.tcp("::1", 0)))).pipe(
  Effect.catch((error) => Effect.fail(new Skipped({ message: `no IPv6 here: ${String(error)}` }))),
)

const portOf = (address: Address.Address): number => address._tag === "Tcp" ? address.port : -1

const named = (address: Address.Address | undefined): string => address === undefined ? "none" : Address.format(address)

// ── 0. listen and connect ──────────────────────────────────────────────────────────────────────────────────────────

add(0, "port 0 is answered with the port that was chosen, and both ends know it", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    yield* expect(portOf(bound.address) > 0, `bound ${named(bound.address)}`)
    const ends = yield* attached(bound)
    const { client, server } = ends
    const same = (a: Address.Address | undefined, b: Address.Address | undefined) => named(a) === named(b)
    yield* expect(same(client.transport.remoteAddress, bound.address), `peer ${named(client.transport.remoteAddress)}`)
    yield* expect(same(server.transport.localAddress, bound.address), `own ${named(server.transport.localAddress)}`)
    yield* expect(
      same(client.transport.localAddress, server.transport.remoteAddress),
      "the ends do not know each other",
    )
    yield* finishBoth(ends)
  }))

add(0, "a second bind is AddressInUse [d5-11]", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    yield* problem("AddressInUse", listen(bound.address))
    yield* finishBoth(yield* attached(bound))
  }))

add(0, "what is no address is InvalidAddress, to listen and to connect", () =>
  Effect.gen(function* () {
    for (const address of [Address.tcp("127.0.0.1", 70_000), Address.tcp("", 0)]) {
      yield* problem("InvalidAddress", listen(address))
      yield* problem("InvalidAddress", connect(address))
    }
  }))

add(
  0,
  "an address of another machine is AddressUnavailable",
  () => problem("AddressUnavailable", listen(Address.tcp("192.0.2.1", 0))).pipe(Effect.asVoid),
  { area: "system" },
)

add(0, "a name that nobody has is NameNotFound to connect and InvalidAddress to listen", () =>
  Effect.gen(function* () {
    yield* problem("NameNotFound", connect(Address.tcp("nobody.invalid", 9)))
    yield* problem("InvalidAddress", listen(Address.tcp("nobody.invalid", 0)))
  }), { area: "system" })

add(0, "what the process has no permission for is PermissionDenied", () =>
  Effect.gen(function* () {
    for (const address of [Address.tcp("127.0.0.2", 9), Address.tcp("::", 9), Address.unix(`${place}/denied.sock`)]) {
      yield* problem("PermissionDenied", listen(address))
      yield* problem("PermissionDenied", connect(address))
    }
  }), { area: "denied" })

add(0, "connecting where nobody listens is Refused", () =>
  Effect.gen(function* () {
    const address = yield* Effect.scoped(Effect.map(listen(), (bound) => bound.address))
    yield* problem("Refused", connect(address))
  }))

add(0, "close stops accepting, does not wait for connections, and frees the port", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    const ends = yield* attached(bound)
    yield* bound.listener.close
    yield* bound.listener.close
    bound.listener.pause()
    yield* bound.listener.resume
    yield* problem("Refused", connect(bound.address))
    ends.client.send(100_000)
    yield* ends.server.untilReceived(100_000)
    yield* finishBoth(yield* attached(yield* listen(bound.address)))
    yield* finishBoth(ends)
  }))

add(0, "closing the scope of connect aborts the connection", () =>
  Effect.gen(function* () {
    const bound = yield* listen()
    const scope = yield* Scope.make()
    const client = yield* Scope.provide(connect(bound.address), scope)
    client.attach()
    const server = yield* bound.next
    server.onFin = () => server.shutdown()
    server.attach()
    yield* Scope.close(scope, Exit.void)
    yield* client.untilClosed("Aborted")
    yield* server.until("closed", (end) => end.end !== undefined)
  }))

add(0, "interrupting connect, or who uses it, leaves no connection behind", () =>
  Effect.gen(function* () {
    const accepted: Array<End> = []
    const bound = yield* listen(here, (end) => {
      accepted.push(end)
      end.onFin = () => end.shutdown()
      end.attach()
    })
    for (let round = 0; round < 20; round++) {
      const user = Effect.scoped(Effect.andThen(connect(bound.address), Effect.never))
      yield* Fiber.interrupt(yield* Effect.forkChild(user, { startImmediately: true }))
    }
    yield* settle
    yield* expect(accepted.length <= 20, `${accepted.length} connections`)
    for (const end of accepted) yield* end.until("closed", (end) => end.end !== undefined)
  }))

add(0, "reusePort shares a port, or is Unsupported where the runtime cannot", () =>
  Effect.gen(function* () {
    const { capabilities } = yield* Sockets
    if (!capabilities.reusePort) {
      yield* problem("Unsupported", listen({ address: here, reusePort: true }))
      return
    }
    const first = yield* listen({ address: here, reusePort: true })
    yield* listen({ address: first.address, reusePort: true })
    yield* problem("AddressInUse", listen(first.address))
  }))

add(0, "a Unix socket carries bytes both ways and half-closes", () =>
  Effect.gen(function* () {
    const bound = yield* listen(Address.unix(`${place}/plain.sock`))
    const { client, server } = yield* attached(bound)
    server.onFin = () => server.sendAll(2 * mebibyte)
    client.sendAll(2 * mebibyte)
    yield* client.untilReceived(2 * mebibyte)
    yield* client.untilClosed("Finished")
    yield* server.untilClosed("Finished")
    yield* expect(server.received === 2 * mebibyte, `received ${server.received} bytes`)
    yield* expect(named(server.transport.localAddress) === named(bound.address), "the server does not know its path")
    yield* expect(server.transport.remoteAddress === undefined, "an unnamed peer has a name")
    yield* problem("AddressInUse", listen(bound.address))
  }), { area: "unix" })

add(0, "a Unix peer that is gone ends as Finished after our shutdown", () =>
  Effect.gen(function* () {
    const bound = yield* listen(Address.unix(`${place}/gone.sock`))
    const { client, server } = yield* attached(bound)
    client.sendAll(10)
    yield* server.until("fin", (end) => end.fins === 1)
    client.abort()
    yield* settle
    yield* expect(server.end === undefined, "closed because of fin")
    server.shutdown()
    yield* server.untilClosed("Finished")
  }), { area: "files" })

add(
  0,
  "a Unix peer that sends and goes away while this side is paused: data, then fin after resume",
  () =>
    Effect.gen(function* () {
      const { client, server } = yield* attached(yield* listen(Address.unix(`${place}/paused.sock`)))
      server.onFin = () => server.shutdown()
      server.pause()
      client.sendAll(50_000)
      yield* settle
      client.abort()
      yield* settle
      yield* expect(server.chunks <= 1, `${server.chunks} chunks while paused`)
      server.resume()
      yield* server.untilClosed("Finished")
      yield* expect(server.received === 50_000 && server.fins === 1, `received ${server.received} bytes`)
    }),
  { area: "files" },
)

add(0, "a Unix peer that goes away while writes are queued is Reset", () =>
  Effect.gen(function* () {
    const { client, server } = yield* pair(yield* listen(Address.unix(`${place}/reset.sock`)))
    server.attach()
    server.send(16 * mebibyte)
    yield* settle
    client.abort()
    yield* server.untilClosed("Reset")
  }), { area: "unix" })

add(
  0,
  "connecting to a path where nothing is, is Refused",
  () => Effect.asVoid(problem("Refused", connect(Address.unix(`${place}/nothing.sock`)))),
  { area: "unix" },
)

add(0, "the path is gone when the listener is closed, and can be bound again", () =>
  Effect.gen(function* () {
    const address = Address.unix(`${place}/again.sock`)
    const first = yield* listen(address)
    yield* expect(fs.existsSync(address.path), "no path while listening")
    yield* first.listener.close
    yield* expect(!fs.existsSync(address.path), "the path is left behind")
    yield* finishBoth(yield* attached(yield* listen(address)))
  }), { area: "files" })

add(0, "a stale path is taken over [d5-12]", () =>
  Effect.gen(function* () {
    const address = Address.unix(`${place}/stale.sock`)
    // What a killed process leaves: a socket that nobody listens on, moved away from its owner's cleaning up.
    const owner = yield* listen(Address.unix(`${place}/owner.sock`))
    fs.renameSync(`${place}/owner.sock`, address.path)
    yield* problem("AddressInUse", listen(address))
    yield* owner.listener.close
    yield* expect(fs.existsSync(address.path), "the path is not stale")
    yield* finishBoth(yield* attached(yield* listen(address)))
  }), { area: "files" })

add(0, "a path that is a file is AddressInUse, and the file stays", () =>
  Effect.gen(function* () {
    const address = Address.unix(`${place}/file`)
    fs.writeFileSync(address.path, "kept")
    yield* problem("AddressInUse", listen(address))
    yield* expect(fs.readFileSync(address.path, "utf8") === "kept", "the file was touched")
  }), { area: "files" })

add(0, "a path in no directory, and one too long, are InvalidAddress", () =>
  Effect.gen(function* () {
    yield* problem("InvalidAddress", listen(Address.unix(`${place}/none/any.sock`)))
    yield* problem("InvalidAddress", listen(Address.unix(`${place}/${"long".repeat(60)}`)))
  }), { area: "files" })

add(0, "an abstract Unix socket carries bytes", () =>
  Effect.gen(function* () {
    const bound = yield* listen(Address.unix(`\0${place}/abstract`))
    const ends = yield* attached(bound)
    ends.client.send(100_000)
    yield* ends.server.untilReceived(100_000)
    yield* finishBoth(ends)
  }), { area: "unix", needs: "abstractUnix" })
