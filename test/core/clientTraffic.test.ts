/** What goes through a client: frames and requests, kept and sent, answered or not, once. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { Client } from "../../core/Client.ts"
import * as Codec from "../../core/Codec.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { dial, Dialer } from "./dialer.ts"
import { turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 1_024 })
const soon = { jitter: "none", base: 100, factor: 1 } as const

/** Nobody is there until the test says so. */
const away = (): Dialer => {
  const one = new Dialer()
  one.otherwise = "Refused"
  return one
}

/** Asks in the background; what it came to, as text, once it has. */
const ask = Effect.fnUntraced(function* (
  client: Client<string, string>,
  frame: string,
  options?: { readonly key?: unknown; readonly timeout?: number },
) {
  const asked: { outcome: string | undefined; readonly giveUp: Effect.Effect<void> } = {
    outcome: undefined,
    giveUp: Effect.suspend(() => Fiber.interrupt(fiber)),
  }
  const fiber = yield* Effect.forkChild(
    Effect.matchEager(client.request(frame, options), {
      onSuccess: (reply) => void (asked.outcome = reply),
      onFailure: ({ _tag, why }) => void (asked.outcome = `${_tag} ${why}`),
    }),
  )
  yield* turns
  return asked
})

describe("frames", () => {
  it.effect("leave at once while there is a connection, those of one turn in one write", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines)
      yield* client.send("a")
      yield* client.send("b")
      yield* turns
      expect(peer.writes).toEqual(["a\nb\n"])
    }))

  it.effect("are kept in order while away, up to outbox.most; then they fail, and none is lost", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { outbox: { most: 3 }, reconnect: soon }, away())
      for (const line of ["a", "b", "c"]) yield* one.client.send(line)
      expect(yield* Effect.flip(one.client.send("d"))).toMatchObject({ _tag: "OutboxFull", most: 3 })
      expect((yield* ask(one.client, "e")).outcome).toBe("NotSent OutboxFull")
      expect(one.client.usage).toMatchObject({ outbox: 3, requests: 0 })
      one.otherwise = "peer"
      yield* TestClock.adjust(200)
      yield* one.client.send("f")
      yield* turns
      expect(one.peer.received).toBe("a\nb\nc\nf\n")
      expect(one.story().join()).not.toContain("Dropped")
    }))

  it.effect("or the oldest is dropped for the newest, which is an event, and its request was not sent", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { outbox: { most: 2, full: "drop-oldest" }, reconnect: soon }, away())
      const asked = yield* ask(one.client, "a")
      for (const line of ["b", "c", "d"]) yield* one.client.send(line)
      expect(asked.outcome).toBe("NotSent Dropped")
      expect(one.story().filter((event) => event.startsWith("Dropped"))).toEqual([
        "Dropped 1 OutboxFull",
        "Dropped 1 OutboxFull",
      ])
      one.otherwise = "peer"
      yield* TestClock.adjust(200)
      expect(one.peer.received).toBe("c\nd\n")
    }))

  it.effect("are not kept at all where outbox.most is 0", () =>
    Effect.gen(function* () {
      const [refuses, drops] = [
        yield* dial(lines, { outbox: { most: 0 } }, away()),
        yield* dial(lines, { outbox: { most: 0, full: "drop-oldest" } }, away()),
      ]
      expect(yield* Effect.flip(refuses.client.send("a"))).toMatchObject({ _tag: "OutboxFull" })
      yield* drops.client.send("a")
      expect((yield* ask(drops.client, "b")).outcome).toBe("NotSent Dropped")
      expect(drops.client.usage).toMatchObject({ outbox: 0, requests: 0 })
    }))

  it.effect("wait above outboxHigh until outboxLow, while what comes is read", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, { limits: { outboxHigh: 8, outboxLow: 2 } })
      peer.room = 0
      let sent = 0
      const sending = yield* Effect.forkChild(
        Effect.forEach(["aaaa", "bbbb", "cccc", "dddd"], (line) => Effect.map(client.send(line), () => sent++)),
      )
      yield* turns
      expect([sent, client.usage.unsent]).toEqual([1, 10])
      peer.send("push\n")
      expect([yield* client.receive, peer.paused]).toEqual(["push", false])
      peer.drain(5)
      yield* turns
      expect(sent).toBe(1)
      peer.drain(4)
      yield* turns
      expect(sent).toBe(3)
      peer.drain()
      yield* Fiber.join(sending)
      yield* turns
      expect(peer.received).toBe("aaaa\nbbbb\ncccc\ndddd\n")
    }))

  it.effect("that were not begun to be sent when the connection ended go by the next one, and no other does", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon })
      yield* one.client.send("gone")
      yield* turns
      one.peer.room = 2
      for (const line of ["part", "whole", "last"]) yield* one.client.send(line)
      const [asked, begun] = [yield* ask(one.client, "asked"), one.peer.received]
      one.peer.reset()
      yield* one.client.send("later")
      yield* TestClock.adjust(200)
      expect([begun, one.peer.received]).toEqual(["gone\npa", "whole\nlast\nasked\nlater\n"])
      one.peer.send("answer\n")
      yield* turns
      expect(asked.outcome).toBe("answer")
    }))

  it.effect("are not taken back where they are a request that nobody waits for any more", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon })
      one.peer.room = 0
      const [given, late] = [yield* ask(one.client, "a"), yield* ask(one.client, "b", { timeout: 1_000 })]
      yield* given.giveUp
      yield* TestClock.adjust("2 seconds")
      yield* one.client.send("c")
      one.peer.reset()
      yield* TestClock.adjust(200)
      expect([late.outcome, one.peer.received]).toEqual(["Unknown Timeout", "c\n"])
    }))

  it.effect("are also taken back from a peer that has finished writing and does not read", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon })
      one.peer.room = 0
      yield* one.client.send("a")
      yield* turns
      one.peer.fin()
      yield* TestClock.adjust(200)
      expect(one.peers.map(({ received }) => received)).toEqual(["", "a\n"])
      expect(one.story()).toContain("Disconnected PeerClosed")
    }))

  it.effect("that are taken back find no more room than the outbox has", () =>
    Effect.gen(function* () {
      const outcomes = (full: "fail" | "drop-oldest") =>
        Effect.gen(function* () {
          const one = yield* dial(lines, { reconnect: soon, outbox: { most: 2, full } })
          one.peer.room = 0
          for (const line of ["a", "b", "c"]) yield* one.client.send(line)
          const asked = yield* ask(one.client, "d")
          one.peer.reset()
          const { outbox } = one.client.usage
          yield* TestClock.adjust(200)
          return [outbox, one.peer.received, asked.outcome, one.story().filter((event) => event.startsWith("Dropped"))]
        })
      expect(yield* outcomes("fail")).toEqual([2, "a\nb\n", "NotSent Dropped", ["Dropped 2 OutboxFull"]])
      expect(yield* outcomes("drop-oldest")).toEqual([2, "c\nd\n", undefined, ["Dropped 2 OutboxFull"]])
    }))

  it.effect("that the codec cannot write fail, and the connection goes on; when that is seen later, it is an event", () =>
    Effect.gen(function* () {
      const picky = Codec.mapOrFail(lines, {
        decode: Result.succeed,
        encode: (line: string) => line === "bad" ? Result.fail(Codec.invalidFrame("bad")) : Result.succeed(line),
      })
      const one = yield* dial(picky, { reconnect: soon }, away())
      yield* one.client.send("bad")
      const asked = yield* ask(one.client, "bad")
      yield* one.client.send("good")
      one.otherwise = "peer"
      yield* TestClock.adjust(200)
      expect(asked.outcome).toBe("NotSent EncodeFailed")
      expect(one.story().slice(-2)).toEqual(["Dropped 1 EncodeFailed", "Dropped 1 EncodeFailed"])
      expect(yield* Effect.flip(one.client.send("bad"))).toMatchObject({ _tag: "EncodeFailed" })
      expect((yield* ask(one.client, "bad")).outcome).toBe("NotSent EncodeFailed")
      yield* one.client.send("better")
      yield* turns
      expect(one.peer.received).toBe("good\nbetter\n")
      expect(one.client.state).toBe("Ready")
    }))

  it.effect("that are sent because another could not be do not overtake those that are kept", () =>
    Effect.gen(function* () {
      const picky = Codec.mapOrFail(lines, {
        decode: Result.succeed,
        encode: (line: string) => line === "bad" ? Result.fail(Codec.invalidFrame("bad")) : Result.succeed(line),
      })
      const one = yield* dial(picky, { reconnect: soon }, away())
      yield* Effect.forkChild(Effect.catch(one.client.request("bad"), () => one.client.send("instead")), {
        startImmediately: true,
      })
      yield* one.client.send("kept")
      one.otherwise = "peer"
      yield* TestClock.adjust(200)
      expect(one.peer.received).toBe("kept\ninstead\n")
    }))

  it.effect("that come wait for whoever takes them, over connections; with maxUnread of them nothing is read", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { maxUnread: 3, reconnect: soon, replies: { of: () => undefined } })
      one.peer.send("a\nb\nc\nd\ne\n")
      one.peer.send("f\n")
      expect([one.client.usage.unread, one.peer.paused]).toEqual([3, true])
      expect(yield* Effect.all([one.client.receive, one.client.receive, one.client.receive])).toEqual(["a", "b", "c"])
      expect([one.client.usage.unread, one.peer.paused]).toEqual([3, false])
      one.peer.reset()
      yield* TestClock.adjust(200)
      one.peer.send("g\n")
      const all = yield* Effect.forkChild(Stream.runCollect(one.client.frames))
      yield* turns
      yield* one.client.close.pipe(Effect.forkChild)
      yield* turns
      one.peer.fin()
      expect(yield* Fiber.join(all)).toEqual(["d", "e", "f", "g"])
    }))

  it.effect("that are none end the connection, after those in front of them", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon })
      one.peer.send(`a\n${"x".repeat(2_000)}\nb\n`)
      yield* turns
      expect([yield* one.client.receive, one.client.usage.unread]).toEqual(["a", 0])
      expect(one.story()).toContain("Disconnected DecodeFailed")
    }))
})

