/** What a client's connections go through: made, lost, made again, logged in, silent, ended. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { layer } from "../../adapters/memory.ts"
import * as Client from "../../core/Client.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { dial, Dialer } from "./dialer.ts"
import { turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 1_024 })

const dialer = (...outcomes: Dialer["outcomes"]): Dialer => {
  const one = new Dialer()
  one.outcomes.push(...outcomes)
  return one
}

/** Waits as long as it says. */
const steady = { jitter: "none" } as const

describe("a client connects", () => {
  it.effect("in the background, and says when it has", () =>
    Effect.gen(function* () {
      const one = new Dialer()
      one.otherwise = "silence"
      const { client, story } = yield* dial(lines, {}, one)
      expect([client.state, story()]).toEqual(["Away", ["Connecting 1"]])
      one.otherwise = "peer"
      yield* TestClock.adjust("11 seconds")
      yield* client.connected
      expect(client.state).toBe("Ready")
    }))

  it.effect("until connectTimeout, and again after a wait that doubles up to max", () =>
    Effect.gen(function* () {
      const { story } = yield* dial(
        lines,
        { connectTimeout: "2 seconds", reconnect: { ...steady, base: "1 second", max: "3 seconds" } },
        dialer("silence", "Refused", "NameNotFound", "Unreachable"),
      )
      yield* TestClock.adjust("20 seconds")
      expect(story()).toEqual([
        "Connecting 1",
        "Disconnected TimedOut",
        "Waiting 1000",
        "Connecting 2",
        "Disconnected Refused",
        "Waiting 2000",
        "Connecting 3",
        "Disconnected NameNotFound",
        "Waiting 3000",
        "Connecting 4",
        "Disconnected Unreachable",
        "Waiting 3000",
        "Connecting 5",
        "Connected",
      ])
    }))

  it.effect("by default at once, a quarter of a second later, and so on, by chance that a seed decides", () =>
    Effect.gen(function* () {
      const waits = (seed: string) =>
        Effect.gen(function* () {
          const one = new Dialer()
          one.otherwise = "Refused"
          const { events, end } = yield* Random.withSeed(dial(lines, {}, one), seed)
          yield* TestClock.adjust("5 minutes")
          yield* end
          return events.flatMap((event) => event._tag === "Waiting" ? [event.millis] : [])
        })
      const some = yield* waits("a")
      expect(yield* waits("a")).toEqual(some)
      expect(yield* waits("b")).not.toEqual(some)
      for (const [index, millis] of some.entries()) {
        expect(millis).toBeLessThanOrEqual(Math.min(30_000, 250 * 2 ** index))
      }
      expect(Math.max(...some)).toBeGreaterThan(10_000)
      expect(new Set(some).size).toBeGreaterThan(5)
    }))

  it.effect("anew at base after a connection that was stable, and not after one that was not", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: { ...steady, base: 100, factor: 3, stable: "5 seconds" } })
      for (const lasts of [1_000, 4_000, 6_000, 1_000]) {
        yield* TestClock.adjust(lasts)
        const waits = one.story().filter((event) => event.startsWith("Waiting"))
        one.peer.reset()
        yield* turns
        yield* TestClock.adjust(Number(one.story().at(-1)!.slice("Waiting ".length)))
        expect(one.story().filter((event) => event.startsWith("Waiting")).length).toBe(waits.length + 1)
      }
      expect(one.story().filter((event) => /^(Waiting|Connecting)/.test(event))).toEqual([
        "Connecting 1",
        "Waiting 100",
        "Connecting 2",
        "Waiting 300",
        "Connecting 3",
        "Waiting 100",
        "Connecting 2",
        "Waiting 300",
        "Connecting 3",
      ])
    }))

  it.effect("no more when reconnect is false, whichever way it ended", () =>
    Effect.gen(function* () {
      const refused = yield* dial(lines, { reconnect: false }, dialer("Refused"))
      expect(refused.story()).toEqual(["Connecting 1", "Disconnected Refused", "Closed Refused"])
      expect(yield* Effect.flip(refused.client.connected)).toMatchObject({ reason: { problem: "Refused" } })

      const left = yield* dial(lines, { reconnect: false })
      left.peer.fin()
      yield* turns
      expect(left.story()).toEqual(["Connecting 1", "Connected", "Disconnected PeerClosed", "Closed PeerClosed"])
      expect(left.peer.gotFin).toBe(true)
      expect(yield* left.client.closed).toMatchObject({ _tag: "PeerClosed" })
      yield* TestClock.adjust("1 second")
      expect([left.open, left.fibers()]).toEqual([0, 0])
    }))

  it.effect("no more to what is no address, which cannot get better", () =>
    Effect.gen(function* () {
      const { story } = yield* dial(lines, {}, dialer("InvalidAddress"))
      expect(story()).toEqual(["Connecting 1", "Disconnected InvalidAddress", "Closed InvalidAddress"])
    }))

  it.effect("no more with a codec that throws", () =>
    Effect.gen(function* () {
      const broken = { ...lines, decoder: () => expect.unreachable() }
      const one = yield* dial(broken)
      expect(one.story()).toEqual(["Connecting 1", "Connected", "Closed HandlerFailed"])
      expect([one.open, one.fibers()]).toEqual([0, 0])
    }))
})

