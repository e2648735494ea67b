import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Directory from "../../core/Directory.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 1_024 })

/** Lines `ID` first, then `answer N TEXT`, `enter ROOM`, `leave ROOM`; everything else is echoed. */
const devices = (directory: Directory.Directory<string, string>): Service.Service =>
  Service.session(lines, (connection) =>
    Effect.gen(function* () {
      const id = yield* connection.receive
      const member = yield* directory.join(id ?? "", connection)
      for (;;) {
        const line = yield* connection.receive
        if (line === undefined) return
        const [verb, what = "", text = ""] = line.split(" ")
        if (verb === "enter") member.enter(what)
        else if (verb === "leave") member.leave(what)
        else if (verb !== "answer") yield* connection.send(line)
        else if (!member.answer(Number(what), text)) yield* connection.send("nobody asked")
      }
    }))

const town = Effect.fnUntraced(function* (options: Directory.DirectoryOptions<string> = {}, limits = {}) {
  const directory = yield* Directory.make<string, string>(options)
  const harness = yield* serve(devices(directory), { limits })
  const login = Effect.fnUntraced(function* (id: string) {
    const peer = harness.script.connect()
    peer.send(`${id}\n`)
    yield* turns
    return peer
  })
  return { ...harness, directory, login }
})

const ask = (directory: Directory.Directory<string, string>, id: string) =>
  Effect.forkChild(directory.ask(id, (correlation) => `ask ${correlation}`, { timeout: "10 seconds" }))

const asked = (peer: Peer): ReadonlyArray<string> => [...peer.received.matchAll(/ask (\d+)/g)].map(([, id]) => id!)

