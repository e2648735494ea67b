/** `listen` and `connect` on Unix sockets: bytes, ends of peers, and paths as files. TCP is in `addresses.ts`. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Address from "../../../core/Address.ts"
import * as Case from "./Case.ts"
import { attached, connect, expect, finishBoth, listen, mebibyte, named, pair, problem, settle } from "./harness.ts"

/** The cases of Unix sockets, which bind paths in `directory`. */
export const unix = (directory: string): ReadonlyArray<Case.Case> => [
  Case.make(0, "a Unix socket carries bytes both ways and half-closes", () =>
    Effect.gen(function* () {
      const bound = yield* listen(Address.unix(`${directory}/plain.sock`))
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
    }), { area: "unix" }),

  Case.make(0, "a Unix peer that is gone ends as Finished after our shutdown", () =>
    Effect.gen(function* () {
      const bound = yield* listen(Address.unix(`${directory}/gone.sock`))
      const { client, server } = yield* attached(bound)
      client.sendAll(10)
      yield* server.until("fin", (end) => end.fins === 1)
      client.abort()
      yield* settle
      yield* expect(server.end === undefined, "closed because of fin")
      server.shutdown()
      yield* server.untilClosed("Finished")
    }), { area: "files" }),

  Case.make(
    0,
    "a Unix peer that sends and goes away while this side is paused: data, then fin after resume",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* attached(yield* listen(Address.unix(`${directory}/paused.sock`)))
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
  ),

  Case.make(0, "a Unix peer that goes away while writes are queued is Reset", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair(yield* listen(Address.unix(`${directory}/reset.sock`)))
      server.attach()
      server.send(16 * mebibyte)
      yield* settle
      client.abort()
      yield* server.untilClosed("Reset")
    }), { area: "unix" }),

  Case.make(
    0,
    "connecting to a path where nothing is, is Refused",
    () => Effect.asVoid(problem("Refused", connect(Address.unix(`${directory}/nothing.sock`)))),
    { area: "unix" },
  ),

  Case.make(0, "the path is gone when the listener is closed, and can be bound again", () =>
    Effect.gen(function* () {
      const address = Address.unix(`${directory}/again.sock`)
      const first = yield* listen(address)
      yield* expect(fs.existsSync(address.path), "no path while listening")
      yield* first.listener.close
      yield* expect(!fs.existsSync(address.path), "the path is left behind")
      yield* finishBoth(yield* attached(yield* listen(address)))
    }), { area: "files" }),

  Case.make(0, "a stale path is taken over [d5-12]", () =>
    Effect.gen(function* () {
      const address = Address.unix(`${directory}/stale.sock`)
      // What a killed process leaves: a socket that nobody listens on, moved away from its owner's cleaning up.
      const owner = yield* listen(Address.unix(`${directory}/owner.sock`))
      fs.renameSync(`${directory}/owner.sock`, address.path)
      yield* problem("AddressInUse", listen(address))
      yield* owner.listener.close
      yield* expect(fs.existsSync(address.path), "the path is not stale")
      yield* finishBoth(yield* attached(yield* listen(address)))
    }), { area: "files" }),

  Case.make(0, "a path that is a file is AddressInUse, and the file stays", () =>
    Effect.gen(function* () {
      const address = Address.unix(`${directory}/file`)
      fs.writeFileSync(address.path, "kept")
      yield* problem("AddressInUse", listen(address))
      yield* expect(fs.readFileSync(address.path, "utf8") === "kept", "the file was touched")
    }), { area: "files" }),

  Case.make(0, "a path in no directory, and one too long, are InvalidAddress", () =>
    Effect.gen(function* () {
      yield* problem("InvalidAddress", listen(Address.unix(`${directory}/none/any.sock`)))
      yield* problem("InvalidAddress", listen(Address.unix(`${directory}/${"long".repeat(60)}`)))
    }), { area: "files" }),

  Case.make(0, "an abstract Unix socket carries bytes", () =>
    Effect.gen(function* () {
      const bound = yield* listen(Address.unix(`\0${directory}/abstract`))
      const ends = yield* attached(bound)
      ends.client.send(100_000)
      yield* ends.server.untilReceived(100_000)
      yield* finishBoth(ends)
    }), { area: "unix", needs: "abstractUnix" }),
]
