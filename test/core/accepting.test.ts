/** Accepting that fails, and what follows a frame: what a scripted Listener can show and a real one hardly. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import * as Service from "../../core/Service.ts"
import { type AcceptFailure, Sockets, type Transport } from "../../core/Sockets.ts"
import { serve } from "./harness.ts"
import { Peer, Script } from "./scripted.ts"

const echo = Service.respond(Lines.make({ maxLength: 100 }), (line) => Effect.succeed(line))

/** A server whose listener fails to accept when the test says so. */
const failing = Effect.gen(function* () {
  const script = new Script()
  const events: Array<Event> = []
  let fail!: (failure: AcceptFailure) => void
  let accept!: (transport: Transport) => void
  const sockets = Layer.effect(
    Sockets,
    Effect.map(Sockets, (real) =>
      Sockets.of({
        ...real,
        listen: (options, accepted) => {
          fail = options.acceptFailed!
          accept = accepted
          return real.listen(options, accepted)
        },
      })),
  ).pipe(Layer.provide(script.layer))
  const server = yield* Server.make({
    listeners: [{ address: "127.0.0.1:9000", service: echo }],
    observers: [(event) => events.push(event)],
  }).pipe(Effect.provide(sockets))
  yield* Effect.addFinalizer(() => Effect.sync(() => server.abort()))
  return { server, events, fail: (code: string) => fail({ code, cause: new Error(code) }), accept }
})

describe("an accept that fails", () => {
  it.effect.each(["ECONNABORTED", "EMFILE", "ENOBUFS", "ENOMEM"])(
    "4, 6: with %s is told with its code, and takes no place from who comes next",
    (code) =>
      Effect.gen(function* () {
        const { server, events, fail, accept } = yield* failing
        for (let count = 0; count < 3; count++) fail(code)
        const codes = events.flatMap((event) => event._tag === "AcceptFailed" ? [event.failure.code] : [])
        expect(codes).toEqual([code, code, code])
        expect(server.usage).toMatchObject({ connections: 0, refusing: 0, waiting: 0 })
        const peer = new Peer()
        accept(peer.transport)
        peer.send("hello\n")
        expect(peer.received).toBe("hello\n")
      }),
  )
})

describe("what follows a frame", () => {
  it.effect("20: and is none ends the connection after the frame was answered, and harms nobody else", () =>
    Effect.gen(function* () {
      const { script, of } = yield* serve(echo)
      const [peer, other] = [script.connect(), script.connect()]
      peer.send(`hello\n${"x".repeat(200)}`)
      expect(peer.received).toBe("hello\n")
      expect(peer.gotFin).toBe(true)
      peer.fin()
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["DecodeFailed"])
      other.send("still here\n")
      expect(other.received).toBe("still here\n")
    }))
})
