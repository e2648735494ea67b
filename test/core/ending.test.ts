import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as CloseReason from "../../core/CloseReason.ts"
import * as LengthPrefixed from "../../core/codecs/LengthPrefixed.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 65_536 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const never = Service.respond(lines, () => Effect.never)

const reasons = (harness: { of(tag: "Closed"): Array<{ reason: CloseReason.CloseReason }> }): Array<string> =>
  harness.of("Closed").map(({ reason }) => reason._tag)

describe("how a connection ends", () => {
  it.effect("18: a peer that half-closes gets its whole reply, then FIN, and it ends as PeerClosed", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.room = 3
      peer.send("question\n")
      peer.fin()
      expect(peer.gotFin).toBe(false)
      peer.drain()
      yield* turns
      expect(peer.received).toBe("question\n")
      expect(peer.gotFin).toBe(true)
      expect(reasons(harness)).toEqual(["PeerClosed"])
    }))

  it.effect("a peer that half-closes waits for handlers that are still at work", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line)))
      const peer = harness.script.connect()
      peer.send("a\nb\n")
      peer.fin()
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.received).toBe("a\nb\n")
      expect(reasons(harness)).toEqual(["PeerClosed"])
    }))

  it.effect("17: FIN in the middle of a frame ends it as TruncatedFrame; the handler is not given the part", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.send("whole\npa")
      peer.fin()
      yield* turns
      expect(peer.received).toBe("whole\n")
      expect(harness.of("Closed").map(({ reason }) => reason)).toEqual([CloseReason.truncatedFrame(2)])
    }))

  it.effect("19: what the peer sends after our FIN is discarded up to a bound, then it is reset", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, () => Effect.succeed(Service.last("bye"))))
      const peer = harness.script.connect()
      peer.send("x\n")
      expect(peer.gotFin).toBe(true)
      const garbage = new Uint8Array(1024 * 1024)
      for (let sent = 0; sent < 16; sent++) peer.send(garbage)
      expect(peer.calls).not.toContain("abort")
      peer.send(garbage)
      yield* turns
      expect(peer.calls).toContain("abort")
      expect(reasons(harness)).toEqual(["LocalClosed"])
    }))

  it.effect("a peer that does not finish after our FIN is reset after deadlines.linger", () =>
    Effect.gen(function* () {
      const harness = yield* serve(Service.respond(lines, () => Effect.succeed(Service.last("bye"))), {
        deadlines: { linger: "10 seconds" },
      })
      const peer = harness.script.connect()
      peer.send("x\n")
      yield* TestClock.adjust("9 seconds")
      expect(peer.calls).not.toContain("abort")
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.calls).toContain("abort")
      expect(harness.server.connections.size).toBe(0)
    }))

  it.effect("36: a peer that takes nothing of its reply is reset as WriteStalled; one that takes a little is not", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { deadlines: { writeStall: "30 seconds" } })
      const [frozen, slow] = [harness.script.connect(), harness.script.connect()]
      for (const peer of [frozen, slow]) {
        peer.room = 10
        peer.send("x".repeat(1_000) + "\n")
      }
      for (let second = 0; second < 70; second += 10) {
        yield* TestClock.adjust("10 seconds")
        slow.drain(1)
      }
      yield* turns
      expect(frozen.ended).toBe("Aborted")
      expect(slow.ended).toBeUndefined()
      expect(reasons(harness)).toEqual(["WriteStalled"])
      expect(harness.of("Closed")[0]?.unsent).toBe(991)
    }))

  it.effect("35: a peer that sends requests and never reads is not read any more", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { outboxHigh: 100_000, outboxLow: 10_000 } })
      const peer = harness.script.connect()
      peer.room = 0
      let sent = 0
      while (!peer.paused && sent < 10_000_000) {
        peer.send("x".repeat(999) + "\n")
        sent += 1_000
      }
      expect(sent).toBeLessThan(200_000)
      const [connection] = harness.server.connections.values()
      expect(connection!.unsent).toBeLessThan(200_000)
      peer.drain()
      yield* turns
      expect(peer.received.length).toBe(sent)
      expect(peer.paused).toBe(false)
    }))

  it.effect("a handler that does not end holds the end of its connection back for deadlines.close and no longer", () =>
    Effect.gen(function* () {
      const harness = yield* serve(never, { deadlines: { close: "5 seconds" } })
      const peer = harness.script.connect()
      peer.send("x\n")
      const [connection] = harness.server.connections.values()
      yield* connection!.close(CloseReason.kicked)
      yield* TestClock.adjust("4 seconds")
      expect(peer.gotFin).toBe(false)
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(peer.gotFin).toBe(true)
      peer.fin()
      yield* turns
      expect(reasons(harness)).toEqual(["Kicked"])
    }))

  it.effect("40: a reset while replies are queued frees them and is reported as PeerReset", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      peer.room = 0
      peer.send("x".repeat(500) + "\n")
      peer.reset()
      expect(harness.of("Closed").map(({ reason, unsent }) => [reason._tag, unsent])).toEqual([["PeerReset", 501]])
    }))

  it.effect("40: closing and aborting twice, and sending after the end, does nothing or says why", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = harness.script.connect()
      const [connection] = harness.server.connections.values()
      yield* connection!.abort()
      yield* connection!.abort()
      yield* connection!.close()
      yield* turns
      peer.reset()
      expect(reasons(harness)).toEqual(["Kicked"])
      expect(harness.of("Opened").length).toBe(1)
    }))

  it.effect("51: a failing or throwing open ends exactly that connection and releases what it acquired", () =>
    Effect.gen(function* () {
      let released = 0
      const acquire = Effect.acquireRelease(Effect.void, () => Effect.sync(() => void released++))
      const harness = yield* serve(Service.respond(lines, (line) => Effect.succeed(line), {
        open: (connection) =>
          Effect.andThen(acquire, connection.id === 1 ? Effect.die("boom") : Effect.succeed(undefined)),
      }))
      const [broken, other] = [harness.script.connect(), harness.script.connect()]
      broken.fin()
      yield* turns
      expect(released).toBe(1)
      expect(reasons(harness)).toEqual(["HandlerFailed"])
      other.send("fine\n")
      expect(other.received).toBe("fine\n")
    }))

  it.effect("41: a reply that the codec cannot write ends the connection as EncodeFailed, after those in front of it", () =>
    Effect.gen(function* () {
      const codec = LengthPrefixed.make({ width: 1, maxLength: 100 })
      const harness = yield* serve(Service.respond(codec, (frame) => Effect.succeed(new Uint8Array(frame[0]!))))
      const peer = harness.script.connect()
      peer.send(new Uint8Array([1, 2, 1, 101, 1, 3]))
      peer.fin()
      yield* turns
      expect(peer.received).toBe("\x02\x00\x00")
      expect(reasons(harness)).toEqual(["EncodeFailed"])
    }))

  it.effect("a connection that the system fails ends as TransportFailed with the cause", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      harness.script.connect().fail(new Error("no route"))
      const [closed] = harness.of("Closed")
      expect(closed?.reason._tag === "TransportFailed" && String(closed.reason.cause)).toBe("Error: no route")
    }))
})

