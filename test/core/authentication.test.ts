import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { CloseReason } from "../../core/CloseReason.ts"
import * as LengthPrefixed from "../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 10_000 })
const binary = LengthPrefixed.make({ maxLength: 64, width: 1 })

/** `login NAME`; nobody else is let in. */
const byName: Service.Handshake<string, string, string, CloseReason | Service.LoginRefused<string>> = {
  codec: lines,
  run: Effect.fnUntraced(function* (connection) {
    const name = /^login (.+)$/.exec((yield* connection.receive) ?? "")?.[1]
    if (name === undefined) return yield* Effect.fail(new Service.LoginRefused({ reply: "no", detail: "no login" }))
    yield* connection.send(`welcome ${name}`)
    return name
  }),
}

const greeting = (name: string) => Service.respond(lines, (line) => Effect.succeed(`${name}: ${line}`))

describe("a login", () => {
  it.effect("gives the service its identity, which stands in events and on the connection", () =>
    Effect.gen(function* () {
      const { script, server, of } = yield* serve(Service.authenticate({ handshake: byName }, greeting))
      const peer = script.connect()
      peer.send("login ann\n")
      yield* turns
      peer.send("hello\n")
      expect(peer.received).toBe("welcome ann\nann: hello\n")
      expect([...server.connections.values()].map(({ identity }) => identity)).toEqual(["ann"])
      peer.fin()
      yield* turns
      expect(of("LoggedIn")).toMatchObject([{ connection: 1, identity: "ann" }])
      expect(of("Closed")).toMatchObject([{ identity: "ann", reason: { _tag: "PeerClosed" } }])
    }))

  it.effect("leaves what was sent behind it to the service's own codec", () =>
    Effect.gen(function* () {
      const service = Service.authenticate(
        { handshake: byName },
        () => Service.respond(binary, (frame) => Effect.succeed(frame)),
      )
      const { script } = yield* serve(service)
      const peer = script.connect()
      peer.send("login ann\n\x02a\n\x03")
      yield* turns
      expect(peer.received).toBe("welcome ann\n\x02a\n")
      peer.send("bcd")
      expect(peer.received).toBe("welcome ann\n\x02a\n\x03bcd")
    }))

  it.effect("that takes long loses nothing of what was sent behind it, however much that is", () =>
    Effect.gen(function* () {
      const slow = {
        codec: lines,
        run: (peer: Service.Session<string, string>) => Effect.delay(peer.receive, "1 second"),
      }
      const service = Service.authenticate(
        { handshake: slow, maxFrame: 64 },
        () => Service.respond(lines, (line) => Effect.succeed(line)),
      )
      const { script } = yield* serve(service)
      const peer = script.connect()
      peer.send("login ann\n")
      const chunk = `${"a".repeat(60)}\n`
      for (let sent = 0; sent < 10; sent++) peer.send(chunk)
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.received).toBe(chunk.repeat(10))
    }))

  it.effect("that is refused is answered, ends the connection, and its reason stands in the event", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.authenticate({ handshake: byName }, greeting))
      const peer = script.connect()
      peer.send("hello\nlogin ann\n")
      yield* turns
      expect([peer.received, peer.gotFin]).toEqual(["no\n", true])
      peer.fin()
      yield* turns
      expect(of("Closed")[0]!.reason).toMatchObject({ _tag: "LoginRefused", detail: "no login" })
      expect(of("LoggedIn")).toEqual([])
    }))

  it.effect("that does not come in time ends the connection; one that came has no such deadline", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.authenticate({ handshake: byName, timeout: "3 seconds" }, greeting))
      const [silent, known] = [script.connect(), script.connect()]
      known.send("login ann\n")
      yield* TestClock.adjust("4 seconds")
      expect([silent.gotFin, known.gotFin]).toEqual([true, false])
      silent.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["LoginTimeout"])
    }))

  it.effect("of more than maxFrame bytes ends it, in one piece and unfinished; frames after it may be longer", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.authenticate({ handshake: byName, maxFrame: 64 }, greeting))
      const [whole, part, known] = [script.connect(), script.connect(), script.connect()]
      whole.send(`login ${"a".repeat(64)}\n`)
      part.send("a".repeat(65))
      known.send("login ann\n")
      yield* turns
      known.send(`${"b".repeat(500)}\n`)
      yield* turns
      expect(known.received).toBe(`welcome ann\nann: ${"b".repeat(500)}\n`)
      expect([whole.received, part.received]).toEqual(["", ""])
      for (const peer of [whole, part]) peer.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["DecodeFailed", "DecodeFailed"])
    }))

  it.effect("10,000 who say nothing keep nobody out: at maxUnauthenticated the one goes that was silent for longest", () =>
    Effect.gen(function* () {
      const { script, server, of } = yield* serve(
        Service.authenticate({ handshake: byName, maxUnauthenticated: 10 }, greeting),
        { limits: { maxConnections: 100, maxConnectionsPerAddress: Infinity } },
      )
      const speaking = script.connect()
      speaking.send("log")
      speaking.send("in ann\n")
      const half = script.connect()
      half.send("login b")
      for (let count = 0; count < 10_000; count++) {
        script.connect()
        if (count % 100 === 0) yield* turns
        if (count % 1_000 === 0) {
          const good = script.connect()
          good.send("login good\n")
          yield* turns
          expect(good.received).toBe("welcome good\n")
          good.reset()
        }
        if (server.connections.size > 20) yield* turns
      }
      yield* turns
      expect(speaking.received).toBe("welcome ann\n")
      expect(server.connections.size).toBeLessThanOrEqual(11)
      const reasons = of("Closed").map(({ reason }) => reason)
      expect(reasons.filter(({ _tag }) => _tag === "Refused").length).toBeGreaterThan(9_000)
      expect(of("Refused")).toEqual([])
    }))

  it.effect("gives the service what the whole was provided with, and each connection what its own service was", () =>
    Effect.gen(function* () {
      class Greeting extends Context.Service<Greeting, string>()("Greeting") {}
      const acquired: Array<string> = []
      const own = (name: string) =>
        Layer.effect(
          Greeting,
          Effect.acquireRelease(
            Effect.sync(() => (acquired.push(`+${name}`), `hi ${name}`)),
            () => Effect.sync(() => acquired.push(`-${name}`)),
          ),
        )
      const service = Service.authenticate({ handshake: byName }, (name) =>
        Service.provide(
          Service.respond(lines, () => Effect.map(Effect.service(Greeting), (greeting) => greeting)),
          own(name),
        ))
      const { script } = yield* serve(service)
      const peer = script.connect()
      peer.send("login ann\nx\n")
      yield* turns
      expect([peer.received, acquired]).toEqual(["welcome ann\nhi ann\n", ["+ann"]])
      peer.fin()
      yield* turns
      expect(acquired).toEqual(["+ann", "-ann"])
    }))

  it("that cannot be asked for is refused with its option", () => {
    for (
      const [options, message] of [
        [{ timeout: 0 }, "authenticate.timeout is 0, accepted is more than 0"],
        [{ maxFrame: 0.5 }, "authenticate.maxFrame is 0.5, accepted is an integer from 1"],
        [{ maxUnauthenticated: 0 }, "authenticate.maxUnauthenticated is 0, accepted is an integer from 1, or Infinity"],
      ] as const
    ) {
      expect(() => Service.authenticate({ handshake: byName, ...options }, greeting)).toThrow(message)
    }
  })
})
