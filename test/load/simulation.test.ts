/** Simulated clients in virtual time: what of them is measured, what each failure is called, and that nothing is left. */
import { describe, expect, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { LoginRefused } from "../../core/Authentication.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Simulation from "../../load/Simulation.ts"
import { failures, type Peer, percentile, play, type Played, type Setting } from "./stage.ts"

const lines = Lines.make({ maxLength: 1_024 })

type Said<E, E2> = Omit<Simulation.Options<string, string, E, E2>, "codec">

/** Plays a simulation, and holds what is so of every one. */
const played = <E = never, E2 = never>(said: Said<E, E2>, setting: Setting = {}): Effect.Effect<Played> => {
  const simulation = Simulation.make({ codec: lines, ...said })
  const run: NonNullable<Setting["run"]> = (plan, options) => Simulation.run(simulation, plan, options)
  return Effect.map(play({ ...setting, run }), (all) => {
    const { outcome: { total, intervals }, left } = all
    expect(left, "left when it is over").toEqual({ peers: 0, fibers: 0 })
    if (intervals.length > 0) {
      for (const  of of["sent", "replies"] as const) {
        expect(intervals.reduce((sum, { recorder }) => sum + recorder[of], 0), of).toBe(total[of])
      }
    }
    expect(total.service.totalCount).toBe(total.replies)
    return all
  })
}

const pause = (millis: number) => Effect.sleep(millis)

/** Says hello, and thinks for a while. */
const talk = (think = 100): Said<never, unknown> => ({
  session: (client) => Effect.andThen(client.request("hello"), pause(think)),
})

class Wrong extends Data.TaggedError("Wrong")<{ readonly answer: string }> {}

describe("a session", () => {
  it.effect("runs again and again until the duration is over, and its requests are timed", () =>
    Effect.gen(function* () {
      const { outcome, server, intervals } = yield* played(talk(), { plan: { connections: 3, duration: 2_000 } })
      expect(failures(outcome)).toEqual({})
      expect(outcome).toMatchObject({ connected: 3, cut: false, scheduled: undefined, unsent: 0, problem: undefined })
      // Every 100 ms and the time of an answer, each of three.
      expect(outcome.total.sent).toBeGreaterThan(45)
      expect(outcome.total.sent).toBeLessThanOrEqual(63)
      expect(outcome.total.replies).toBe(outcome.total.sent)
      expect(outcome.total).toMatchObject({ connections: 3, reconnects: 0 })
      expect(outcome.total.bytesSent).toBe(outcome.total.sent * 6)
      expect(outcome.total.bytesReceived).toBe(outcome.total.sent * 6)
      expect(percentile(outcome, "response", 100)).toBeLessThan(10)
      expect(server.accepted.length).toBe(3)
      expect(intervals.length).toBe(2)
      expect(intervals[0]).toMatchObject({ connections: 3 })
    }))

  it.effect("of a thousand clients, who do not connect all at once", () =>
    Effect.gen(function* () {
      let most = 0
      let silent = 0
      const { outcome } = yield* played({
        client: () => ({ handshake: ({ receive, send }) => Effect.andThen(send("login"), receive) }),
        ...talk(500),
      }, {
        plan: { connections: 1_000, connecting: 50, duration: 2_000 },
        does: {
          open: () => void (most = Math.max(most, ++silent)),
          line: (peer, line) => {
            if (line === "login") silent--
            peer.say(`${line}\n`)
          },
        },
      })
      expect(failures(outcome)).toEqual({})
      expect(outcome.connected).toBe(1_000)
      expect(outcome.total.connections).toBe(1_000)
      expect(outcome.total.sent).toBeGreaterThan(3_000)
      expect(outcome.total.replies).toBe(outcome.total.sent)
      expect(most).toBeLessThanOrEqual(50)
      expect(most).toBeGreaterThan(10)
    }), 60_000)

  it.effect("knows who it is, and has chances of its own that are the same each time", () =>
    Effect.gen(function* () {
      const once = Effect.gen(function* () {
        const said = new Map<number, ReadonlyArray<number>>()
        yield* played({
          session: (client, { connection, seed, address }) =>
            Effect.gen(function* () {
              const chance = yield* Random.nextInt
              if (!said.has(connection)) said.set(connection, [seed, chance])
              yield* client.request(address._tag)
              yield* pause(100)
            }),
        }, { plan: { connections: 3, duration: 300, seed: 7 } })
        return said
      })
      const said = yield* once
      expect([...said.keys()].toSorted()).toEqual([0, 1, 2])
      expect(new Set([...said.values()].map(([seed]) => seed)).size).toBe(3)
      expect(new Set([...said.values()].map(([, chance]) => chance)).size).toBe(3)
      expect(yield* once).toEqual(said)
    }))

  it.effect("asks without a connection, and the response has waited for it while the service has not", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        client: () => ({ reconnect: { base: 400, jitter: "none" } }),
        session: (client) =>
          Effect.gen(function* () {
            yield* client.request("a")
            yield* client.send("bye")
            yield* pause(200) // by then the server is gone
            yield* client.request("b")
          }),
      }, {
        plan: { duration: 2_000, grace: 2_000 },
        does: { line: (peer, line) => line === "bye" ? peer.transport.shutdown() : peer.say(`${line}\n`) },
      })
      expect(Object.keys(failures(outcome))).toEqual(["closed-by-server"])
      expect(outcome.total.reconnects).toBe(server.accepted.length - 1)
      expect(percentile(outcome, "response", 100)).toBeGreaterThan(150)
      expect(percentile(outcome, "service", 100)).toBeLessThan(20)
    }))

  it.effect("that closes its client gets a new one for the next time", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        session: (client) => Effect.andThen(Effect.andThen(client.request("one"), pause(10)), client.close),
      }, { plan: { connections: 2, duration: 200 } })
      expect(failures(outcome)).toEqual({})
      expect(server.accepted.length).toBeGreaterThan(10)
      expect(outcome.total).toMatchObject({ reconnects: 0, connections: server.accepted.length })
    }))

  it.effect("that does nothing, or only sends, leaves time for others", () =>
    Effect.gen(function* () {
      const idle = yield* played({ session: () => Effect.void }, { plan: { duration: 200 } })
      expect(idle.outcome).toMatchObject({ cut: false, connected: 1 })
      const sends = yield* played({ session: (client) => Effect.andThen(client.send("news"), pause(10)) }, {
        plan: { duration: 200 },
        does: { line: () => {} },
      })
      expect(sends.outcome.total.sent).toBeGreaterThan(10)
      expect(sends.server.received).toBeGreaterThanOrEqual(sends.outcome.total.sent * 5)
      expect(sends.outcome.total.replies).toBe(0)
    }))

  it.effect("says goodbye in a finalizer, which is not measured", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const { outcome } = yield* played({
        session: (client) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.ignore(client.request("bye")))
            for (;;) yield* Effect.andThen(client.request("hello"), pause(50))
          }),
      }, {
        plan: { duration: 500 },
        does: {
          line: (peer, line) => {
            said.push(line)
            peer.say(`${line}\n`)
          },
        },
      })
      expect(said.at(-1)).toBe("bye")
      expect(said.filter((line) => line === "bye").length).toBe(1)
      expect(outcome.total.sent).toBe(said.length - 1)
      expect(failures(outcome)).toEqual({})
    }))

  it.effect("that ends while answers of others are waited for says goodbye when that is over", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const { outcome } = yield* played({
        session: (client, { connection }) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.ignore(client.request(`bye ${connection}`)))
            yield* client.request(`hello ${connection}`)
            yield* pause(1_200)
          }),
      }, {
        plan: { connections: 2, duration: 1_000, grace: 1_000 },
        does: {
          line: (peer, line) => {
            said.push(line)
            if (line !== "hello 0") peer.say(`${line}\n`)
          },
        },
      })
      expect(said.toSorted()).toEqual(["bye 0", "bye 1", "hello 0", "hello 1"])
      expect(outcome.total).toMatchObject({ sent: 2, replies: 1 })
      expect(failures(outcome)).toEqual({ "reply-timeout": 1 })
    }))
})