describe("requests by order", () => {
  it.effect("are answered in their order; a frame that nobody asked for is no answer", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines)
      peer.send("news\n")
      const [first, second] = [yield* ask(client, "a"), yield* ask(client, "b")]
      peer.send("1\n2\nmore\n")
      yield* turns
      expect([first.outcome, second.outcome]).toEqual(["1", "2"])
      expect(yield* Effect.all([client.receive, client.receive])).toEqual(["news", "more"])
    }))

  it.effect("leave no timer behind", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines)
      yield* TestClock.adjust("1 second")
      const before = one.fibers()
      const [answered, given] = [yield* ask(one.client, "a"), yield* ask(one.client, "b")]
      yield* given.giveUp
      one.peer.send("1\n")
      yield* TestClock.adjust("1 second")
      expect([answered.outcome, one.fibers()]).toEqual(["1", before])
    }))

  it.effect("that wait too long, or were given up, keep their place: nobody gets their answer", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, { requestTimeout: "5 seconds" })
      const [late, given] = [yield* ask(client, "a"), yield* ask(client, "b", { timeout: 60_000 })]
      yield* given.giveUp
      yield* TestClock.adjust("6 seconds")
      expect([late.outcome, client.usage.requests]).toEqual(["Unknown Timeout", 2])
      const third = yield* ask(client, "c")
      peer.send("1\n2\n3\n")
      yield* turns
      expect([third.outcome, given.outcome, client.usage.ignored]).toEqual(["3", undefined, 2])
      expect(client.usage).toMatchObject({ requests: 0, unread: 0 })
    }))

  it.effect("whose connection ends are unknown, and not sent again; their places are gone with it", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon })
      const [answered, lost] = [yield* ask(one.client, "a"), yield* ask(one.client, "b")]
      one.peer.send("1\n")
      one.peer.fin()
      yield* TestClock.adjust(200)
      expect([answered.outcome, lost.outcome]).toEqual(["1", "Unknown Disconnected"])
      const next = yield* ask(one.client, "c")
      one.peer.send("3\n")
      yield* turns
      expect([next.outcome, one.peer.received, one.client.usage.ignored]).toEqual(["3", "c\n", 0])
    }))

  it.effect("asked while away are sent once there is a connection, unless they waited too long or were given up", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: soon, requestTimeout: "10 seconds" }, away())
      const [late, given, kept] = [
        yield* ask(one.client, "a", { timeout: 1_000 }),
        yield* ask(one.client, "b"),
        yield* ask(one.client, "c"),
      ]
      yield* given.giveUp
      yield* TestClock.adjust("2 seconds")
      expect([late.outcome, one.client.usage]).toMatchObject(["NotSent Timeout", { outbox: 1, requests: 1 }])
      one.otherwise = "peer"
      yield* TestClock.adjust("1 second")
      one.peer.send("3\n")
      yield* turns
      expect([one.peer.received, kept.outcome]).toEqual(["c\n", "3"])
    }))

  it.effect("are at most maxRequests, with the places of those that were given up", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, { maxRequests: 2 })
      const [first, second] = [yield* ask(client, "a"), yield* ask(client, "b")]
      yield* first.giveUp
      expect((yield* ask(client, "c")).outcome).toBe("NotSent TooManyRequests")
      peer.send("1\n")
      const third = yield* ask(client, "d")
      peer.send("2\n4\n")
      yield* turns
      expect([second.outcome, third.outcome, peer.received]).toEqual(["2", "4", "a\nb\nd\n"])
    }))

  it.effect("with a timeout that is none are a defect of who asks, and take no place", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines)
      const timeout = "soon" as unknown as number // as a program without types has it
      expect(Exit.hasDies(yield* Effect.exit(client.request("a", { timeout })))).toBe(true)
      expect([client.usage.requests, peer.received]).toEqual([0, ""])
    }))

  it.effect("may be made by who was just answered, without end and without disorder", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines)
      const chain = (name: string) =>
        Effect.gen(function* () {
          const answers: Array<string> = []
          for (let count = 0; count < 5; count++) answers.push(yield* client.request(`${name}${count}`))
          return answers
        })
      const both = yield* Effect.forkChild(Effect.all([chain("a"), chain("b")], { concurrency: 2 }))
      for (let answered = 0; answered < 10; answered += 2) {
        yield* turns
        peer.send(peer.received.split("\n").slice(answered, -1).map((line) => `${line}!\n`).join(""))
      }
      const expected = (name: string) => Array.from({ length: 5 }, (_, count) => `${name}${count}!`)
      expect(yield* Fiber.join(both)).toEqual([expected("a"), expected("b")])
    }))
})

