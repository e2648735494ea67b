/** Hostile clients in virtual time: what each of them does to a server, that it is bounded, and what is said of it. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { layer } from "../../adapters/memory.ts"
import * as Framing from "../../load/Framing.ts"
import * as Hostile from "../../load/hostile/Hostile.ts"
import { json, summary } from "../../load/hostile/Summary.ts"
import { isProblem } from "../../load/Problem.ts"
import * as Target from "../../load/Target.ts"
import { bytes, type Does, type Peer, play, type Played, type Setting, usual } from "./stage.ts"

const { target } = usual

const named = (text: string): Target.Target => {
  const parsed = Target.parse(text)
  if (isProblem(parsed)) throw new Error(parsed.problem)
  return parsed
}

const framingOf = (text: string): Framing.Framing => {
  const parsed = Framing.parse(text, target)
  if (isProblem(parsed)) throw new Error(parsed.problem)
  return parsed
}

const planned = (plan: Partial<Hostile.HostilePlan>): Hostile.HostilePlan => ({
  target,
  sources: [],
  framing: framingOf("lines"),
  mode: "silent",
  connections: 10,
  duration: 3_000,
  message: bytes("hello"),
  connectTimeout: 1_000,
  seed: 1,
  ...plan,
})

interface Attacked extends Played {
  readonly hostile: Hostile.HostileOutcome
}

/** Attacks a server that is said, and holds what is so of every attack. */
const attacked = (
  plan: Partial<Hostile.HostilePlan>,
  setting: Omit<Setting, "plan" | "run"> = {},
): Effect.Effect<Attacked> => {
  let hostile: Hostile.HostileOutcome | undefined
  const run: Setting["run"] = (_, options) =>
    Effect.map(Hostile.run(planned(plan), options), (outcome) => {
      hostile = outcome
      return outcome.decent
    })
  return Effect.map(play({ ...setting, run }), (played) => {
    const { connections, endings } = hostile!
    expect(played.left, "left when it is over").toEqual({ peers: 0, fibers: 0 })
    expect(Object.values(endings).reduce((sum, count) => sum + count, 0)).toBe(connections)
    // It ends by itself, soon.
    expect(played.took).toBeLessThan((plan.duration ?? 3_000) + 2_500)
    return { ...played, hostile: hostile! }
  })
}

/** All but the well-behaved one, which asks. */
const hostiles = ({ server }: Attacked): ReadonlyArray<Peer> => {
  const decent = server.accepted.find(({ lines }) => lines.length > 0)
  return server.accepted.filter((peer) => peer !== decent)
}

/** What each connection said, as text, by number. */
const heard = (): Does & { readonly texts: Map<number, string> } => {
  const texts = new Map<number, string>()
  return {
    texts,
    open: (peer) => {
      const take = peer.bytes.bind(peer)
      peer.bytes = (chunk) => {
        texts.set(
          peer.number,
          (texts.get(peer.number) ?? "") + Array.from(chunk, (byte) => String.fromCharCode(byte)).join(""),
        )
        take(chunk)
      }
    },
  }
}

/** Echoes, and reads no more of who has asked a thousand times. */
const guarded = (): Does => {
  const asked = new Map<Peer, number>()
  return {
    line: (peer, line) => {
      const count = (asked.get(peer) ?? 0) + 1
      asked.set(peer, count)
      if (count === 1_000) peer.transport.pause()
      if (count <= 1_000) peer.say(`${line}\n`)
    },
  }
}

describe("a server without deadlines", () => {
  it.effect.each(["silent", "slowloris", "half-open", "slow-reader"] as const)(
    "keeps all who are %s, and serves the one who is well-behaved",
    (mode) =>
      Effect.gen(function* () {
        const { hostile } = yield* attacked({ mode }, { does: guarded() })
        expect(hostile).toMatchObject({ connections: 10, endings: { survived: 10 } })
        expect(hostile.decent.total.replies).toBe(30)
        expect([...hostile.decent.total.failures]).toEqual([])
        expect(hostile.lifetime.totalCount).toBe(0)
      }),
  )
})

