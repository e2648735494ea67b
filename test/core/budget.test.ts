/** `limits.memory`: what all connections hold together, what happens near that bound, and at it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { Budget } from "../../core/Budget.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Connection } from "../../core/Connection.ts"
import * as Service from "../../core/Service.ts"
import { type Harness, serve, turns } from "./harness.ts"
import { counting } from "./passing.ts"
import { randomFrom, seeds } from "./random.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 1_000_000 })
const echo = Service.respond(lines, (line) => Effect.succeed(line))
const quiet = Service.respond(lines, () => Effect.succeed(Service.noReply))

/** Longer than it takes until somebody looks. */
const aLook = TestClock.adjust("300 millis")

const reasons = ({ of }: Harness): Array<string> =>
  of("Closed").map(({ reason }) => reason._tag === "Overloaded" ? `${reason._tag} ${reason.limit}` : reason._tag)

const held = ({ server }: Harness): number =>
  [...server.connections.values()].reduce((sum, connection) => sum + connection.held, 0)

const connectionOf = ({ server }: Harness, id: number): Connection => server.connections.get(id)!

/** A client that reads nothing and has made the server hold so many bytes for it. */
const frozen = ({ script }: Harness, bytes: number): Peer => {
  const peer = script.connect()
  peer.room = 0
  peer.send("x".repeat(bytes - 1) + "\n")
  return peer
}

