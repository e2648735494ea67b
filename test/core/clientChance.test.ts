/**
 * A client under everything that may happen to it, by chance that a seed decides: whatever happens, nothing is sent twice,
 * each request ends once, and nothing is left.
 *
 * Each frame is 28 bytes with a number that counts up, so that what a peer was sent, in part or whole, can be told.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import type { ClientEvent } from "../../core/Client.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import { dial, Dialer, type Outcome } from "./dialer.ts"
import { turns } from "./harness.ts"
import { randomFrom, seeds } from "./random.ts"
import type { Peer } from "./scripted.ts"

const lines = Lines.make({ maxLength: 1_024 })
const size = 28
const numbered = (number: number): string => `${String(number).padStart(8, "0")} ${"x".repeat(size - 10)}`
const numberOf = (text: string): number => Number(text.slice(0, 8))

/** The numbers that a peer was sent, also that of a frame which did not come whole. */
const sentTo = ({ received }: Peer): ReadonlyArray<number> =>
  received.split("\n").filter((line) => line !== "").map(numberOf)

const follows: Record<ClientEvent["_tag"], ReadonlyArray<ClientEvent["_tag"]>> = {
  Connecting: ["Connected", "Disconnected", "Closed"],
  Connected: ["LoggedIn", "Disconnected"],
  LoggedIn: ["Disconnected"],
  Disconnected: ["Waiting", "Closed"],
  Waiting: ["Connecting", "Closed"],
  Dropped: [],
  Closed: [],
}

const kinds = [{ replies: "order", full: "fail" }, { replies: "key", full: "drop-oldest" }] as const

