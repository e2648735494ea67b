import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { UnbindingListener } from "../../adapters/UnbindingListener.ts"
import * as Address from "../../core/Address.ts"
import type { Event } from "../../core/Event.ts"
import * as Server from "../../core/Server.ts"
import { ListenError, Sockets, type Transport } from "../../core/Sockets.ts"
import { live, polite } from "./clients.ts"
import { turns } from "./harness.ts"
import { echo, open, Visitor } from "./visitors.ts"

/** Answers, so it is a connection. */
const isServed = (visitor: Visitor): boolean => {
  visitor.send("hello\n")
  return visitor.received.endsWith("hello\n")
}

/** What binds one address; nobody else can while it does. */
interface Binding {
  readonly accept: (transport: Transport) => void
}

/** A network in which pausing has to unbind, and whoever comes where nobody listens is refused. */
class Harbour {
  /** Another process has the addresses. */
  taken = false
  /** How long binding takes, in milliseconds. */
  slowness = 0
  binds = 0
  readonly bound = new Map<string, Binding>()

  readonly layer: Layer.Layer<Sockets> = Layer.succeed(
    Sockets,
    Sockets.of({
      capabilities: {
        runtime: "harbour",
        reset: true,
        reusePort: false,
        stopAccepting: "unbind",
        adoptDescriptor: false,
        abstractUnix: false,
        bindSource: false,
      },
      listen: ({ address }, accept) =>
        Effect.acquireRelease(
          Effect.map(this.#bind(address, accept), (binding) =>
            new UnbindingListener(
              binding,
              address,
              () => this.#bind(address, accept),
              () => void this.bound.delete(Address.format(address)),
            )),
          ({ close }) => close,
        ),
      connect: () => Effect.die("visitors only come"),
    }),
  )

  #bind(address: Address.Address, accept: Binding["accept"]): Effect.Effect<Binding, ListenError> {
    return Effect.suspend(() => {
      this.binds++
      const bind = Effect.suspend(() => {
        const name = Address.format(address)
        if (this.taken || this.bound.has(name)) {
          return Effect.fail(new ListenError({ problem: "AddressInUse", address }))
        }
        const binding = { accept }
        this.bound.set(name, binding)
        return Effect.succeed(binding)
      })
      return this.slowness === 0 ? bind : Effect.delay(bind, this.slowness)
    })
  }

  /** Somebody comes; undefined where nobody listens. */
  come(name = "127.0.0.1:9000"): Visitor | undefined {
    const binding = this.bound.get(name)
    if (binding === undefined) return undefined
    const visitor = new Visitor(Address.fromPeer("192.0.2.1", 40_000), Address.parse(name)!)
    binding.accept(visitor.transport)
    return visitor
  }
}

/** A server in a harbour. */
const moor = Effect.fnUntraced(function* (options: Server.Tunables = {}, address = "127.0.0.1:9000") {
  const harbour = new Harbour()
  const events: Array<Event> = []
  const server = yield* Effect.provide(
    Server.make({
      ...options,
      listeners: [{ address, service: echo }],
      observers: [(event) => void events.push(event)],
    }),
    harbour.layer,
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => server.abort()))
  const count = (tag: Event["_tag"]): number => events.filter(({ _tag }) => _tag === tag).length
  return { harbour, server, events, count }
})

describe("suspend", () => {
  it.effect("lets nobody in until it is resumed, and whoever is in stays; the backlog is served then", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open()
      const inside = town.come()
      yield* turns
      server.suspend()
      server.suspend()
      const [first, second] = [town.come(), town.come()]
      first.send("asked while waiting\n")
      yield* live(5_000)
      expect([server.state, first.attached, second.attached, isServed(inside)]).toEqual([
        "Suspended",
        false,
        false,
        true,
      ])
      yield* server.resume
      yield* turns
      expect([server.state, first.received, isServed(second)]).toEqual(["Serving", "asked while waiting\n", true])
      expect([of("Suspended").length, of("Resumed").length]).toEqual([1, 1])
    }))

  it.effect("unbinds where accepting cannot be paused, and binds again", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      const inside = harbour.come()!
      yield* turns
      server.suspend()
      expect([harbour.come(), isServed(inside)]).toEqual([undefined, true])
      yield* server.resume
      const next = harbour.come()!
      yield* turns
      expect([isServed(next), isServed(inside), harbour.binds]).toEqual([true, true, 2])
      expect([count("Suspended"), count("Resumed"), count("AcceptFailed")]).toEqual([1, 1, 0])
    }))

  it.effect("of several listeners all are, and both of localhost", () =>
    Effect.gen(function* () {
      const { harbour, server } = yield* moor({}, "localhost:9000")
      expect(harbour.bound.size).toBe(2)
      server.suspend()
      expect(harbour.bound.size).toBe(0)
      yield* server.resume
      expect(harbour.bound.size).toBe(2)
    }))

  it.effect("does nothing once the server drains, nor does resume", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open({ drain: { delay: "1 second" } })
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(100)
      server.suspend()
      const visitor = polite(town.come())
      expect([server.state, town.entry().state]).toEqual(["Draining", "Accepting"])
      yield* live(2_000)
      yield* server.resume
      server.suspend()
      yield* server.resume
      expect([server.state, town.entry().state, visitor.ended]).toEqual(["Stopped", "Closed", "Finished"])
      expect([of("Suspended").length, of("Resumed").length]).toEqual([0, 0])
      expect((yield* Fiber.join(draining)).drained).toBe(1)
    }))
})