describe("what is held", () => {
  it.effect("is what is no frame yet, and nothing once it is answered", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const { script, server } = harness
      const [one, two] = [script.connect(), script.connect()]
      one.send("12345")
      two.send("123")
      expect([server.usage.memory, connectionOf(harness, 1).held]).toEqual([8, 5])
      one.send("\n")
      expect(server.usage.memory).toBe(3)
      two.reset()
      expect(server.usage.memory).toBe(0)
    }))

  it.effect("is what is not sent, until the peer takes it", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const peer = frozen(harness, 1_000)
      expect(harness.server.usage.memory).toBe(1_000)
      peer.drain(400)
      expect(harness.server.usage.memory).toBe(600)
      peer.drain()
      expect(harness.server.usage.memory).toBe(0)
    }))

  it.effect("is what the transport has taken and the system has not, also when nobody says that it has now", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { memory: 1_000_000 } })
      const peer = harness.script.connect()
      const transport = Object.assign(peer.transport, { sending: 0 })
      peer.send("x")
      transport.sending = 5_000
      peer.send("\n")
      expect(harness.server.usage.memory).toBe(5_000)
      transport.sending = 0
      yield* TestClock.adjust("5 seconds")
      expect(harness.server.usage.memory).toBe(0)
    }))

  it.effect("is what was decoded and waits behind a request that is being answered", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line))
      const { script, server } = yield* serve(slow)
      const peer = script.connect()
      peer.send("123456789\n".repeat(10))
      expect(server.usage.memory).toBe(90)
      yield* TestClock.adjust("5 seconds")
      yield* turns
      expect(server.usage.memory).toBe(40)
      yield* TestClock.adjust("5 seconds")
      yield* turns
      expect(server.usage.memory).toBe(0)
    }))

  it.effect("is what a session was given together, until it asks for more", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          while ((yield* connection.receive) !== undefined) yield* Effect.sleep("1 second")
        }))
      const { script, server } = yield* serve(service)
      const peer = script.connect()
      yield* turns
      peer.send("123456789\n".repeat(3))
      yield* turns
      expect(server.usage.memory).toBe(30)
      yield* TestClock.adjust("4 seconds")
      yield* turns
      expect(server.usage.memory).toBe(0)
    }))

  it.effect("is no part of a frame that will never be whole, while a request in front is being answered", () =>
    Effect.gen(function* () {
      const slow = Service.respond(lines, (line) => Effect.as(Effect.sleep("1 second"), line), { concurrency: 2 })
      const { script, server } = yield* serve(slow)
      const peer = script.connect()
      peer.send("first\nsec")
      expect(server.usage.memory).toBe(3)
      peer.fin()
      expect(server.usage.memory).toBe(0)
      yield* TestClock.adjust("1 second")
      yield* turns
      expect(peer.received).toBe("first\n")
    }))

  it.effect("is nothing where a chunk was handled turn by turn without an answer", () =>
    Effect.gen(function* () {
      const { script, server } = yield* serve(quiet)
      script.connect().send("x\n".repeat(10_000))
      yield* turns
      yield* turns
      expect(server.usage.memory).toBe(0)
    }))

  it.effect("is nothing of what comes behind bytes that are no frame, while a request in front is being answered", () =>
    Effect.gen(function* () {
      const slow = Service.respond(
        Lines.make({ maxLength: 17 }),
        (line) => Effect.as(Effect.sleep("1 minute"), line),
        { concurrency: 2 },
      )
      const { script, server } = yield* serve(slow)
      const peer = script.connect()
      peer.send("first\n")
      for (let chunk = 0; chunk < 100; chunk++) peer.send("x".repeat(10_000))
      expect(server.usage.memory).toBe(0)
      yield* TestClock.adjust("1 minute")
      yield* turns
      expect(peer.received).toBe("first\n")
    }))

  const behaviours: Record<
    string,
    (line: string, connection: Connection<string>) => Effect.Effect<string | undefined>
  > = {
    echo: (line) => Effect.succeed(line),
    none: () => Effect.succeed(undefined),
    large: () => Effect.succeed("y".repeat(6_000)),
    later: (line) => Effect.as(Effect.sleep(`${line.length % 400} millis`), line),
    push: (line, connection) => Effect.as(Effect.ignore(connection.send(line)), undefined),
    throws: () => Effect.die("boom"),
    close: (_, connection) => Effect.as(connection.close(), undefined),
    abort: (_, connection) => Effect.as(connection.abort(), undefined),
  }
  const names = Object.keys(behaviours)
  const behave = (line: string, connection: Connection<string>) =>
    (behaviours[line.slice(0, line.indexOf(" "))] ?? behaviours["echo"]!)(line, connection)
  const services = {
    respond: Service.respond(
      Lines.make({ maxLength: 3_000 }),
      (line, connection) => Effect.map(behave(line, connection), (reply) => reply ?? Service.noReply),
      { concurrency: 3 },
    ),
    session: Service.session(Lines.make({ maxLength: 3_000 }), (connection) =>
      Effect.gen(function* () {
        for (;;) {
          const line = yield* connection.receive
          if (line === undefined) return
          const reply = yield* behave(line, connection)
          if (reply !== undefined) yield* connection.send(reply)
        }
      })),
  }
  const cases = Object.keys(services).flatMap((name) =>
    seeds.map((seed) => [name as keyof typeof services, seed] as const)
  )

  it.effect.each(cases)(
    "is the sum of all connections whatever they do, and nothing when they have gone (%s, seed %i)",
    ([name, seed]) =>
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const limits = { memory: 30_000, outboxHigh: 10_000, outboxLow: 2_000 }
        const harness = yield* serve(services[name], { limits, deadlines: { linger: "2 seconds" } })
        const { script, server } = harness
        let peers: Array<Peer> = []
        let highest = 0
        const text = (): string => {
          const name = names[random(random(4) === 0 ? names.length : 5)]!
          const whole = `${name} ${"x".repeat(random(random(20) === 0 ? 4_000 : 1_500))}\n`
          return random(4) === 0 ? whole.slice(0, random(whole.length)) : whole.repeat(1 + random(3))
        }
        const steps: ReadonlyArray<(peer: Peer) => void> = [
          (peer) => peer.paused || peer.sentFin || peer.send(text()),
          (peer) => peer.paused || peer.sentFin || peer.send(text()),
          (peer) => peer.paused || peer.sentFin || peer.send(text()),
          (peer) => peer.room = 0,
          (peer) => peer.room = random(2_000),
          (peer) => peer.drain(random(5_000)),
          (peer) => peer.drain(),
          (peer) => random(4) === 0 && !peer.sentFin && !peer.paused && peer.fin(),
          (peer) => random(8) === 0 && peer.reset(),
          () => [...server.connections.values()][random(8)]?.sendUnsafe("pushed" as never), // its service sends text
          () => random(8) === 0 && [...server.connections.values()][random(8)]?.closeUnsafe(),
          () => random(8) === 0 && [...server.connections.values()][random(8)]?.abortUnsafe(),
        ]
        for (let step = 0; step < 400; step++) {
          if (peers.length < 8 && random(4) === 0) peers.push(script.connect())
          peers = peers.filter(({ ended }) => ended === undefined)
          for (const peer of peers) {
            if (random(3) === 0 && peer.ended === undefined) steps[random(steps.length)]!(peer)
          }
          if (random(20) === 0) yield* server.update({ limits: { memory: 10_000 + random(40_000) } })
          if (random(3) === 0) yield* TestClock.adjust(`${random(500)} millis`)
          yield* turns
          expect({ step, memory: server.usage.memory }).toEqual({ step, memory: held(harness) })
          highest = Math.max(highest, server.usage.memory)
        }
        expect(highest).toBeGreaterThan(5_000)
        for (const peer of peers) if (peer.ended === undefined) peer.reset()
        yield* turns
        expect([server.connections.size, server.usage.memory]).toEqual([0, 0])
      }),
  )
})