describe("a server with a deadline", () => {
  it.effect("is seen to end them, and when", () =>
    Effect.gen(function* () {
      const late = new Map<Peer, number>()
      let time = 0
      const look = (): void => {
        time++
        for (const [peer, since] of late) if (time - since === 1_000 && peer.number > 0) peer.transport.shutdown()
      }
      const at = Object.fromEntries(Array.from({ length: 6_000 }, (_, index) => [index, look]))
      const { hostile } = yield* attacked({ mode: "slowloris" }, { does: { open: (peer) => late.set(peer, time) }, at })
      expect(hostile.endings.finished).toBeGreaterThanOrEqual(9)
      expect(hostile.lifetime.getValueAtPercentile(50) / 1_000).toBeCloseTo(1_000, -2)
    }))

  it.effect("that resets is told from one that finishes", () =>
    Effect.gen(function* () {
      const { hostile } = yield* attacked(
        { mode: "garbage", duration: 200 },
        { does: { line: () => {}, open: (peer) => void (peer.number > 3 && peer.transport.abort()) } },
      )
      expect(hostile.endings.reset).toBeGreaterThan(10)
      expect(hostile.connections).toBeGreaterThan(10)
    }))
})

describe("what each one does", () => {
  it.effect("slowloris: a byte each 100 ms, and never the last of a frame", () =>
    Effect.gen(function* () {
      const does = heard()
      yield* attacked({ mode: "slowloris", connections: 1, message: bytes("abcdefgh"), duration: 3_000 }, { does })
      expect([...does.texts.values()].toSorted((one, other) => one.length - other.length)[0]).toBe("abcdefgh")
    }))

  it.effect("torn-frames: whole requests in parts, then half of one and FIN", () =>
    Effect.gen(function* () {
      const does = heard()
      const { hostile } = yield* attacked(
        { mode: "torn-frames", connections: 1, message: bytes("abcd"), duration: 100 },
        { does },
      )
      const [first] = [...does.texts.values()].filter((text) =>
        text.startsWith("abcd") && !text.startsWith("abcd\nabcd\nabcd\nabcd\nabcd\n")
      )
      expect(first).toBe(`${"abcd\n".repeat(4)}ab`)
      expect(hostile.endings.finished).toBeGreaterThan(1)
    }))

  it.effect("garbage: the same for the same seed", () =>
    Effect.gen(function* () {
      const said = (seed: number) =>
        Effect.gen(function* () {
          const does = { ...heard(), line: () => {} }
          yield* attacked({ mode: "garbage", connections: 2, duration: 60, seed }, { does })
          return [...does.texts.values()].filter((text) => text.length > 100).toSorted()
        })
      const [one, again, other] = [yield* said(1), yield* said(1), yield* said(2)]
      expect(one.length).toBe(2)
      expect(one).toEqual(again)
      expect(one).not.toEqual(other)
      expect(one[0]).not.toBe(one[1])
    }))

  it.effect("oversize: a length that nobody may have, and then as much as is taken", () =>
    Effect.gen(function* () {
      const does = heard()
      const open = (peer: Peer): void => {
        does.open!(peer)
        const take = peer.bytes.bind(peer)
        peer.bytes = (chunk) => {
          take(chunk)
          if (does.texts.get(peer.number)!.length > 100_000) peer.transport.abort()
        }
      }
      yield* attacked(
        { mode: "oversize", connections: 1, framing: framingOf("length:4"), duration: 10 },
        { does: { open } },
      )
      expect([...does.texts.values()].some((text) => text.startsWith("\xff\xff\xff\xffxxxx"))).toBe(true)
    }))

  it.effect("slow-reader: asks more than it reads", () =>
    Effect.gen(function* () {
      const { hostile } = yield* attacked({ mode: "slow-reader", connections: 2 }, { does: guarded() })
      expect(hostile.bytesSent).toBeGreaterThan(4 * hostile.bytesReceived)
    }))

  it.effect("half-open: answers no FIN", () =>
    Effect.gen(function* () {
      let finished = 0
      const does: Does = {
        line: (peer, line) => {
          peer.say(`${line}\n`)
          if (peer.number > 0) peer.transport.shutdown()
        },
        fin: () => void finished++,
      }
      const { hostile } = yield* attacked({ mode: "half-open", connections: 3 }, { does })
      expect(hostile.endings.finished + hostile.endings.survived).toBeGreaterThanOrEqual(2)
      expect(hostile.took).toBeGreaterThanOrEqual(3_000)
    }))

  it.effect("reset-storm: comes again and again, and leaves nothing", () =>
    Effect.gen(function* () {
      const played = yield* attacked({ mode: "reset-storm", connections: 5, duration: 1_000 })
      expect(played.hostile.connections).toBeGreaterThan(100)
      expect(played.hostile.endings.left).toBeGreaterThan(100)
      // One that was on its way when the time was over had not begun.
      const more = hostiles(played).length - played.hostile.connections
      expect(more).toBeGreaterThanOrEqual(0)
      expect(more).toBeLessThanOrEqual(5)
    }))
})

