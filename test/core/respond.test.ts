import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Service from "../../core/Service.ts"
import { serve, turns } from "./harness.ts"

const lines = Lines.make({ maxLength: 1_024 })
const echo = Service.respond(lines, (line) => Effect.succeed(`echo: ${line}`))

describe("respond", () => {
  it.effect("answers all requests of a chunk in one write", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(echo)
      const peer = script.connect()
      peer.send("a\nb\nc\n")
      expect(peer.writes).toEqual(["echo: a\necho: b\necho: c\n"])
    }))

  it.effect("answers a request that arrives in pieces once it is whole", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(echo)
      const peer = script.connect()
      for (const piece of ["你".slice(0), "好", "!\nnex", "t\n"]) peer.send(piece)
      expect(peer.received).toBe("echo: 你好!\necho: next\n")
    }))

  it.effect("keeps the order of requests while handlers finish in another", () =>
    Effect.gen(function* () {
      const gates = new Map<string, Deferred.Deferred<void>>()
      for (const name of ["a", "b", "c"]) gates.set(name, yield* Deferred.make<void>())
      const { script } = yield* serve(
        Service.respond(lines, (line) => Effect.as(Deferred.await(gates.get(line)!), line), { concurrency: 3 }),
      )
      const peer = script.connect()
      peer.send("a\nb\nc\n")
      yield* Deferred.succeed(gates.get("c")!, undefined)
      yield* Deferred.succeed(gates.get("b")!, undefined)
      yield* turns
      expect(peer.received).toBe("")
      yield* Deferred.succeed(gates.get("a")!, undefined)
      yield* turns
      expect(peer.writes).toEqual(["a\nb\nc\n"])
    }))

  it.effect("answers as requests are completed when order is completion", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(
        Service.respond(lines, (line) => Effect.as(Effect.sleep(`${Number(line)} millis`), line), {
          concurrency: 2,
          order: "completion",
        }),
      )
      const peer = script.connect()
      peer.send("20\n10\n")
      yield* TestClock.adjust("10 millis")
      yield* turns
      expect(peer.received).toBe("10\n")
      yield* TestClock.adjust("10 millis")
      yield* turns
      expect(peer.received).toBe("10\n20\n")
    }))

  it.effect("handles no more than `concurrency` requests at once and stops reading meanwhile", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const work = Effect.gen(function* () {
        most = Math.max(most, ++running)
        yield* Effect.sleep("1 second")
        running--
        return "done"
      })
      const { script } = yield* serve(Service.respond(lines, () => work, { concurrency: 2 }))
      const peer = script.connect()
      peer.send("1\n2\n3\n4\n5\n")
      peer.send("6\n")
      expect(peer.paused).toBe(true)
      yield* TestClock.adjust("3 seconds")
      yield* turns
      expect(peer.received).toBe("done\n".repeat(6))
      expect(most).toBe(2)
      expect(peer.paused).toBe(false)
    }))

  it.effect("a fast reply waits for the slow ones in front of it", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(
        Service.respond(lines, (line) =>
          line === "slow" ? Effect.as(Effect.sleep("1 second"), line) : Effect.succeed(line), {
          concurrency: 4,
        }),
      )
      const peer = script.connect()
      peer.send("slow\nfast\n")
      expect(peer.received).toBe("")
      yield* TestClock.adjust("1 second")
      yield* turns
      expect(peer.received).toBe("slow\nfast\n")
    }))

  it.effect("replies may be none, several, or the last", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.respond(lines, (line) => {
        if (line === "none") return Effect.succeed(Service.noReply)
        if (line === "many") return Effect.succeed(Service.replies(["one", "two"]))
        return Effect.succeed(Service.last("bye"))
      }))
      const peer = script.connect()
      peer.send("none\nmany\nquit\nmany\n")
      expect(peer.received).toBe("one\ntwo\nbye\n")
      expect(peer.gotFin).toBe(true)
      peer.fin()
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["LocalClosed"])
    }))

  it.effect("gives each connection a state of its own, made before its first frame", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(Service.respond(lines, (_, { state }) => Effect.succeed(String(++state.count)), {
        open: () => Effect.as(Effect.sleep("1 second"), { count: 0 }),
      }))
      const [one, two] = [script.connect(), script.connect()]
      one.send("x\n")
      one.send("x\n")
      expect(one.received).toBe("")
      yield* TestClock.adjust("1 second")
      yield* turns
      two.send("x\n")
      expect(one.received).toBe("1\n2\n")
      expect(two.received).toBe("1\n")
    }))

  it.effect("49: ends a connection whose handler takes too long as HandlerTimeout, and interrupts the handler", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { script, of } = yield* serve(
        Service.respond(
          lines,
          () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true))),
          {
            timeout: "2 seconds",
          },
        ),
      )
      const peer = script.connect()
      peer.send("x\n")
      yield* TestClock.adjust("1900 millis")
      expect(interrupted).toBe(false)
      yield* TestClock.adjust("200 millis")
      yield* turns
      expect(interrupted).toBe(true)
      expect(peer.gotFin).toBe(true)
      peer.fin()
      expect(of("Closed")[0]?.reason._tag).toBe("HandlerTimeout")
    }))

  it.effect("releases once what its handlers acquired, when the connection ends", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const { script } = yield* serve(
        Service.respond(lines, (line) =>
          Effect.as(Effect.acquireRelease(Effect.void, () => Effect.sync(() => released.push(line))), "kept")),
      )
      const [one, two] = [script.connect(), script.connect()]
      one.send("one\n")
      two.send("two\n")
      expect(released).toEqual([])
      one.reset()
      yield* turns
      expect(released).toEqual(["one"])
      two.fin()
      yield* turns
      expect(released).toEqual(["one", "two"])
    }))

  it.effect("15: a chunk of many small frames leaves turns to the others", () =>
    Effect.gen(function* () {
      const { script } = yield* serve(echo)
      const [flood, other] = [script.connect(), script.connect()]
      flood.send("x\n".repeat(10_000))
      const answered = flood.received.length
      expect(answered).toBeLessThan("echo: x\n".length * 2_048)
      other.send("y\n")
      expect(other.received).toBe("echo: y\n")
      yield* turns
      yield* turns
      expect(flood.received).toBe("echo: x\n".repeat(10_000))
    }))
})