describe("options that cannot be are refused by name:", () => {
  const wrong: ReadonlyArray<[string, object]> = [
    ["address", { address: "nowhere" }],
    ["connectTimeout", { connectTimeout: 0 }],
    ["reconnect", { reconnect: true }],
    ["reconnect.base", { reconnect: { base: -1 } }],
    ["reconnect.max", { reconnect: { base: 1_000, max: 10 } }],
    ["reconnect.max", { reconnect: { max: Infinity } }],
    ["reconnect.factor", { reconnect: { factor: 0.5 } }],
    ["reconnect.jitter", { reconnect: { jitter: "some" } }],
    ["reconnect.stable", { reconnect: { stable: "soon" } }],
    ["handshakeTimeout", { handshakeTimeout: 0 }],
    ["heartbeat.interval", { heartbeat: { interval: 0 } }],
    ["heartbeat.missed", { heartbeat: { missed: 0 } }],
    ["replies", { replies: "key" }],
    ["requestTimeout", { requestTimeout: 0 }],
    ["maxRequests", { maxRequests: 0 }],
    ["outbox.most", { outbox: { most: -1 } }],
    ["outbox.full", { outbox: { full: "wait" } }],
    ["outbox.max", { outbox: { max: 1 } }],
    ["maxUnread", { maxUnread: 0 }],
    ["limits.maxConnections", { limits: { maxConnections: 1 } }],
    ["limits.outboxLow", { limits: { outboxHigh: 1, outboxLow: 2 } }],
    ["deadlines.linger", { deadlines: { linger: "for ever" } }],
    ["retries", { retries: 3 }],
  ]
  it.effect.each(wrong)("%s of %j", ([setting, options]) =>
    Effect.gen(function* () {
      const making = Client.make(lines, { address: "127.0.0.1:9000", ...options } as Client.Options<string, string>)
      const error = yield* Effect.flip(Effect.scoped(Effect.provide(making, new Dialer().layer)))
      expect(error).toMatchObject({ _tag: "SettingsError", setting })
      expect(error.message).toContain("accepted is")
    }))
})

describe("a handshake", () => {
  const login = (password: string) => (link: Client.Link<string, string>) =>
    Effect.gen(function* () {
      yield* link.send(`login ${password}`)
      const answer = yield* link.receive
      if (answer === "no") return yield* Effect.fail(new Service.LoginRefused({ detail: "wrong password" }))
      if (answer !== "yes") return yield* Effect.fail(new Error("later"))
    })

  it.effect("goes before all else, on each connection; what is kept follows it", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { handshake: login("a"), reconnect: { ...steady, base: 100 } })
      yield* one.client.send("hello")
      expect([one.client.state, one.peer.received]).toEqual(["Away", "login a\n"])
      one.peer.send("yes\nwelcome\n")
      yield* turns
      expect([one.client.state, one.peer.received]).toEqual(["Ready", "login a\nhello\n"])
      expect(yield* one.client.receive).toBe("welcome")
      one.peer.reset()
      yield* one.client.send("again")
      yield* TestClock.adjust("1 second")
      one.peer.send("yes\n")
      yield* turns
      expect(one.peer.received).toBe("login a\nagain\n")
      expect(one.story()).toEqual([
        "Connecting 1",
        "Connected",
        "LoggedIn",
        "Disconnected PeerReset",
        "Waiting 100",
        "Connecting 2",
        "Connected",
        "LoggedIn",
      ])
    }))

  it.effect("that is refused ends the client for good: nobody tries a wrong password again", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { handshake: login("b") })
      yield* one.client.send("kept")
      const asked = yield* Effect.forkChild(Effect.exit(one.client.request("asked")))
      yield* turns
      one.peer.send("no\n")
      one.peer.fin()
      yield* turns
      yield* TestClock.adjust("10 minutes")
      expect(one.peers.length).toBe(1)
      expect(one.peer.received).toBe("login b\n")
      expect(one.story()).toEqual([
        "Connecting 1",
        "Connected",
        "Disconnected LoginRefused",
        "Dropped 2 Closed",
        "Closed LoginRefused",
      ])
      expect(yield* Fiber.join(asked)).toMatchObject(Exit.fail(expect.objectContaining({ why: "Closed" })))
      const closed = { _tag: "ClientClosed", reason: { _tag: "LoginRefused", detail: "wrong password" } }
      expect(yield* Effect.flip(one.client.send("x"))).toMatchObject(closed)
      expect(yield* Effect.flip(one.client.receive)).toMatchObject(closed)
      expect(yield* Effect.flip(one.client.connected)).toMatchObject(closed)
      expect(yield* Effect.flip(one.client.request("x"))).toMatchObject({ _tag: "NotSent", why: "Closed" })
      expect([one.open, one.fibers()]).toEqual([0, 0])
    }))

  it.effect("that fails otherwise, has a defect, or takes too long is tried again on the next connection", () =>
    Effect.gen(function* () {
      let attempts = 0
      const one = yield* dial(lines, {
        handshake: (link) =>
          Effect.suspend(() => {
            attempts++
            if (attempts === 2) throw new Error("a defect")
            return login("c")(link)
          }),
        handshakeTimeout: "3 seconds",
        reconnect: { ...steady, base: 100, factor: 1 },
      })
      one.peer.send("what?\n")
      one.peer.fin()
      yield* turns
      yield* TestClock.adjust(200)
      one.peer.fin()
      yield* turns
      yield* TestClock.adjust(200)
      expect(attempts).toBe(3)
      yield* TestClock.adjust("4 seconds")
      one.peer.send("yes\n")
      yield* turns
      expect(one.client.state).toBe("Ready")
      expect(one.story().filter((event) => event.startsWith("Disconnected"))).toEqual([
        "Disconnected HandlerFailed",
        "Disconnected HandlerFailed",
        "Disconnected LoginTimeout",
      ])
    }))
})

