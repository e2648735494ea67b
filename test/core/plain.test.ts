import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Delimited from "../../core/codecs/Delimited.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 1_024 })

/** A promise that the test settles. */
const gate = <A>() => {
  let open!: (value: A) => void
  const promise = new Promise<A>((resolve) => open = resolve)
  return { promise, open }
}

describe("plain", () => {
  it.effect("answers a value in the same turn, so that a chunk of requests is one write", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(Service.plain(lines, (line) => `echo: ${line}`))
      const peer = script.connect()
      peer.send("a\nb\n")
      expect(peer.writes).toEqual(["echo: a\necho: b\n"])
    }))

  it.effect("answers promises in the order of requests, whichever is kept first", () =>
    Effect.gen(function* () {
      const slow = gate<string>()
      const { script } = yield* serve(
        Service.plain(lines, (line) => line === "slow" ? slow.promise : Promise.resolve(line), { concurrency: 2 }),
      )
      const peer = script.connect()
      peer.send("slow\nfast\n")
      yield* turns
      expect(peer.received).toBe("")
      slow.open("slow at last")
      yield* turns
      expect(peer.received).toBe("slow at last\nfast\n")
    }))

  it.effect("answers nothing for undefined, several for replies, and ends after last", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.plain(lines, (line) => {
          if (line === "two") return Service.replies(["1", "2"])
          if (line === "bye") return Promise.resolve(Service.last("bye"))
          return undefined
        }),
      )
      const peer = script.connect()
      peer.send("?\ntwo\nbye\nunread\n")
      yield* turns
      expect(peer.received).toBe("1\n2\nbye\n")
      peer.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["LocalClosed"])
    }))

  it.effect("answers thrown InvalidInput and rejected Unavailable with their reply, and goes on", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.plain(lines, (line) => {
          if (line === "bad") throw new Service.InvalidInput({ reply: "cannot" })
          if (line === "busy") return Promise.reject(new Service.Unavailable({ reply: "later" }))
          return line
        }),
      )
      const peer = script.connect()
      peer.send("bad\nbusy\nfine\n")
      yield* turns
      expect(peer.received).toBe("cannot\nlater\nfine\n")
      expect(of("HandlerFailed").map(({ kind }) => kind)).toEqual(["unavailable"])
    }))

  for (
    const [how, handler] of [
      ["thrown", () => {
        throw new Error("boom")
      }],
      ["rejected", () => Promise.reject(new Error("boom"))],
    ] as const
  ) {
    it.effect(`48: ends the connection for an error that is ${how}, with an id in the event`, () =>
      Effect.gen(function* () {
        const { script, of } = yield* serve(Service.plain(lines, handler))
        const peer = script.connect()
        peer.send("x\n")
        yield* turns
        peer.fin()
        yield* turns
        expect(of("HandlerFailed").map(({ kind, id }) => [kind, id])).toEqual([["defect", "1.1"]])
        expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["HandlerFailed"])
      }))
  }

  it.effect("gives onError what was thrown and the id, and the FrameError of bytes that are no frame", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { script } = yield* serve(
        Service.plain(
          lines,
          () => {
            throw new Error("boom")
          },
          {
            onError: (error, connection, id) => {
              seen.push(error instanceof Error ? error.message : error, connection.id, id)
              return `error ${id}`
            },
          },
        ),
      )
      const first = script.connect()
      first.send("x\n")
      const second = script.connect()
      second.send("x".repeat(2_000))
      yield* turns
      expect([first.received, second.received]).toEqual(["error 1.1\n", "error undefined\n"])
      expect(seen.slice(0, 3)).toEqual(["boom", 1, "1.1"])
      expect(seen[4]).toBe(2)
    }))

  it.effect("makes the state of a connection before its first frame, also when that takes time", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(
        Service.plain(lines, (_, { state }) => String(++state.count), {
          open: ({ id }: Service.PlainConnection<string>) => Promise.resolve({ count: id * 10 }),
        }),
      )
      const [first, second] = [script.connect(), script.connect()]
      first.send("a\nb\n")
      second.send("a\n")
      yield* turns
      expect([first.received, second.received]).toEqual(["11\n12\n", "21\n"])
    }))

  it.effect("49: ends a handler's connection as HandlerTimeout, and drops what its promise gives later", () =>
    Effect.gen(function* () {
      const late = gate<string>()
      const { script, of } = yield* serve(Service.plain(lines, () => late.promise, { timeout: 1_000 }))
      const peer = script.connect()
      peer.send("x\n")
      yield* turns
      yield* TestClock.adjust("2 seconds")
      late.open("too late")
      peer.fin()
      yield* turns
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["HandlerTimeout"])
      expect(peer.received).toBe("")
    }))

  describe("a connection", () => {
    it.effect("sends frames that are no replies, resolves with false once it is over, and says why it ended", () =>
      Effect.gen(function* () {
        let connection!: Service.PlainConnection<string>
        const { script } = yield* serve(
          Service.plain(lines, (_, own) => {
            connection = own
          }),
        )
        const peer = script.connect()
        peer.send("x\n")
        expect(yield* Effect.promise(() => connection.send("pushed"))).toBe(true)
        yield* turns
        expect(peer.received).toBe("pushed\n")
        connection.close()
        peer.fin()
        expect((yield* Effect.promise(() => connection.closed))._tag).toBe("LocalClosed")
        expect(yield* Effect.promise(() => connection.send("late"))).toBe(false)
        expect(connection.counters.framesSent).toBe(1)
      }))

    it.effect("makes whoever awaits send wait while the peer does not read", () =>
      Effect.gen(function* () {
        let connection!: Service.PlainConnection<string>
        const { script } = yield* serve(
          Service.plain(lines, (_, own) => {
            connection = own
          }),
          { limits: { outboxHigh: 1_000, outboxLow: 100 } },
        )
        const peer = script.connect()
        peer.room = 0
        peer.send("x\n")
        let sent: boolean | undefined
        void connection.send("y".repeat(1_000)).then((result) => sent = result)
        yield* turns
        expect(sent).toBe(undefined)
        peer.drain()
        yield* turns
        expect(sent).toBe(true)
      }))

    it.effect("41: ends as EncodeFailed for a frame that its codec cannot write", () =>
      Effect.gen(function* () {
        let connection!: Service.PlainConnection<Uint8Array>
        const { script, of } = yield* serve(
          Service.plain(Delimited.make({ delimiter: "\n", maxLength: 10, maxOutgoing: 10 }), (_, own) => {
            connection = own
          }),
        )
        const peer = script.connect()
        peer.send("x\n")
        expect(yield* Effect.promise(() => connection.send(new Uint8Array(20)))).toBe(false)
        peer.fin()
        yield* turns
        expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["EncodeFailed"])
      }))
  })

  it("refuses a concurrency that is no number of requests", () => {
    expect(() => Service.plain(lines, () => "", { concurrency: 0 })).toThrow("concurrency is 0, accepted is an integer")
  })
})