describe("failures of a respond handler", () => {
  it.effect("invalid input gets the friendly reply and the connection goes on", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.respond(lines, (line) =>
          line === "bad" ? Effect.fail(new Service.InvalidInput({ reply: "try again" })) : Effect.succeed(line)),
      )
      const peer = script.connect()
      peer.send("bad\ngood\n")
      expect(peer.received).toBe("try again\ngood\n")
      expect(of("HandlerFailed")).toEqual([])
    }))

  it.effect("an unavailable dependency gets the busy reply and an event, and the connection goes on", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.respond(
          lines,
          (line) =>
            line === "db"
              ? Effect.fail(new Service.Unavailable({ reply: "busy", cause: "db down" }))
              : Effect.succeed(line),
        ),
      )
      const peer = script.connect()
      peer.send("db\nok\n")
      expect(peer.received).toBe("busy\nok\n")
      expect(of("HandlerFailed").map(({ kind }) => kind)).toEqual(["unavailable"])
    }))

  it.effect("48: a defect ends exactly that connection, with an id that stands in the event", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.respond(lines, (line) => {
        if (line === "boom") throw new Error("kaboom")
        return Effect.succeed(line)
      }))
      const [broken, other] = [script.connect(), script.connect()]
      broken.send("first\nboom\nlater\n")
      expect(broken.received).toBe("first\n")
      expect(broken.gotFin).toBe(true)
      broken.fin()
      const [failed] = of("HandlerFailed")
      expect(failed?.kind).toBe("defect")
      const reason = of("Closed")[0]?.reason
      expect(reason?._tag === "HandlerFailed" && reason.id).toBe(failed?.id)
      other.send("fine\n")
      expect(other.received).toBe("fine\n")
    }))

  it.effect("48: any other error ends the connection as HandlerFailed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(Service.respond(lines, () => Effect.fail("no")))
      const peer = script.connect()
      peer.send("x\n")
      peer.fin()
      expect(of("Closed")[0]?.reason._tag).toBe("HandlerFailed")
      expect(of("HandlerFailed")[0]?.kind).toBe("failed")
    }))

  it.effect("33: onError answers bytes that are no frame once, then the connection ends as DecodeFailed", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(
        Service.respond(Lines.make({ maxLength: 17 }), (line) => Effect.succeed(line), { onError: ({ _tag }) => _tag }),
      )
      const peer = script.connect()
      peer.send("ok\nthis is far too long\nok\n")
      expect(peer.received).toBe("ok\nFrameTooLarge\n")
      peer.fin()
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["DecodeFailed"])
    }))
})