describe("what is measured", () => {
  it.effect("begins after the warm-up, and a request belongs to when it was asked", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played(talk(), { plan: { warmup: 1_000, duration: 1_000 } })
      expect(outcome.total.sent).toBeGreaterThanOrEqual(8)
      expect(outcome.total.sent).toBeLessThanOrEqual(11)
      expect(server.received).toBeGreaterThan(15 * 6)
      expect(outcome.total.connections).toBe(1)
      expect(outcome.measured).toBeGreaterThanOrEqual(1_000)
      expect(outcome.measured).toBeLessThan(1_100)
      // Asked before and answered after: it is not measured.
      const across = yield* played(talk(), {
        plan: { warmup: 1_000, duration: 1_000 },
        at: { 800: (server) => server.stop(), 1_200: (server) => server.goOn() },
      })
      expect(percentile(across.outcome, "response", 100)).toBeLessThan(10)
      expect(across.outcome.total.replies).toBe(across.outcome.total.sent)
    }))

  it.effect("includes nothing that is asked when the time is over", () =>
    Effect.gen(function* () {
      let before = 0
      const { outcome, server } = yield* played({
        session: (client) => Effect.forever(Effect.andThen(client.request("hello"), pause(100))),
      }, {
        plan: { connections: 4, duration: 1_000, grace: 1_000 },
        // One of them is never answered, and the others must not go on while he is waited for.
        does: { line: (peer, line) => peer.number > 0 && peer.say(`${line}\n`) },
        at: { 1_100: (server) => void (before = server.received) },
      })
      expect(failures(outcome)).toEqual({ "reply-timeout": 1 })
      expect(server.received).toBe(before)
    }))

  it.effect("includes a server that stops for a second", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played(talk(50), {
        plan: { connections: 5, duration: 3_000 },
        at: { 1_000: (server) => server.stop(), 2_000: (server) => server.goOn() },
      })
      expect(failures(outcome)).toEqual({})
      for (const kind of ["response", "service"] as const) {
        expect(percentile(outcome, kind, 100)).toBeGreaterThan(900)
        expect(percentile(outcome, kind, 50)).toBeLessThan(10)
      }
    }))

  it.effect("is what was asked before the end: answers are waited for, and then they are missing", () =>
    Effect.gen(function* () {
      const late = yield* played(talk(), {
        plan: { connections: 4, duration: 1_000, grace: 1_000 },
        at: { 900: (server) => server.stop(), 1_500: (server) => server.goOn() },
      })
      expect(failures(late.outcome)).toEqual({})
      expect(late.outcome.total.replies).toBe(late.outcome.total.sent)
      const never = yield* played(talk(), {
        plan: { connections: 4, duration: 1_000, grace: 300 },
        at: { 900: (server) => server.stop() },
      })
      expect(failures(never.outcome)).toEqual({ "reply-timeout": 4 })
      expect(never.outcome.total.response.totalCount).toBe(never.outcome.total.sent)
      expect(never.outcome.total.replies).toBe(never.outcome.total.sent - 4)
    }))

  it.effect("is what there is when it is ended early", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played(talk(), { stopAfter: 1_500, plan: { duration: 60_000 } })
      expect(outcome.cut).toBe(true)
      expect(outcome.total.replies).toBeGreaterThan(10)
      expect(took).toBeLessThan(5_000)
    }))

  it.effect("includes heartbeats, which are no requests", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        client: () => ({ heartbeat: { ping: () => "ping", isPong: (line) => line === "ping", interval: 200 } }),
        ...talk(1_000),
      }, { plan: { connections: 2, duration: 2_000 } })
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.heartbeats).toBeGreaterThan(10)
      expect(outcome.total.sent).toBeLessThanOrEqual(6)
    }))
})