describe("a heartbeat", () => {
  const beat: Client.ClientHeartbeat<string, string> = {
    ping: () => "ping",
    isPong: (line) => line === "pong",
    interval: "10 seconds",
    missed: 2,
  }

  it.effect("ends a connection whose peer is silent, and another one is made", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { heartbeat: beat, reconnect: { ...steady, base: 100 } })
      for (let beats = 0; beats < 6; beats++) {
        yield* TestClock.adjust("10 seconds")
        yield* turns
        one.peer.send("pong\n")
      }
      expect(one.peer.received.split("\n").length).toBeGreaterThan(5)
      expect(one.client.usage.unread).toBe(0)
      // From here on nothing comes, and nothing says so.
      yield* TestClock.adjust("25 seconds")
      yield* turns
      expect(one.story().slice(2)).toEqual([
        "Disconnected HeartbeatLost",
        "Waiting 100",
        "Connecting 1",
        "Connected",
      ].map((event) => event.replace("Connecting 1", "Connecting 2")))
      expect(one.open).toBe(1)
    }))

  it.effect("does not speak before the handshake has", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, {
        heartbeat: { ...beat, interval: "1 second" },
        handshake: (link) => link.receive,
        handshakeTimeout: "1 minute",
      })
      yield* TestClock.adjust("10 seconds")
      expect(one.peer.received).toBe("")
      one.peer.send("go\n")
      yield* TestClock.adjust("1500 millis")
      expect(one.peer.received).toBe("ping\n")
    }))
})