describe("resume, where another process has taken the address meanwhile,", () => {
  it.effect("reports it and tries each second until it is free, and is done then", () =>
    Effect.gen(function* () {
      const { harbour, server, events, count } = yield* moor()
      server.suspend()
      harbour.taken = true
      const resumed = yield* Effect.forkChild(server.resume)
      yield* live(3_500)
      expect([count("AcceptFailed"), count("Resumed"), resumed.pollUnsafe()]).toEqual([4, 0, undefined])
      expect(events.find(({ _tag }) => _tag === "AcceptFailed")).toMatchObject({
        address: { host: "127.0.0.1", port: 9_000 },
        failure: { code: "AddressInUse" },
      })
      harbour.taken = false
      yield* live(1_000)
      yield* Fiber.join(resumed)
      expect([count("AcceptFailed"), count("Resumed")]).toEqual([4, 1])
      const visitor = harbour.come()!
      yield* turns
      expect(isServed(visitor)).toBe(true)
      yield* live(5_000)
      expect(harbour.binds).toBe(6)
    }))

  it.effect("goes on trying when nobody waits for it any more", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      server.suspend()
      harbour.taken = true
      const resumed = yield* Effect.forkChild(Effect.timeoutOption(server.resume, "2 seconds"))
      yield* live(2_500)
      yield* Fiber.join(resumed)
      harbour.taken = false
      yield* live(1_000)
      expect([harbour.bound.size, count("Resumed")]).toEqual([1, 1])
    }))

  it.effect("twice is once: both are done when it accepts", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      server.suspend()
      harbour.taken = true
      const both = [yield* Effect.forkChild(server.resume), yield* Effect.forkChild(server.resume)]
      yield* live(2_500)
      expect([both.map((fiber) => fiber.pollUnsafe()), count("AcceptFailed")]).toEqual([[undefined, undefined], 3])
      harbour.taken = false
      yield* live(1_000)
      for (const fiber of both) yield* Fiber.join(fiber)
      yield* server.resume
      expect([harbour.bound.size, count("Resumed"), count("AcceptFailed")]).toEqual([1, 1, 3])
    }))

  it.effect("gives up when it is suspended again, and says nothing of having resumed", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      server.suspend()
      harbour.taken = true
      const resumed = yield* Effect.forkChild(server.resume)
      yield* live(1_500)
      server.suspend()
      harbour.taken = false
      yield* live(3_000)
      yield* Fiber.join(resumed)
      expect([server.state, harbour.bound.size, count("Resumed"), count("Suspended")]).toEqual(["Suspended", 0, 0, 2])
      yield* server.resume
      expect([server.state, harbour.bound.size, count("Resumed")]).toEqual(["Serving", 1, 1])
    }))

  it.effect("suspended and resumed within a second it is tried once a second still", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      harbour.taken = true
      for (let times = 0; times < 5; times++) {
        server.suspend()
        yield* Effect.forkChild(server.resume)
        yield* live(100)
      }
      const before = count("AcceptFailed")
      yield* live(5_000)
      expect(count("AcceptFailed") - before).toBe(5)
      harbour.taken = false
      yield* live(1_000)
      expect([harbour.bound.size, count("Resumed"), server.state]).toEqual([1, 1, "Serving"])
    }))

  it.effect("suspended in the middle of binding, it listens to nobody", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor()
      server.suspend()
      harbour.slowness = 200
      const resumed = yield* Effect.forkChild(server.resume)
      yield* live(100)
      server.suspend()
      yield* live(1_000)
      yield* Fiber.join(resumed)
      expect([server.state, harbour.bound.size, count("Resumed")]).toEqual(["Suspended", 0, 0])
      const again = yield* Effect.forkChild(server.resume)
      yield* live(100)
      // And again, twice, while it is being bound: one bind at a time, or the second would meet the first.
      server.suspend()
      yield* Effect.forkChild(server.resume)
      yield* live(1_000)
      yield* Fiber.join(again)
      expect([server.state, harbour.bound.size, count("Resumed"), count("AcceptFailed")]).toEqual(["Serving", 1, 1, 0])
    }))

  it.effect("55: a drain ends the tries: nothing listens afterwards, nobody waits, no connection is lost", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor({ drain: { delay: "2 seconds" } })
      const inside = polite(harbour.come()!)
      yield* turns
      server.suspend()
      harbour.taken = true
      const resumed = yield* Effect.forkChild(server.resume)
      yield* live(500)
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(1_000)
      expect([count("AcceptFailed"), isServed(inside)]).toEqual([2, true])
      yield* live(1_200)
      expect(resumed.pollUnsafe()).toBeDefined()
      const failures = count("AcceptFailed")
      harbour.taken = false
      expect(yield* Fiber.join(draining)).toMatchObject({ served: 0, drained: 1, forced: 0 })
      yield* live(5_000)
      expect([harbour.bound.size, count("Resumed"), count("AcceptFailed"), server.state]).toEqual([
        0,
        0,
        failures,
        "Stopped",
      ])
    }))

  it.effect("55: a drain in the middle of binding leaves nothing bound", () =>
    Effect.gen(function* () {
      const { harbour, server } = yield* moor()
      server.suspend()
      harbour.slowness = 1_000
      const resumed = yield* Effect.forkChild(server.resume)
      yield* live(100)
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(200)
      expect(yield* Fiber.join(draining)).toMatchObject({ served: 0, drained: 0, forced: 0 })
      yield* live(2_000)
      yield* Fiber.join(resumed)
      expect(harbour.bound.size).toBe(0)
    }))

  it.effect("55: a suspended server drains without listening again", () =>
    Effect.gen(function* () {
      const { harbour, server, count } = yield* moor({ drain: { delay: "1 second" } })
      const inside = polite(harbour.come()!)
      yield* turns
      server.suspend()
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(900)
      expect([harbour.bound.size, isServed(inside)]).toEqual([0, true])
      yield* server.resume
      yield* live(1_000)
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 1, forced: 0 })
      expect([harbour.bound.size, harbour.binds, count("Resumed")]).toEqual([0, 1, 0])
    }))
})