describe("bounds", () => {
  it.effect("it ends early when it is told to", () =>
    Effect.gen(function* () {
      const { hostile, took } = yield* attacked({ duration: 60_000 }, { stopAfter: 500 })
      expect(hostile.cut).toBe(true)
      expect(took).toBeLessThan(3_000)
    }))

  it.effect.each(
    [
      [{ connections: 20_001 }, "connections: expected up to 20000, got 20001"],
      [{ connections: 0 }, "connections: expected up to 20000, got 0"],
      [{ duration: 3_600_001 }, "duration: expected up to 3600000, got 3600001"],
      [{ message: bytes("two\nlines") }, "message: Cannot encode line"],
    ] as const,
  )("%j is refused", ([plan, message]) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.provide(Hostile.run(planned(plan), { cpu: () => 0 }), layer()))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(message)
    }))

  it.effect.each(["silent", "reset-storm"] as const)(
    "nobody there, %s: none is connected, and it ends at once",
    (mode) =>
      Effect.gen(function* () {
        const { hostile, took } = yield* attacked({ mode, duration: 60_000, connections: 3 }, { listens: false })
        expect(took).toBeLessThan(3_000)
        expect({ connections: hostile.connections, cut: hostile.cut }).toEqual({ connections: 0, cut: false })
        expect(Object.fromEntries(hostile.failures)).toEqual({ "connect-refused": 3 })
        expect(summary(target.url, hostile)).toContain("connect-refused, 3 times: nobody listens")
      }),
  )
})

describe("whom", () => {
  it.each(["tcp://127.0.0.1:9", "tcp://127.9.9.9:9", "tcp://[::1]:9", "tcp://localhost:9", "unix:/run/x.sock"])(
    "%s may be attacked",
    (text) => expect(Hostile.guard(named(text), false)).toBeUndefined(),
  )

  it.each(["tcp://10.0.0.1:9", "tcp://example.org:9", "tcp://localhost.example.org:9", "tcp://0.0.0.0:9"])(
    "%s only where it is one's own",
    (text) => {
      expect(Hostile.guard(named(text), false)).toBe(
        `${text} is no loopback address: hostile modes are for servers of one's own; say so by --i-own-this-target`,
      )
      expect(Hostile.guard(named(text), true)).toBeUndefined()
    },
  )

  it("a WebSocket never", () => {
    expect(Hostile.guard(named("ws://127.0.0.1:9/"), true)).toContain("no WebSocket")
  })
})

describe("what is said", () => {
  it.effect("how they ended, when, and what the well-behaved one felt", () =>
    Effect.gen(function* () {
      const { hostile } = yield* attacked({ mode: "slowloris" })
      expect(summary("tcp://127.0.0.1:9000", hostile)).toBe(
        `tcp://127.0.0.1:9000  slowloris: each sends a byte of a frame every 100 ms, and never its last

hostile      10 connections in ${hostile.took / 1_000} s: 10 there to the end
bytes        50 B sent, 0 B received

decent       30 of 30 requests answered
answered in  p50 1 µs  p99 1 µs  max 1 µs
`,
      )
      expect(JSON.parse(json("tcp://127.0.0.1:9000", hostile))).toMatchObject({
        format: "anyport-hostile-result",
        version: 1,
        target: "tcp://127.0.0.1:9000",
        mode: "slowloris",
        connections: 10,
        endings: { survived: 10, finished: 0 },
        failures: {},
        lifetime: { count: 0 },
        decent: { scheduled: 30, replies: 30, failures: {}, response: { count: 30 } },
      })
    }))
})