describe("failures by kind", () => {
  const gone = (peer: Peer): void => peer.transport.shutdown()

  it.effect("nobody is there: it ends at once", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played(talk(), { listens: false, plan: { connections: 10 } })
      expect(outcome).toMatchObject({ cut: true, connected: 0, measured: 0 })
      expect(failures(outcome)["connect-refused"]).toBeGreaterThanOrEqual(10)
      expect(took).toBeLessThan(5_000)
    }))

  it.effect("a server that dies half-way: what was asked is lost, and everybody tries again", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        client: () => ({ reconnect: { base: 200, max: 500 } }),
        session: (client) => client.request("hello"),
      }, {
        plan: { connections: 20, duration: 3_000 },
        at: {
          900: (server) => server.stop(),
          1_000: (server) => {
            server.close()
            for (const { transport } of server.peers) transport.abort()
          },
        },
      })
      const { "reply-lost": lost, reset, "connect-refused": refused, ...others } = failures(outcome)
      expect(others).toEqual({})
      expect([lost, reset]).toEqual([20, 20])
      expect(refused).toBeGreaterThan(60)
      expect(outcome).toMatchObject({ cut: false, connected: 20 })
      expect(outcome.intervals.at(-1)).toMatchObject({ connections: 0, inFlight: 0 })
    }))

  it.effect("a refused login is final; when all have ended there is nothing left to measure", () =>
    Effect.gen(function* () {
      let refuses = false
      const { outcome, took } = yield* played({
        client: () => ({
          reconnect: { base: 100, jitter: "none" },
          handshake: ({ receive, send }) =>
            Effect.gen(function* () {
              yield* send("login")
              if ((yield* receive) === "no") return yield* Effect.fail(new LoginRefused({}))
            }),
        }),
        ...talk(50),
      }, {
        plan: { connections: 5, duration: 10_000 },
        does: { line: (peer, line) => peer.say(line === "login" && refuses ? "no\n" : `${line}\n`) },
        at: {
          1_000: (server) => {
            refuses = true
            for (const { transport } of server.peers) transport.shutdown()
          },
        },
      })
      expect(failures(outcome)).toMatchObject({ "login-refused": 5, "closed-by-server": 5 })
      expect(outcome).toMatchObject({ cut: true, problem: "all clients have ended for good" })
      expect(outcome.total.replies).toBeGreaterThan(20)
      expect(took).toBeLessThan(4_000)
    }))

  it.effect("a handshake that fails, or is not over in time", () =>
    Effect.gen(function* () {
      const failing = yield* played({
        client: () => ({ handshake: () => Effect.fail("no"), reconnect: { base: 1_000 } }),
        ...talk(),
      }, { plan: { connections: 2, duration: 500 } })
      expect(failures(failing.outcome)).toEqual({ "login-failed": 2 })
      const silent = yield* played({
        client: () => ({ handshake: ({ receive }) => receive, handshakeTimeout: 500 }),
        ...talk(),
      }, { plan: { connections: 2, duration: 500 } })
      expect(failures(silent.outcome)).toEqual({ "login-timeout": 2 })
    }))

  it.effect("requests that time out, that were given up, and that could not be sent", () =>
    Effect.gen(function* () {
      const silent: Setting = { plan: { connections: 3, duration: 900, grace: 100 }, does: { line: () => {} } }
      const late = yield* played({
        client: () => ({ requestTimeout: 500 }),
        session: (client) => Effect.andThen(client.request("a"), pause(10_000)),
      }, silent)
      // The session fails with what was counted already.
      expect(failures(late.outcome)).toMatchObject({ "request-timeout": 3 })
      const given = yield* played({
        session: (client) => Effect.andThen(Effect.timeoutOption(client.request("a"), 500), pause(10_000)),
      }, silent)
      expect(failures(given.outcome)).toEqual({ "request-given-up": 3 })
      expect(percentile(given.outcome, "response", 100)).toBeGreaterThan(450)
      const full = yield* played({
        client: () => ({ maxRequests: 1 }),
        session: (client) =>
          Effect.andThen(
            Effect.all([client.request("a"), Effect.exit(client.request("b"))], { concurrency: 2 }),
            pause(10_000),
          ),
      }, { plan: { connections: 3, duration: 900 } })
      expect(failures(full.outcome)).toEqual({ "request-unsent": 3 })
      expect(full.outcome.total).toMatchObject({ sent: 3, replies: 3 })
    }))

  it.effect("what the server says is no frame, and a server that is silent", () =>
    Effect.gen(function* () {
      const wrong = yield* played({ client: () => ({ reconnect: { base: 5_000, jitter: "none" } }), ...talk() }, {
        plan: { connections: 2, duration: 900 },
        does: { line: (peer) => peer.say(`${"x".repeat(2_000)}\n`) },
      })
      expect(failures(wrong.outcome)).toEqual({ "reply-invalid": 2, "reply-lost": 2 })
      const mute = yield* played({
        client: () => ({
          heartbeat: { ping: () => "ping", isPong: () => false, interval: 100, missed: 3 },
          reconnect: { base: 5_000, jitter: "none" },
        }),
        session: () => pause(10_000),
      }, { plan: { connections: 2, duration: 900 }, does: { line: () => {} } })
      expect(failures(mute.outcome)).toEqual({ "heartbeat-lost": 2 })
    }))

  it.effect("sessions that fail, by the tag of their errors, and not without end", () =>
    Effect.gen(function* () {
      let turn = 0
      const { outcome } = yield* played({
        session: (client) =>
          Effect.flatMap(
            client.request("hello"),
            (answer) => Effect.fail(turn++ % 2 === 0 ? new Wrong({ answer }) : "no tag"),
          ),
      }, { plan: { duration: 1_950 } })
      const { "session-Wrong": wrong, "session-failed": failed, ...others } = failures(outcome)
      expect(others).toEqual({})
      // Each time a pause of 100 ms.
      for (const count of [wrong, failed]) {
        expect(count).toBeGreaterThanOrEqual(8)
        expect(count).toBeLessThanOrEqual(11)
      }
      expect(outcome.total.replies).toBe(outcome.total.sent)
    }))

  it.effect("a server that closes: by the connection, and by nothing that the session fails with then", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        client: () => ({ reconnect: false }),
        session: (client) => client.request("hello"),
      }, { plan: { connections: 2 }, does: { line: gone } })
      expect(failures(outcome)).toEqual({ "closed-by-server": 2, "reply-lost": 2 })
      expect(outcome).toMatchObject({ cut: true, problem: "all clients have ended for good" })
    }))

  it.effect("a mistake in the module ends the run, and is named", () =>
    Effect.gen(function* () {
      let asked = 0
      const dies = yield* played({
        session: (client) =>
          Effect.map(client.request("hello"), () => {
            if (++asked === 10) throw new TypeError("x is not a function")
          }),
      }, { plan: { duration: 10_000 } })
      expect(dies.outcome).toMatchObject({ cut: true, problem: "a session died of TypeError: x is not a function" })
      expect(dies.outcome.total.replies).toBe(10)
      const cannot = yield* played({ client: () => ({ maxRequests: 0 }), ...talk() }, { plan: { connections: 3 } })
      expect(cannot.outcome).toMatchObject({ cut: true, connected: 0 })
      expect(cannot.outcome.problem).toContain("maxRequests")
      const throws = yield* played({
        client: () => {
          throw new TypeError("no options")
        },
        ...talk(),
      }, { plan: { connections: 3 } })
      expect(throws.outcome.problem).toContain("no options")
    }))
})

it("a simulation is known by what it is, and its target is read when it is made", () => {
  const simulation = Simulation.make({ target: "tcp://127.0.0.1:9000", codec: lines, session: () => Effect.void })
  expect(Simulation.isSimulation(simulation)).toBe(true)
  expect(simulation.target?.url).toBe("tcp://127.0.0.1:9000")
  for (const other of [undefined, null, {}, { session: 1 }, "x"]) expect(Simulation.isSimulation(other)).toBe(false)
  const nowhere = { target: "127.0.0.1:9000", codec: lines, session: () => Effect.void }
  expect(() => Simulation.make(nowhere)).toThrow("write tcp://127.0.0.1:9000")
})