describe("handlers that touch other connections", () => {
  it.effect("may send to, close and abort any of them from inside a frame, also their own", () =>
    Effect.gen(function* () {
      const harness: { server?: Server.Server } = {}
      const service = Service.respond(lines, (line, self) => {
        const [verb, id] = line.split(" ")
        const target = verb === "self" ? self : harness.server!.connections.get(Number(id))!
        if (verb === "close") target.closeUnsafe(CloseReason.kicked)
        if (verb === "abort") target.abortUnsafe()
        if (verb === "self") self.sendUnsafe("push")
        return Effect.succeed(line)
      })
      const { script, server, of } = yield* serve(service)
      harness.server = server
      const [one, two, three] = [script.connect(), script.connect(), script.connect()]
      one.send("close 2\nabort 3\nself\nclose 1\nnever\n")
      yield* turns
      expect(one.received).toBe("close 2\nabort 3\npush\nself\nclose 1\n")
      expect([one, two].map((peer) => peer.gotFin)).toEqual([true, true])
      expect(three.ended).toBe("Aborted")
      one.fin()
      two.fin()
      yield* turns
      expect(of("Closed").map(({ connection, reason }) => [connection, reason._tag]).sort()).toEqual([
        [1, "Kicked"],
        [2, "Kicked"],
        [3, "Kicked"],
      ])
    }))

  it.effect("answers that a slow reader's FIN finds still waiting are sent before the server's", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { outboxHigh: 20, outboxLow: 5 } })
      const peer = harness.script.connect()
      peer.room = 0
      const text = "0123456789\n".repeat(40)
      peer.send(text) // the first answers pass the mark
      peer.fin()
      yield* turns
      peer.drain(16 * 11 + 3) // they are taken, and a little of the next ones
      yield* turns
      while (peer.received.length < text.length && !peer.gotFin) {
        peer.drain()
        yield* turns
      }
      expect(peer.received).toBe(text)
      yield* turns
      expect(harness.of("Closed").map(({ unsent }) => unsent)).toEqual([0])
    }))

  it.effect(
    "whenever a reader takes how much and finishes writing, every answer reaches it before the FIN",
    () =>
      Effect.gen(function* () {
        const seed = Date.now() % 1_000_000
        const random = randomFrom(seed)
        for (let run = 0; run < 200; run++) {
          const outboxHigh = 1 + random(300)
          const limits = { outboxHigh, outboxLow: random(Math.min(50, outboxHigh)) }
          const harness = yield* serve(echo, { limits })
          const peer = harness.script.connect()
          peer.room = random(100)
          const text = Array.from({ length: 1 + random(120) }, () => "x".repeat(random(30)) + "\n").join("")
          let sent = 0
          let finished = false
          for (let step = 0; step < 2_000 && !(peer.gotFin && finished); step++) {
            const action = random(4)
            if (action === 0) peer.drain(random(200))
            else if (action === 1 && sent < text.length) {
              const length = 1 + random(400)
              peer.send(text.slice(sent, sent + length))
              sent += length
            } else if (sent >= text.length && !finished) {
              peer.fin()
              finished = true
            } else yield* Effect.yieldNow
          }
          yield* turns
          expect({ seed, run, received: peer.received }).toEqual({ seed, run, received: text })
          expect(harness.of("Closed").map(({ reason, unsent }) => [reason._tag, unsent])).toEqual([["PeerClosed", 0]])
        }
      }),
    20_000,
  )
})

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
const randomFrom = (seed: number) => (below: number): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}
