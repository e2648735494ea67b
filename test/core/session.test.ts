import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CloseReason from "../../core/CloseReason.ts"
import type { Codec } from "../../core/Codec.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Connection } from "../../core/Connection.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 1_024 })

const echo = Service.session(lines, (connection) =>
  Effect.gen(function* () {
    for (;;) {
      const line = yield* connection.receive
      if (line === undefined) return
      yield* connection.send(`echo: ${line}`)
    }
  }))

describe("session", () => {
  it.effect("receives and sends in one turn, with one write", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(echo)
      const peer = script.connect()
      peer.send("a\nb\n")
      expect(peer.writes).toEqual(["echo: a\necho: b\n"])
    }))

  it.effect("what was sent counts at once, although it is written later", () =>
    Effect.gen(function* () {
      const counted: Array<unknown> = []
      const { script } = yield* serve(Service.session(lines, (connection) =>
        Effect.gen(function* () {
          yield* connection.receive
          yield* connection.send("é")
          counted.push(connection.unsent)
          yield* connection.send("b")
          counted.push(connection.counters.framesSent, connection.unsent, connection.held)
          yield* connection.send("c")
          yield* connection.receive
        })))
      const peer = script.connect()
      peer.send("x\n")
      expect(counted).toEqual([3, 2, 5, 7])
      expect(peer.writes).toEqual(["é\nb\nc\n"])
    }))

  it.effect("what cannot be written fails its own send, and what stands in front of it arrives", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(Service.session(lines, (connection) =>
        Effect.gen(function* () {
          yield* connection.send("a")
          const failed = yield* Effect.flip(connection.send("b\nc"))
          yield* connection.send(failed._tag)
          yield* connection.receive
        })))
      const peer = script.connect()
      yield* turns
      expect(peer.received).toBe("a\nEncodeFailed\n")
    }))

  it.effect("what a codec wrongly said to be sure ends the connection, whatever is asked and sent in between", () =>
    Effect.gen(function* () {
      const lying: Codec<string, string> = {
        decoder: () => lines.decoder(),
        encoder: () => {
          const inner = lines.encoder()
          return { encode: (frames, output) => inner.encode(frames, output), atMost: (frame) => frame.length + 2 }
        },
      }
      const { script, of } = yield* serve(Service.session(lying, (connection) =>
        Effect.gen(function* () {
          yield* connection.send("a")
          yield* connection.send("b\nc")
          void connection.counters
          yield* connection.send("d")
          yield* connection.receive
        })))
      const peer = script.connect()
      yield* turns
      expect(peer.received.startsWith("a\n")).toBe(true)
      peer.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["EncodeFailed"])
    }))

  it.effect("a session that never waits meets outboxHigh at the byte, and what is cut off then is counted", () =>
    Effect.gen(function* () {
      let sent = 0
      const { script, of } = yield* serve(
        Service.session(lines, (connection) =>
          Effect.gen(function* () {
            yield* connection.receive
            for (;; sent++) yield* connection.send("x".repeat(9))
          })),
        { limits: { outboxHigh: 100, outboxLow: 50 } },
      )
      const peer = script.connect()
      peer.room = 0
      peer.send("go\n")
      yield* turns
      // The one that is above the mark is taken, and waits.
      expect(sent).toBe(10)
      peer.reset()
      yield* turns
      expect(of("Closed").map(({ unsent }) => unsent)).toEqual([110])
    }))

  it.effect("18: the peer's FIN ends input as a value; what is sent after it arrives; then PeerClosed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.session(lines, (connection) =>
        Effect.gen(function* () {
          while ((yield* connection.receive) !== undefined);
          yield* connection.send("late")
        })))
      const peer = script.connect()
      peer.send("a\n")
      peer.fin()
      yield* turns
      expect(peer.received).toBe("late\n")
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerClosed"])
    }))

  it.effect("a session that returns is flushed and ends as LocalClosed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.session(lines, (connection) => connection.send("hello")))
      const peer = script.connect()
      yield* turns
      expect(peer.received).toBe("hello\n")
      expect(peer.gotFin).toBe(true)
      peer.fin()
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["LocalClosed"])
    }))

  it.effect("failing with a CloseReason means that reason, failing otherwise HandlerFailed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.session(
          lines,
          (connection) =>
            Effect.flatMap(
              connection.receive,
              (line) => Effect.fail(line === "kick" ? CloseReason.kicked : new Error("other")),
            ),
        ),
      )
      for (const line of ["kick\n", "x\n"]) {
        const peer = script.connect()
        peer.send(line)
        peer.fin()
        yield* turns
      }
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["Kicked", "HandlerFailed"])
      expect(of("HandlerFailed").map(({ kind }) => kind)).toEqual(["failed"])
    }))

  it.effect("17: FIN inside a frame fails the next receive with TruncatedFrame, after the whole frames", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const { script, of } = yield* serve(
        Service.session(
          lines,
          (connection) => Effect.forever(Effect.map(connection.receive, (line) => void seen.push(line))),
        ),
      )
      const peer = script.connect()
      peer.send("whole\npart")
      peer.fin()
      yield* turns
      expect(seen).toEqual(["whole"])
      expect(of("Closed").map(({ reason }) => reason)).toEqual([CloseReason.truncatedFrame(4)])
    }))

  it.effect("the session may answer bytes that are no frame before it ends", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.session(Lines.make({ maxLength: 8 }), (connection) =>
        Effect.forever(connection.receive).pipe(
          Effect.catchTag("DecodeFailed", (reason) => Effect.andThen(connection.send("too long"), Effect.fail(reason))),
        )))
      const peer = script.connect()
      peer.send("x".repeat(20))
      yield* turns
      expect(peer.received).toBe("too long\n")
      peer.fin()
      expect(
        of("Closed").map(({ reason }) =>
          reason._tag
        ),
      ).toEqual(["DecodeFailed"])
    }))

  it.effect("frames is a stream that ends with the peer's FIN", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(Service.session(lines, (connection) =>
        Effect.flatMap(Stream.runCollect(connection.frames), (all) =>
          connection.send(Array.from(all).join("+")))))
      const peer = script.connect()
      peer.send("a\nb\n")
      peer.send("c\n")
      peer.fin()
      yield* turns
      expect(peer.received).toBe("a+b+c\n")
    }))

  it.effect("receiveAll gives what is there", () =>
    Effect.gen(function* () {
      const batches: Array<ReadonlyArray<string>> = []
      const { script } = yield* serve(Service.session(lines, (connection) =>
        Effect.gen(function* () {
          for (;;) {
            const batch = yield* connection.receiveAll
            batches.push(batch)
            if (batch.length === 0) return
          }
        })))
      const peer = script.connect()
      peer.send("a\nb\n")
      peer.send("c\n")
      peer.fin()
      yield* turns
      expect(batches).toEqual([["a", "b"], ["c"], []])
    }))

  it.effect("is interrupted when the peer resets, and releases what it acquired once", () =>
    Effect.gen(function* () {
      let released = 0
      const { script, of, server } = yield* serve(Service.session(lines, (connection) =>
        Effect.andThen(
          Effect.acquireRelease(Effect.void, () => Effect.sync(() => void released++)),
          Effect.forever(connection.receive),
        )))
      const peer = script.connect()
      peer.send("x\n")
      expect(server.connections.size).toBe(1)
      peer.reset()
      yield* turns
      expect(released).toBe(1)
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerReset"])
      expect(server.connections.size).toBe(0)
    }))

  it.effect("a finalizer can still send when the server ends the connection", () =>
    Effect.gen(function* () {
      let connection_: Connection<string> | undefined
      const { script } = yield* serve(Service.session(lines, (connection) =>
        Effect.andThen(
          Effect.acquireRelease(
            Effect.sync(() => void (connection_ = connection)),
            () => Effect.ignore(connection.send("goodbye")),
          ),
          Effect.never,
        )))
      const peer = script.connect()
      yield* connection_!.close(CloseReason.kicked)
      yield* turns
      expect(peer.received).toBe("goodbye\n")
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("a session that closes its own connection at once is interrupted, and need not wait for the deadline", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(
        Service.session(lines, (connection) => Effect.andThen(connection.close(), Effect.never)),
      )
      const peer = script.connect()
      yield* turns
      expect(peer.gotFin).toBe(true)
    }))

  it.effect("send waits while the peer takes nothing, and goes on when it does", () =>
    Effect.gen(function* () {
      let sent = 0
      const { script } = yield* serve(
        Service.session(lines, (connection) =>
          Effect.forever(Effect.map(connection.send("x".repeat(999)), () => void sent++))),
        { limits: { outboxHigh: 10_000, outboxLow: 2_000 } },
      )
      const peer = script.connect()
      peer.room = 5_000
      for (let round = 0; round < 10; round++) {
        yield* turns
      }
      const first = sent
      expect(first).toBeGreaterThanOrEqual(10)
      expect(first).toBeLessThan(20)
      peer.drain(5_000)
      yield* turns
      expect(sent).toBe(first)
      peer.drain(1_000_000)
      yield* turns
      expect(sent).toBeGreaterThan(first)
    }))

  it.effect("a session that sends without a pause meets the mark within the turn", () =>
    Effect.gen(function* () {
      let sent = 0
      const { script } = yield* serve(
        Service.session(lines, (connection) =>
          Effect.gen(function* () {
            yield* connection.receive
            for (; sent < 500; sent++) yield* connection.send("x".repeat(999))
          })),
        { limits: { outboxHigh: 10_000, outboxLow: 2_000 } },
      )
      const peer = script.connect()
      peer.room = 0
      peer.send("go\n")
      expect(sent).toBeLessThan(20)
    }))

  it.effect("input that a session does not take gathers up to a bound, then is not read", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(
        Service.session(
          lines,
          (connection) => Effect.andThen(Effect.sleep("1 second"), Effect.forever(connection.receive)),
        ),
      )
      const peer = script.connect()
      let sent = 0
      while (!peer.paused && sent < 1_000_000) {
        peer.send("x".repeat(1_023) + "\n")
        sent += 1_024
      }
      expect(sent).toBeLessThan(100_000)
      yield* TestClock.adjust("1 second")
      yield* turns
      expect(peer.paused).toBe(false)
    }))

  it.effect("closed says why, to whoever waits and whoever comes later", () =>
    Effect.gen(function* () {
      const { script, server } = yield* serve(echo)
      const peer = script.connect()
      const connection = [...server.connections.values()][0]!
      const waiting = yield* Effect.forkChild(connection.closed)
      yield* turns
      peer.reset()
      yield* turns
      expect((yield* Fiber.join(waiting))._tag).toBe("PeerReset")
      expect((yield* connection.closed)._tag).toBe("PeerReset")
      const late = yield* Effect.flip((connection as Connection<string>).send("x"))
      expect(late._tag).toBe("PeerReset")
    }))
})