describe("a directory", () => {
  it.effect("sends to an id while it is connected, and says when it is not", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town()
      expect(yield* directory.send("a", "x")).toBe("NotConnected")
      const peer = yield* login("a")
      expect([yield* directory.send("a", "x"), yield* directory.has("a"), yield* directory.size]).toEqual([
        "Sent",
        true,
        1,
      ])
      yield* turns
      expect(peer.received).toBe("x\n")
      peer.reset()
      yield* turns
      expect([yield* directory.send("a", "y"), yield* directory.has("a"), yield* directory.size]).toEqual([
        "NotConnected",
        false,
        0,
      ])
    }))

  it.effect("sends nothing more to who reads too slowly, but for classes that have their own rule", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town({}, { outboxHigh: 100, outboxLow: 50 })
      const peer = yield* login("a")
      peer.room = 0
      expect(yield* directory.send("a", "x".repeat(200))).toBe("Sent")
      yield* turns
      expect(yield* directory.send("a", "y")).toBe("OutboxFull")
      expect(yield* directory.send("a", "z", { class: { full: "drop-oldest" } })).toBe("Sent")
      const answer = yield* Fiber.join(yield* ask(directory, "a"))
      expect(answer).toEqual({ _tag: "NotSent", why: "OutboxFull" })
      peer.drain(1_000)
      yield* turns
      expect(peer.received).toBe(`${"x".repeat(200)}\nz\n`)
    }))

  it.effect("34: asks, and gives each answer to its question, in any order; what is unknown or repeated is ignored", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town()
      const [one, two] = [yield* login("1"), yield* login("2")]
      const [first, second, other] = [
        yield* ask(directory, "1"),
        yield* ask(directory, "1"),
        yield* ask(directory, "2"),
      ]
      yield* turns
      const [a, b] = asked(one)
      const [c] = asked(two)
      two.send(`answer ${a} stolen\n`)
      one.send(`answer ${b} B\nanswer ${a} A\nanswer ${a} again\nanswer 0 x\nanswer ${c} x\n`)
      two.send(`answer ${c} C\n`)
      yield* turns
      expect([yield* Fiber.join(first), yield* Fiber.join(second), yield* Fiber.join(other)]).toEqual([
        { _tag: "Answered", reply: "A" },
        { _tag: "Answered", reply: "B" },
        { _tag: "Answered", reply: "C" },
      ])
      expect(one.received.match(/nobody asked/g)).toHaveLength(3)
      expect(two.received.match(/nobody asked/g)).toHaveLength(1)
    }))

  it.effect("34: a question ends as NotSent, or as Unknown when the connection ends or time does; late answers are nobody's", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town()
      expect(yield* directory.ask("a", () => "x")).toEqual({ _tag: "NotSent", why: "NotConnected" })
      const peer = yield* login("a")
      const slow = yield* ask(directory, "a")
      yield* turns
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(slow)).toMatchObject({ _tag: "Unknown", why: "Timeout" })
      peer.send(`answer ${asked(peer)[0]} late\n`)
      yield* turns
      expect(peer.received).toContain("nobody asked")
      const cut = yield* ask(directory, "a")
      yield* turns
      peer.reset()
      expect(yield* Fiber.join(cut)).toMatchObject({ _tag: "Unknown", why: "Disconnected" })
    }))

  it.effect("34: asks again what nobody knows of under the same correlation id; not while it is waited for", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town()
      const first = yield* login("a")
      const cut = yield* ask(directory, "a")
      yield* turns
      first.reset()
      const unknown = yield* Fiber.join(cut)
      const correlation = unknown._tag === "Unknown" ? unknown.correlation : NaN
      expect(asked(first)).toEqual([`${correlation}`])
      const second = yield* login("a")
      const repeat = directory.ask("a", (id) => `ask ${id}`, { correlation })
      const again = yield* Effect.forkChild(repeat)
      yield* turns
      expect(asked(second)).toEqual([`${correlation}`])
      expect(Exit.isFailure(yield* Effect.exit(repeat))).toBe(true)
      second.send(`answer ${correlation} done\n`)
      expect(yield* Fiber.join(again)).toEqual({ _tag: "Answered", reply: "done" })
    }))

  it.effect("34: a question that cannot be made is a defect of who asks, and waits for no answer", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town()
      const peer = yield* login("a")
      const broken = directory.ask("a", () => {
        throw new Error("no question")
      }, { correlation: 7 })
      expect(Exit.hasDies(yield* Effect.exit(broken))).toBe(true)
      const fiber = yield* Effect.forkChild(directory.ask("a", (id) => `ask ${id}`, { correlation: 7 }))
      yield* turns
      expect(asked(peer)).toEqual(["7"])
      peer.send("answer 7 yes\n")
      yield* turns
      expect(yield* Fiber.join(fiber)).toEqual({ _tag: "Answered", reply: "yes" })
    }))

  it.effect("broadcasts to all, or to a room, and counts", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town({}, { outboxHigh: 100, outboxLow: 50 })
      const [a, b, c] = [yield* login("a"), yield* login("b"), yield* login("c")]
      a.send("enter red\n")
      b.send("enter red\nenter blue\nleave red\n")
      c.room = 0
      yield* turns
      yield* directory.send("c", "x".repeat(200))
      yield* turns
      expect(yield* directory.broadcast("all")).toEqual({ sent: 2, full: 1 })
      expect(yield* directory.broadcast("red", { room: "red" })).toEqual({ sent: 1, full: 0 })
      expect(yield* directory.broadcast("none", { room: "green" })).toEqual({ sent: 0, full: 0 })
      b.fin()
      yield* turns
      expect(yield* directory.broadcast("blue", { room: "blue" })).toEqual({ sent: 0, full: 0 })
      expect([a.received, b.received]).toEqual(["all\nred\n", "all\n"])
    }))

  it.effect("replace: the old connection ends as Superseded, what was asked of it as Unknown, and the new one is sent to", () =>
    Effect.gen(function* () {
      const { directory, login, of } = yield* town()
      const old = yield* login("a")
      const question = yield* ask(directory, "a")
      yield* turns
      const young = yield* login("a")
      expect(yield* Fiber.join(question)).toMatchObject({ _tag: "Unknown", why: "Disconnected" })
      yield* directory.send("a", "x")
      yield* turns
      expect([old.gotFin, young.received, young.gotFin]).toEqual([true, "x\n", false])
      old.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["Superseded"])
      expect([yield* directory.has("a"), yield* directory.size]).toEqual([true, 1])
    }))

  it.effect("two clients that displace each other are stopped: the one that is there stays until the time is over", () =>
    Effect.gen(function* () {
      const { directory, login, of } = yield* town({ takeovers: { most: 3, within: "1 minute" } })
      const peers: Array<Peer> = [yield* login("a")]
      for (let count = 0; count < 20; count++) {
        peers.at(-1)!.fin()
        peers.push(yield* login("a"))
      }
      yield* turns
      const superseded = () => of("Closed").filter(({ reason }) => reason._tag === "Superseded").length
      const before = superseded()
      // Both come back whenever they are thrown out.
      for (let count = 0; count < 100; count++) {
        const peer = yield* login("a")
        if (peer.gotFin) peer.fin()
        yield* TestClock.adjust("100 millis")
      }
      expect(superseded() - before).toBeLessThanOrEqual(3)
      const refused = of("Closed").find(({ reason }) => reason._tag === "LoginRefused")!.reason
      expect(refused).toMatchObject({ detail: "more than one client has this id: it changed hands 3 times in 1m" })
      yield* TestClock.adjust("2 minutes")
      const late = yield* login("a")
      expect([late.gotFin, yield* directory.size]).toEqual([false, 1])
    }))

  it.effect("refuse: the second connection ends as LoginRefused", () =>
    Effect.gen(function* () {
      const { login, of } = yield* town({ duplicate: "refuse" })
      const [first, second] = [yield* login("a"), yield* login("a")]
      expect([first.gotFin, second.gotFin]).toEqual([false, true])
      second.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["LoginRefused"])
      first.fin()
      yield* turns
      expect((yield* login("a")).gotFin).toBe(false)
    }))

  it.effect("probe-then-replace: who answers stays, who does not is replaced", () =>
    Effect.gen(function* () {
      const { directory, login } = yield* town({
        duplicate: "probe-then-replace",
        probe: { frame: () => "are you there?", timeout: "5 seconds" },
      })
      const old = yield* login("a")
      const second = yield* login("a")
      expect(old.received).toBe("are you there?\n")
      old.send("yes\n")
      yield* TestClock.adjust("6 seconds")
      expect([old.gotFin, second.gotFin]).toEqual([false, true])
      const third = yield* login("a")
      const fourth = yield* login("a")
      yield* TestClock.adjust("6 seconds")
      expect(old.gotFin).toBe(true)
      yield* TestClock.adjust("6 seconds")
      yield* directory.send("a", "x")
      yield* turns
      // Whoever came last was waiting for an answer of who came before.
      expect([third.received, fourth.received].filter((received) => received.endsWith("x\n"))).toHaveLength(1)
      expect(yield* directory.size).toBe(1)
    }))

  it.effect("refuses to be one of several processes", () =>
    Effect.gen(function* () {
      const made = yield* Effect.exit(Effect.provideService(Directory.make(), Directory.Shared, true))
      expect(Exit.isFailure(made) && String(made.cause)).toContain("leave --workers out")
    }))
})