describe.each(kinds)("a client with replies by $replies and an outbox that is full by $full", ({ replies, full }) => {
  it.effect.each(seeds)("keeps its promises with seed %d", (seed) =>
    Effect.gen(function* () {
      const random = randomFrom(seed)
      const network = new Dialer()
      /** Some more bytes, which end between two frames, or behind the number of one. */
      const room = ({ received }: Peer): number => {
        const frames = Math.floor(received.length / size) + random(5)
        const part = random(2) === 0 ? 0 : 10 + random(size - 10)
        return Math.max(0, frames * size + part - received.length)
      }
      const outcomes: ReadonlyArray<Outcome> = ["peer", "peer", "peer", "Refused", "silence"]
      network.prepare = (peer) => {
        if (random(2) === 0) peer.room = room(peer)
      }
      const one = yield* Random.withSeed(
        dial(lines, {
          replies: replies === "order"
            ? "order"
            : { of: (line) => line.startsWith("push") ? undefined : numberOf(line) },
          outbox: { most: 5, full },
          maxRequests: 20,
          maxUnread: 3,
          limits: { outboxHigh: 100, outboxLow: 30 },
          connectTimeout: "2 seconds",
          reconnect: { base: "200 millis", max: "2 seconds" },
          requestTimeout: "3 seconds",
          deadlines: { writeStall: "5 seconds" },
        }, network),
        String(seed),
      )

      let last = 0
      const sent = new Set<number>()
      const requests = new Map<number, { readonly outcomes: Array<string>; readonly fiber: Fiber.Fiber<void> }>()
      const answered = new Map<Peer, number>()
      const live = (): Peer | undefined => one.peers.find(({ ended }) => ended === undefined)

      const send = Effect.suspend(() => {
        const number = ++last
        return Effect.forkChild(
          Effect.matchEager(one.client.send(numbered(number)), {
            onSuccess: () => void sent.add(number),
            onFailure: () => {},
          }),
          { startImmediately: true },
        )
      })
      const ask = Effect.suspend(() => {
        const number = ++last
        const outcomes: Array<string> = []
        return Effect.map(
          Effect.forkChild(
            Effect.matchEager(one.client.request(numbered(number), { key: number }), {
              onSuccess: (reply) => void outcomes.push(reply),
              onFailure: ({ _tag }) => void outcomes.push(_tag),
            }),
            { startImmediately: true },
          ),
          (fiber) => void requests.set(number, { outcomes, fiber }),
        )
      })
      const giveUp = Effect.suspend(() => {
        const waiting = [...requests.values()].filter(({ outcomes }) => outcomes.length === 0)
        const request = waiting[random(Math.max(1, waiting.length))]
        if (request === undefined) return Effect.void
        return Effect.map(Fiber.interrupt(request.fiber), () => void request.outcomes.push("given up"))
      })
      const peerDoes = (act: (peer: Peer) => void) =>
        Effect.sync(() => {
          const peer = live()
          if (peer !== undefined) act(peer)
        })
      /** Answers what came whole: by order each in turn, by key one of them, perhaps again. */
      const answer = peerDoes((peer) => {
        const whole = Math.floor(peer.received.length / size)
        const numbers = sentTo(peer).slice(0, whole)
        if (peer.sentFin || peer.paused || numbers.length === 0) return
        if (replies === "key") return peer.send(`${numbered(numbers[random(numbers.length)]!)}\n`)
        const next = answered.get(peer) ?? 0
        const asked = numbers.slice(next).find((number) => requests.has(number))
        if (asked === undefined) return
        answered.set(peer, numbers.indexOf(asked) + 1)
        peer.send(`${numbered(asked)}\n`)
      })
      const actions = [
        send,
        send,
        ask,
        ask,
        ask,
        giveUp,
        answer,
        answer,
        answer,
        peerDoes((peer) => peer.drain(room(peer))),
        peerDoes((peer) => peer.drain()),
        peerDoes((peer) => replies === "key" && !peer.sentFin && !peer.paused && peer.send("push\n")),
        Effect.suspend(() => one.client.usage.unread > 0 ? Effect.asVoid(one.client.receive) : Effect.void),
        Effect.suspend(() => TestClock.adjust(random(400))),
        Effect.suspend(() => random(10) > 0 ? Effect.void : TestClock.adjust(5_000)),
        turns,
        peerDoes((peer) => random(10) === 0 && !peer.sentFin && peer.fin()),
        peerDoes((peer) => random(10) === 0 && peer.reset()),
      ]
      for (let step = 0; step < 3_000; step++) {
        network.otherwise = outcomes[random(outcomes.length)]!
        yield* actions[random(actions.length)]!
        const { outbox, requests, unread } = one.client.usage
        expect(outbox).toBeLessThanOrEqual(5)
        expect(requests).toBeLessThanOrEqual(20)
        expect(unread).toBeLessThanOrEqual(3)
        expect(one.open).toBeLessThanOrEqual(1)
      }
      const ending = yield* Effect.forkChild(one.end)
      yield* turns
      live()?.drain()
      yield* turns
      if (live()?.sentFin === false) live()?.fin()
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(ending)

      const received = one.peers.flatMap(sentTo)
      // Strictly upwards: nothing twice, and everything in order.
      expect(received).toEqual([...new Set(received)].sort((a, b) => a - b))
      expect(received.length).toBeGreaterThan(30)
      for (const number of received) {
        expect(sent.has(number) || requests.has(number), `${number} was asked for`).toBe(true)
      }
      const tally: Record<string, number> = {}
      for (const [number, { outcomes }] of requests) {
        expect(outcomes.length, `outcomes of ${number}`).toBe(1)
        const [outcome] = outcomes
        const reply = outcome!.endsWith("x")
        if (reply) expect(outcome).toBe(numbered(number))
        if (reply) expect(received).toContain(number)
        if (outcome === "NotSent") expect(received).not.toContain(number)
        tally[reply ? "answered" : outcome!] = (tally[reply ? "answered" : outcome!] ?? 0) + 1
      }
      // That it was worth it.
      for (const outcome of ["answered", "Unknown", "NotSent", "given up"]) expect(tally[outcome]).toBeGreaterThan(0)
      expect(one.peers.length).toBeGreaterThan(2)

      const story = one.events.filter(({ _tag }) => _tag !== "Dropped").map(({ _tag }) => _tag)
      expect(story[0]).toBe("Connecting")
      for (const [index, tag] of story.slice(1).entries()) expect(follows[story[index]!]).toContain(tag)
      expect(one.events.at(-1)).toMatchObject({ _tag: "Closed" })
      expect(one.client.usage).toMatchObject({ outbox: 0, unsent: 0, requests: 0 })
      expect([one.open, one.fibers()]).toEqual([0, 0])
    }))
})