describe("near the bound", () => {
  const limits = { memory: 10_000 }

  it.effect("62: whoever holds more than the average is not read, and goes on below 0.6; others are served meanwhile", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits })
      const thin = harness.script.connect()
      const fat = frozen(harness, 9_000)
      fat.send("waits\n")
      fat.send("too\n")
      expect(fat.paused).toBe(true)
      for (let request = 0; request < 5; request++) {
        thin.send("in pieces ")
        thin.send(`${request}\n`)
        yield* aLook
      }
      expect(thin.received.split("\n").length).toBe(6)
      fat.drain(2_000)
      yield* aLook
      yield* turns
      expect([fat.paused, harness.server.usage.memory]).toEqual([true, 7_010])
      fat.drain(1_500)
      yield* aLook
      yield* turns
      expect(fat.paused).toBe(false)
      fat.drain()
      expect(fat.received.slice(-11)).toBe("\nwaits\ntoo\n")
      expect(reasons(harness)).toEqual([])
    }))

  it.effect("new clients are refused because of memory, and let in when all is calm", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits })
      const fat = frozen(harness, 8_500)
      const refused = harness.script.connect()
      expect(refused.gotFin).toBe(true)
      expect(harness.of("Refused").map(({ limit }) => limit)).toEqual(["memory"])
      fat.drain()
      yield* aLook
      yield* turns
      harness.script.connect().send("x\n")
      expect(harness.of("Opened").length).toBe(2)
      expect(harness.of("Refused").length).toBe(1)
    }))

  it.effect("the server wakes up only as long as it is so", () =>
    Effect.gen(function* () {
      const { provide, slept } = yield* counting
      const harness = yield* provide(serve(echo, { limits, deadlines: { idle: Infinity, writeStall: Infinity } }))
      const fat = frozen(harness, 8_500)
      yield* TestClock.adjust("1 second")
      expect(slept()).toBeGreaterThan(3)
      fat.drain()
      yield* aLook
      yield* turns
      const before = slept()
      yield* TestClock.adjust("1 hour")
      expect(slept()).toBe(before)
      expect(harness.script.connect().gotFin).toBe(false)
    }))

  it.effect("what the system has taken by then is not counted, though nobody has said so", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits, deadlines: { writeStall: Infinity } })
      const peer = harness.script.connect()
      const transport = Object.assign(peer.transport, { sending: 0 })
      peer.send("x")
      transport.sending = 9_000
      peer.send("\n")
      expect(harness.script.connect().gotFin).toBe(true)
      transport.sending = 0
      yield* aLook
      yield* turns
      expect(harness.script.connect().gotFin).toBe(false)
      expect(harness.server.usage.memory).toBe(0)
    }))

  it.effect("no deadlock when everybody holds a part of a frame: some end, the others go on", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits, deadlines: { idle: Infinity } })
      const peers = Array.from({ length: 20 }, () => harness.script.connect())
      for (let part = 0; part < 20; part++) {
        for (const peer of peers) if (!peer.paused) peer.send("x".repeat(42))
      }
      expect(peers.filter(({ paused }) => paused).length).toBeGreaterThan(10)
      expect(harness.server.usage.memory).toBeLessThan(10_000)
      yield* TestClock.adjust("1 minute")
      yield* turns
      const left = peers.filter(({ ended }) => ended === undefined)
      expect(left.length).toBeGreaterThan(5)
      expect(left.length).toBeLessThan(20)
      expect(new Set(reasons(harness))).toEqual(new Set(["Overloaded memory"]))
      for (const peer of left) {
        expect(peer.paused).toBe(false)
        peer.send("\n")
        expect(peer.received).toMatch(/^x+\n$/)
      }
      expect(harness.server.usage.memory).toBe(0)
    }))
})