describe("the end of a client", () => {
  it.effect("flushes what is kept, finishes writing and waits for the peer to finish", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { limits: { outboxHigh: 10, outboxLow: 0 } })
      one.peer.room = 3
      for (const line of ["aaaaaaa", "bbbbbbb", "ccccccc"]) yield* Effect.forkChild(one.client.send(line))
      const asked = yield* Effect.forkChild(Effect.exit(one.client.request("ddddddd")))
      yield* turns
      expect(one.client.usage.outbox).toBeGreaterThan(0)
      const ending = yield* Effect.forkChild(one.end)
      yield* turns
      expect(yield* Effect.flip(one.client.send("late"))).toMatchObject({ _tag: "ClientClosed" })
      expect(yield* Fiber.join(asked)).toMatchObject(Exit.fail(expect.objectContaining({ _tag: "Unknown" })))
      one.peer.drain()
      yield* turns
      expect([one.peer.received, one.peer.gotFin]).toEqual(["aaaaaaa\nbbbbbbb\nccccccc\nddddddd\n", true])
      one.peer.fin()
      yield* Fiber.join(ending)
      expect(one.story().slice(2)).toEqual(["Disconnected LocalClosed", "Closed LocalClosed"])
      expect([one.open, one.fibers()]).toEqual([0, 0])
    }))

  it.effect("does not wait longer than close for a peer that does not read, nor than linger for one that stays", () =>
    Effect.gen(function* () {
      const options = { deadlines: { close: "2 seconds", linger: "3 seconds" } } as const
      const [unread, stays] = [yield* dial(lines, options), yield* dial(lines, options)]
      unread.peer.room = 3
      yield* unread.client.send("hello")
      yield* unread.client.send("hello again")
      yield* stays.client.send("hello")
      yield* turns
      const endings = [yield* Effect.forkChild(unread.end), yield* Effect.forkChild(stays.end)]
      yield* TestClock.adjust("1 second")
      expect([unread.open, stays.open]).toEqual([1, 1])
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect([unread.open, stays.open]).toEqual([0, 1])
      yield* TestClock.adjust("4 seconds")
      for (const ending of endings) yield* Fiber.join(ending)
      expect(unread.peer.received).toBe("hel")
      expect(unread.story().slice(2)).toEqual(["Disconnected LocalClosed", "Dropped 1 Closed", "Closed LocalClosed"])
      expect([unread.open, stays.open, unread.fibers(), stays.fibers()]).toEqual([0, 0, 0, 0])
    }))

  it.effect("comes at once while it connects, waits, or shakes hands", () =>
    Effect.gen(function* () {
      const connecting = yield* dial(lines, {}, dialer("silence"))
      const waiting = yield* dial(lines, { reconnect: { ...steady, base: "1 minute" } }, dialer("Refused"))
      const shaking = yield* dial(lines, { handshake: () => Effect.never })
      for (const one of [connecting, waiting, shaking]) {
        yield* one.client.send("kept")
        const ending = yield* Effect.forkChild(one.end)
        yield* turns
        if (one === shaking) one.peer.fin()
        yield* Fiber.join(ending)
        expect(one.story().slice(-2)).toEqual(["Dropped 1 Closed", "Closed LocalClosed"])
        expect([one.open, one.fibers()]).toEqual([0, 0])
      }
    }))

  it.effect("may be asked for before its scope's, by as many as like, and ends the frames", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines)
      const closing = yield* Effect.forkChild(Effect.all([one.client.close, one.client.close], { concurrency: 2 }))
      yield* turns
      one.peer.fin()
      yield* Fiber.join(closing)
      expect(yield* one.client.closed).toMatchObject({ _tag: "LocalClosed" })
      yield* one.end
      expect(one.story().filter((event) => event.startsWith("Closed"))).toEqual(["Closed LocalClosed"])
    }))
})

describe("an observer that throws", () => {
  it.effect("disturbs neither the client nor the other observers", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const thrown: Array<unknown> = []
      const catching = (error: unknown) => void thrown.push(error)
      const { default: process } = yield* Effect.promise(() => import("node:process"))
      const before = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException").on("uncaughtException", catching)
      const network = new Dialer()
      yield* Effect.scoped(Effect.gen(function* () {
        const client = yield* Client.make(lines, {
          address: "192.0.2.1:9000",
          observers: [() => expect.unreachable("thrown"), ({ _tag }) => seen.push(_tag)],
        })
        yield* client.connected
        yield* turns
        network.peer.fin()
      })).pipe(Effect.provide(network.layer))
      yield* turns
      process.off("uncaughtException", catching)
      for (const listener of before) process.on("uncaughtException", listener)
      expect(seen.slice(0, 2)).toEqual(["Connecting", "Connected"])
      expect(thrown.length).toBe(seen.length)
    }))
})

describe("a client of a server", () => {
  const echo = Service.respond(lines, (line) => Effect.succeed(`echo: ${line}`))

  it.effect("lives through its restart: refused for a while, then there, and every answer is the right one", () =>
    Effect.gen(function* () {
      const events: Array<Client.ClientEvent> = []
      const serving = Effect.gen(function* () {
        yield* Server.make({ listeners: [{ address: "127.0.0.1:9000", service: echo }] })
        yield* Effect.never
      })
      const first = yield* Effect.forkChild(Effect.scoped(serving))
      yield* turns
      const client = yield* Client.make(lines, {
        address: "127.0.0.1:9000",
        reconnect: { ...steady, base: "1 second", factor: 1 },
        observers: [(event) => events.push(event)],
      })
      expect(yield* client.request("a")).toBe("echo: a")
      const stopping = yield* Effect.forkChild(Fiber.interrupt(first))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(stopping)
      expect(client.state).toBe("Away")
      const asked = yield* Effect.forkChild(client.request("b"))
      yield* TestClock.adjust("3 seconds")
      const second = yield* Effect.forkChild(Effect.scoped(serving))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(asked)).toBe("echo: b")
      expect(events.map(({ _tag }) => _tag).filter((tag) => tag !== "Waiting")).toEqual([
        "Connecting",
        "Connected",
        "Disconnected",
        ...Array.from({ length: 3 }, () => ["Connecting", "Disconnected"]).flat(),
        "Connecting",
        "Connected",
      ])
      const again = yield* Effect.forkChild(Fiber.interrupt(second))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(again)
    }).pipe(Effect.scoped, Effect.provide(layer())))
})