describe("suspend beside a listener that is paused because it is full", () => {
  const full = { limits: { maxConnections: 1, atLimit: "backlog" } } as const

  it.effect("a place that is free opens nothing while it is suspended", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open(full)
      const [inside, waits] = [town.come(), town.come()]
      server.suspend()
      inside.reset()
      yield* live(3_000)
      expect([town.entry().state, waits.attached]).toEqual(["Paused", false])
      yield* server.resume
      yield* turns
      expect(isServed(waits)).toBe(true)
    }))

  it.effect("resumed while it is still full, it waits for a place", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* open(full)
      const [inside, waits] = [town.come(), town.come()]
      server.suspend()
      yield* server.resume
      expect([server.state, town.entry().state, of("Resumed").length]).toEqual(["Serving", "Paused", 1])
      expect([town.entry().backlog.length, server.usage.waiting]).toEqual([1, 0])
      inside.reset()
      yield* turns
      expect([isServed(waits), town.entry().state]).toEqual([true, "Paused"])
    }))

  it.effect("full only after it was suspended, it waits for a place as well", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open(full)
      server.suspend()
      const straggler = town.visitor()
      town.entry().straggle(straggler)
      const waits = town.come()
      yield* turns
      expect(isServed(straggler)).toBe(true)
      yield* server.resume
      yield* turns
      expect([waits.attached, server.usage.connections]).toEqual([false, 1])
      straggler.reset()
      yield* turns
      expect(isServed(waits)).toBe(true)
    }))

  it.effect("55: drained like that, nothing is opened when places become free", () =>
    Effect.gen(function* () {
      const { town, server } = yield* open(full)
      const [inside, waits] = [polite(town.come()), town.come()]
      server.suspend()
      const draining = yield* Effect.forkChild(server.drain)
      yield* live(500)
      expect(yield* Fiber.join(draining)).toMatchObject({ drained: 1, forced: 0 })
      expect([inside.ended, waits.attached, town.entry().state]).toEqual(["Finished", false, "Closed"])
    }))
})