describe("at the bound", () => {
  it.effect("62: the least important ends by a reset as Overloaded, and of these who holds most; the others stay", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { memory: 10_000 } })
      const sizes = [4_000, 1_000, 1_500]
      const [important, small, large] = sizes.map((size) => frozen(harness, size))
      connectionOf(harness, 1).importance = 1
      const [idle, last] = [harness.script.connect(), harness.script.connect()]
      connectionOf(harness, 4).importance = -1
      connectionOf(harness, 5).importance = 1
      last.room = 0
      last.send("x".repeat(3_499) + "\n")
      yield* turns
      // 2,000 bytes are too much; the one that is least important holds nothing, so that its end would help nobody.
      expect([important, small, large, idle, last].map((peer) => peer!.ended)).toEqual([
        undefined,
        "Aborted",
        "Aborted",
        undefined,
        undefined,
      ])
      expect(reasons(harness)).toEqual(["Overloaded memory", "Overloaded memory"])
      expect(harness.of("Closed").map(({ connection }) => connection)).toEqual([3, 2])
      expect(harness.server.usage.memory).toBe(7_500)
    }))

  it.effect("is noticed at once, not at the next look", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { memory: 10_000 } })
      frozen(harness, 5_000)
      frozen(harness, 3_500)
      yield* turns
      const open = frozen(harness, 1)
      expect(open.gotFin).toBe(true)
      const [first] = harness.server.connections.values()
      first!.sendUnsafe("y".repeat(3_000) as never) // its service sends text
      yield* turns
      expect(harness.server.usage.memory).toBe(3_500)
      expect(reasons(harness)).toEqual(["Overloaded memory"])
    }))

  it.effect("also what is still being sent to those who are ending goes, under the reason that they have", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { memory: 10_000 } })
      const leaving = frozen(harness, 6_000)
      leaving.fin()
      const other = frozen(harness, 3_000)
      const { script } = harness
      script.connect()
      connectionOf(harness, 2).sendUnsafe("y".repeat(1_500) as never) // its service sends text
      yield* turns
      expect(leaving.ended).toBe("Aborted")
      expect(other.ended).toBeUndefined()
      expect(harness.of("Closed").map(({ reason, unsent }) => [reason._tag, unsent])).toEqual([["PeerClosed", 6_000]])
    }))

  it.effect("thousands that hold too much end in one look, without the process being busy for long", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo, { limits: { memory: 100_000_000 } })
      for (let client = 0; client < 4_000; client++) frozen(harness, 2_000)
      const start = performance.now()
      yield* harness.server.update({ limits: { memory: 5_000_000 } })
      yield* turns
      expect(performance.now() - start).toBeLessThan(2_000)
      expect(harness.server.usage.memory).toBe(4_000_000)
      expect(harness.of("Closed").length).toBe(2_000)
    }))
})

describe("changing the bound", () => {
  it.effect("lowered, it holds at once, though nothing moves", () =>
    Effect.gen(function* () {
      const harness = yield* serve(echo)
      const [one, two] = [frozen(harness, 5_000), frozen(harness, 2_000)]
      yield* harness.server.update({ limits: { memory: 6_000 } })
      yield* turns
      expect([one.ended, two.ended]).toEqual(["Aborted", undefined])
      expect(reasons(harness)).toEqual(["Overloaded memory"])
    }))

  for (const memory of [100_000, Infinity]) {
    it.effect(`raised to ${memory}, whoever was not read is read at once, and new clients are let in`, () =>
      Effect.gen(function* () {
        const harness = yield* serve(echo, { limits: { memory: 10_000 } })
        const fat = frozen(harness, 8_500)
        fat.send("a\n")
        fat.send("b\n")
        yield* turns
        expect([fat.paused, harness.script.connect().gotFin]).toEqual([true, true])
        yield* harness.server.update({ limits: { memory } })
        yield* turns
        expect([fat.paused, harness.script.connect().gotFin]).toEqual([false, false])
        fat.drain()
        expect(fat.received.slice(-5)).toBe("\na\nb\n")
      }))
  }
})

describe("the budget by itself", () => {
  it("asks for a look once when it comes near, once when it is reached, and again after a look", () => {
    const budget = new Budget()
    let asked = 0
    budget.onTight = () => asked++
    budget.bound = 100
    budget.holders = 1
    const holder = { hold: () => {}, letGo: () => {} }
    budget.change(holder, 0, 79)
    expect([asked, budget.tight]).toEqual([0, false])
    budget.change(holder, 79, 80)
    budget.change(holder, 80, 90)
    expect([asked, budget.tight]).toEqual([1, true])
    expect(budget.look()).toBe(0)
    budget.change(holder, 90, 100)
    budget.change(holder, 100, 101)
    expect(asked).toBe(2)
    expect(budget.look()).toBe(21)
    budget.change(holder, 101, 60)
    expect([budget.look(), budget.tight]).toEqual([0, true])
    budget.change(holder, 60, 59)
    expect([budget.look(), budget.tight]).toEqual([0, false])
  })
})