describe("requests by key", () => {
  const byKey = { replies: { of: (line: string) => /^(\d+)=/.exec(line)?.[1] }, reconnect: soon } as const
  const asking = (client: Client<string, string>, key: string, timeout = 30_000) =>
    ask(client, `ask ${key}`, { key, timeout })

  it.effect("are answered in any order; a frame without a key is no answer", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, byKey)
      const [one, two] = [yield* asking(client, "1"), yield* asking(client, "2")]
      peer.send("2=b\nnews\n1=a\n")
      yield* turns
      expect([one.outcome, two.outcome, yield* client.receive]).toEqual(["1=a", "2=b", "news"])
    }))

  it.effect("34: answers that come late, twice, or to what was never asked, are counted and given to nobody", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, byKey)
      const [one, late] = [yield* asking(client, "1"), yield* asking(client, "2", 1_000)]
      peer.send("1=a\n1=a\n9=x\n")
      yield* TestClock.adjust("2 seconds")
      peer.send("2=b\n")
      yield* turns
      expect([one.outcome, late.outcome]).toEqual(["1=a", "Unknown Timeout"])
      expect(client.usage).toMatchObject({ ignored: 3, unread: 0, requests: 0 })
    }))

  it.effect("with a key that is in use are refused, also when it is that of one that was given up", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, byKey)
      const { client, peer } = one
      const first = yield* asking(client, "1")
      expect((yield* asking(client, "1")).outcome).toBe("NotSent KeyInUse")
      expect((yield* ask(client, "ask")).outcome).toBe("NotSent KeyMissing")
      yield* first.giveUp
      expect((yield* asking(client, "1")).outcome).toBe("NotSent KeyInUse")
      peer.send("1=late\n")
      const again = yield* asking(client, "1")
      peer.send("1=new\n")
      yield* turns
      expect(again.outcome).toBe("1=new")
      // What was given up on another connection is answered on none.
      yield* (yield* asking(client, "2")).giveUp
      peer.reset()
      yield* TestClock.adjust(200)
      const next = yield* asking(client, "2")
      one.peer.send("2=new\n")
      yield* turns
      expect(next.outcome).toBe("2=new")
    }))

  it.effect("are unknown when their connection ends; one that had not left is sent by the next, and answered there", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, byKey)
      const lost = yield* asking(one.client, "1")
      one.peer.room = 0
      const kept = yield* asking(one.client, "2")
      one.peer.reset()
      const away = yield* asking(one.client, "3")
      yield* TestClock.adjust(200)
      expect([lost.outcome, kept.outcome, one.peer.received]).toEqual([
        "Unknown Disconnected",
        undefined,
        "ask 2\nask 3\n",
      ])
      one.peer.send("1=late\n3=c\n2=b\n")
      yield* turns
      expect([kept.outcome, away.outcome, one.client.usage.ignored]).toEqual(["2=b", "3=c", 1])
    }))

  it.effect("are not answered before they are sent", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, { ...byKey, limits: { outboxHigh: 0, outboxLow: 0 } })
      peer.room = 0
      yield* Effect.forkChild(client.send("first"))
      const kept = yield* asking(client, "1")
      peer.send("1=a\n")
      yield* turns
      expect([kept.outcome, client.usage.ignored]).toEqual([undefined, 1])
      peer.drain()
      yield* turns
      peer.send("1=b\n")
      yield* turns
      expect(kept.outcome).toBe("1=b")
    }))

  it.effect("take what throws for a frame without a key", () =>
    Effect.gen(function* () {
      const { client, peer } = yield* dial(lines, { replies: { of: () => expect.unreachable() } })
      peer.send("a\n")
      expect(yield* client.receive).toBe("a")
    }))

  it.effect("with many that were given up remember the latest of them", () =>
    Effect.gen(function* () {
      const { client } = yield* dial(lines, byKey)
      for (let key = 0; key < 1_100; key++) {
        const fiber = yield* Effect.forkChild(client.request("x", { key: `${key}` }), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
      }
      expect((yield* asking(client, "1099")).outcome).toBe("NotSent KeyInUse")
      expect((yield* asking(client, "0")).outcome).toBe(undefined)
    }))
})

describe("the failure of a request", () => {
  it.effect("says in words what became of it", () =>
    Effect.gen(function* () {
      const one = yield* dial(lines, { reconnect: false })
      const asked = yield* Effect.forkChild(Effect.exit(one.client.request("a")))
      yield* turns
      one.peer.reset()
      const exit = yield* Fiber.join(asked)
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("The connection ended before the answer: peer_reset")
      expect((yield* Effect.flip(one.client.request("b"))).message).toBe(
        "The request was not sent: the client has ended: peer_reset",
      )
    }))
})
