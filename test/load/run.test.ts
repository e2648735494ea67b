/** The generator in virtual time: each model of load, what each failure is called, and that nothing is left. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lines from "../../core/codecs/Lines.ts"
import type { Receiver } from "../../core/Sockets.ts"
import { constant as always, type Messages } from "../../load/Messages.ts"
import { Generator } from "../../load/Generator.ts"
import type { Plan } from "../../load/Plan.ts"
import { record } from "../../load/Recorder.ts"
import { constant } from "../../load/Schedule.ts"
import { bytes, failures, percentile, play, type Played, type Setting, usual } from "./stage.ts"

/** Plays, and holds what is so of every run. */
const played = (setting: Setting): Effect.Effect<Played> =>
  Effect.map(play(setting), (all) => {
    const { outcome: { total, intervals, unsent }, left } = all
    expect(left, "left when it is over").toEqual({ peers: 0, fibers: 0 })
    const sum = (of: "sent" | "replies" | "bytesSent") => intervals.reduce((sum, { recorder }) => sum + recorder[of], 0)
    expect(sum("sent")).toBe(total.sent)
    expect(sum("replies")).toBe(total.replies)
    expect(total.service.totalCount).toBeLessThanOrEqual(total.response.totalCount)
    expect(total.response.totalCount).toBeLessThanOrEqual(total.sent + unsent)
    return all
  })

/** Answers a line so many milliseconds after it came, in order. */
const slow = (
  millis: number,
): NonNullable<Setting["at"]> & { readonly line: (peer: unknown, line: string) => void } => {
  const due: Array<() => void> = []
  const at = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, time) => [time, () => {
      now = time
      while (due.length > 0 && times[0]! <= time) {
        times.shift()
        due.shift()!()
      }
    }]),
  )
  const times: Array<number> = []
  let now = 0
  const line = (peer: { say(text: string): void }, text: string): void => {
    times.push(now + millis)
    due.push(() => peer.say(`${text}\n`))
  }
  return Object.assign(at, { line: line as (peer: unknown, line: string) => void }) // the stage gives it a Peer
}

describe("closed", () => {
  it.effect("a request of the warm-up that is never answered is no secret", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { connections: 3, warmup: 1_000, duration: 2_000 },
        does: { line: () => {} },
      })
      expect(failures(outcome)).toEqual({ "reply-timeout": 3 })
      expect([outcome.total.sent, outcome.total.replies, outcome.total.response.totalCount]).toEqual([3, 0, 3])
      // Since it was sent, and not since measuring began.
      expect(outcome.total.response.minNonZeroValue).toBeGreaterThan(3_000_000)
    }))

  it.effect("keeps so many in flight on each connection, and both times are those of the server", () =>
    Effect.gen(function* () {
      const server = slow(20)
      const { outcome, intervals } = yield* played({
        plan: { connections: 3, inFlight: 4, duration: 2_000 },
        does: { line: server.line },
        at: server,
      })
      expect(failures(outcome)).toEqual({})
      expect(intervals[0]!.inFlight).toBe(12)
      // A place is free every 20 ms.
      expect(outcome.total.sent).toBeGreaterThan(1_000)
      expect(outcome.total.sent).toBeLessThanOrEqual(1_212)
      expect(outcome.total.replies).toBe(outcome.total.sent)
      for (const kind of ["response", "service"] as const) {
        expect(percentile(outcome, kind, 50)).toBeGreaterThan(18)
        expect(percentile(outcome, kind, 100)).toBeLessThan(25)
      }
    }))

  it.effect("thinks between a reply and the next request, which is meant when the time to think is over", () =>
    Effect.gen(function* () {
      // It is noticed half a millisecond later, when the clock ticks.
      const { outcome } = yield* played({ plan: { think: 99.5, duration: 2_000 } })
      expect(outcome.total.sent).toBeGreaterThanOrEqual(18)
      expect(outcome.total.sent).toBeLessThanOrEqual(21)
      expect(percentile(outcome, "response", 50)).toBeGreaterThan(0.4)
      expect(percentile(outcome, "response", 100)).toBeLessThan(5)
    }))

  it.effect("sends on and on where there are no replies, as far as it is taken", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        plan: { expect: { _tag: "None" }, inFlight: 5, duration: 50 },
        does: { line: () => {} },
      })
      expect(outcome.total.sent).toBeGreaterThan(50)
      expect(outcome.total.replies).toBe(outcome.total.sent)
      expect(server.received).toBe(6 * outcome.total.sent)
      expect(failures(outcome)).toEqual({})
    }))

  it.effect("a request that the server does not read was not sent before it does", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { messages: always(bytes("x".repeat(1_000))), inFlight: 10, think: 900, duration: 1_000 },
        network: { bufferSize: 2_000 },
        does: { open: ({ transport }) => transport.pause() },
        at: { 500: ({ peers }) => peers.forEach(({ transport }) => transport.resume()) },
      })
      expect(failures(outcome)).toEqual({})
      // All were meant at the beginning. One fitted at once; of the others, none was sent as a whole.
      expect(outcome.total.response.totalCount).toBe(10)
      expect(percentile(outcome, "response", 1)).toBeGreaterThan(490)
      expect(percentile(outcome, "service", 90)).toBeLessThan(20)
      expect(percentile(outcome, "service", 100)).toBeGreaterThan(490)
    }))
})

describe("open", () => {
  it.effect("sends what is due when it is due, whatever becomes of it", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "open", inFlight: Infinity, connections: 4, stages: constant(500, 2_000), duration: 2_000 },
        does: { line: () => {} },
      })
      expect(outcome.scheduled).toBe(1_000)
      expect(outcome.total.sent).toBe(1_000)
      expect(outcome.unsent).toBe(0)
      expect(outcome.total.replies).toBe(0)
      expect(failures(outcome)).toEqual({ "reply-timeout": 1_000 })
      // Who never got an answer waited to the end: from 1 to 3 s.
      expect(outcome.total.response.totalCount).toBe(1_000)
      expect(percentile(outcome, "response", 1)).toBeGreaterThan(1_000)
      expect(percentile(outcome, "response", 50)).toBeGreaterThan(1_900)
      expect(percentile(outcome, "response", 50)).toBeLessThan(2_100)
      expect(percentile(outcome, "lateness", 100)).toBeLessThan(5)
    }))

  it.effect("a server that stops for a second shows it in response time, and not in service time", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "open", connections: 1, inFlight: 1, stages: constant(400, 10_000), duration: 10_000 },
        at: { 5_000: (server) => server.stop(), 6_000: (server) => server.goOn() },
      })
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.replies).toBe(4_000)
      expect(outcome.unsent).toBe(0)
      // A tenth of all requests had to wait, evenly up to a second.
      expect(percentile(outcome, "response", 99)).toBeGreaterThan(850)
      expect(percentile(outcome, "response", 99)).toBeLessThan(1_050)
      expect(percentile(outcome, "response", 100)).toBeGreaterThan(990)
      expect(percentile(outcome, "service", 99)).toBeLessThan(20)
      expect(percentile(outcome, "service", 100)).toBeGreaterThan(990)
      // It was not the generator.
      expect(percentile(outcome, "lateness", 100)).toBeLessThan(5)
    }))

  it.effect("what a connection that ends has not sent is sent by others, and counts from when it was due", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: {
          mode: "open",
          connections: 2,
          inFlight: 1,
          stages: constant(100, 4_000),
          duration: 4_000,
          reconnect: false,
        },
        does: { line: (peer, line) => peer.number === 1 ? peer.say(`${line}\n`) : undefined },
        at: {
          1_000: (server) => server.stop(),
          2_000: ({ accepted }) => accepted[0]!.transport.abort(),
          2_500: (server) => server.goOn(),
        },
      })
      expect(outcome.scheduled).toBe(400)
      expect(failures(outcome)).toEqual({ reset: 1, "reply-lost": 1 })
      expect(outcome.total.sent).toBe(400)
      expect(outcome.total.replies).toBe(399)
      expect(outcome.total.response.totalCount).toBe(400)
      expect(percentile(outcome, "response", 100)).toBeGreaterThan(1_400)
    }))

  it.effect("goes on when no connection is left, and counts what nobody could send", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "open", inFlight: Infinity, stages: constant(100, 4_000), duration: 4_000 },
        at: {
          2_000: (server) => {
            server.close()
            for (const { transport } of server.peers) transport.abort()
          },
        },
      })
      expect(outcome.scheduled).toBe(400)
      expect(outcome.total.sent + outcome.unsent).toBe(400)
      expect(outcome.unsent).toBeGreaterThan(190)
      expect(outcome.total.response.totalCount).toBe(400)
      expect(percentile(outcome, "response", 75)).toBeGreaterThan(900)
      const { "connect-refused": refused, reset } = failures(outcome)
      expect(reset).toBe(1)
      expect(refused).toBeGreaterThan(10)
      expect(outcome.connected).toBe(1)
      expect(outcome.cut).toBe(false)
    }))

  it.effect("spreads what is due over all connections, and connects again", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        plan: { mode: "open", inFlight: Infinity, connections: 5, stages: constant(100, 2_000), duration: 2_000 },
        does: {
          line: (peer, line) => {
            peer.lines.push(line)
            peer.say(`${line}\n`)
          },
        },
        at: { 1_000: ({ accepted }) => accepted[0]!.transport.abort() },
      })
      expect(failures(outcome)).toEqual({ reset: 1 })
      expect(outcome.total.reconnects).toBe(1)
      expect(outcome.total.replies).toBe(200)
      const shares = server.accepted.map(({ lines }) => lines.length)
      expect(shares).toHaveLength(6)
      expect(shares[0]).toBe(20)
      for (const share of shares.slice(1)) expect(share).toBeGreaterThan(10)
    }))

  it.effect("keeps what it does not remember for a server that reads nothing", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: {
          mode: "open",
          inFlight: Infinity,
          stages: constant(10_000, 1_000),
          duration: 1_000,
          grace: 100,
        },
        network: { bufferSize: 1_200 },
        does: { open: ({ transport }) => transport.pause() },
      })
      expect(outcome.scheduled).toBe(10_000)
      // 200 of 6 bytes fit, and what was written in the turn when no more did.
      expect(outcome.total.sent).toBeLessThan(300)
      expect(outcome.unsent).toBe(10_000 - outcome.total.sent)
      expect(outcome.total.response.totalCount).toBe(10_000)
      expect(percentile(outcome, "lateness", 99)).toBeLessThan(5)
    }))

  it.effect("what is due when it ends is still asked, while there is time for replies", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played({
        plan: { mode: "open", stages: constant(100, 2_000), duration: 2_000 },
        at: { 1_500: (server) => server.stop(), 2_500: (server) => server.goOn() },
      })
      expect([outcome.total.replies, outcome.unsent, failures(outcome)]).toEqual([200, 0, {}])
      expect(percentile(outcome, "response", 100)).toBeGreaterThan(950)
      expect(took).toBeLessThan(2_700)
    }))

  it.effect("does not measure what was due during the warm-up, whenever its reply comes", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "open", inFlight: Infinity, stages: constant(100, 1_000), warmup: 1_000, duration: 1_000 },
        at: { 500: (server) => server.stop(), 1_500: (server) => server.goOn() },
      })
      expect(outcome.scheduled).toBe(100)
      expect(outcome.total.sent).toBe(100)
      expect(outcome.total.response.totalCount).toBe(100)
      expect(percentile(outcome, "response", 100)).toBeLessThan(550)
      expect(outcome.measured).toBe(1_000)
    }))

  it.effect("requests that nobody answers are done when they are written", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "open", stages: constant(1_000, 1_000), duration: 1_000, expect: { _tag: "None" } },
        does: { line: () => {} },
      })
      expect(outcome.total.sent).toBe(1_000)
      expect(outcome.total.response.totalCount).toBe(1_000)
      expect(failures(outcome)).toEqual({})
    }))
})

describe("idle", () => {
  it.effect("holds connections, whose heartbeats are spread over the time between two", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      let now = 0
      const { outcome, server } = yield* played({
        plan: {
          mode: "idle",
          connections: 100,
          duration: 10_000,
          beat: { every: 2_000, send: bytes("ping"), answer: bytes("pong") },
        },
        does: {
          line: (peer, line) => {
            expect(line).toBe("ping")
            times.push(now)
            peer.say("pong\n")
          },
        },
        at: Object.fromEntries(Array.from({ length: 12_000 }, (_, time) => [time, () => void (now = time)])),
      })
      expect(server.accepted).toHaveLength(100)
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.heartbeats).toBeGreaterThanOrEqual(495)
      expect(outcome.total.heartbeats).toBeLessThanOrEqual(500)
      // 2.5 in each 50 ms, were it perfectly even.
      const together = new Map<number, number>()
      for (const time of times) together.set(time, (together.get(time) ?? 0) + 1)
      expect(Math.max(...together.values())).toBeLessThanOrEqual(4)
      expect(outcome.total.sent).toBe(0)
    }))

  it.effect("a heartbeat without an answer is a failure", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: {
          mode: "idle",
          connections: 2,
          duration: 1_000,
          beat: { every: 600, send: bytes("ping"), answer: bytes("pong") },
        },
        does: { line: (peer) => peer.number === 0 ? peer.say("pong\n") : undefined },
      })
      expect(failures(outcome)).toEqual({ "heartbeat-timeout": 1 })
      expect(outcome.total.heartbeats).toBe(3)
    }))
})

describe("churn", () => {
  it.effect("connects, asks once and closes, and counts from when it began to connect", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        plan: { mode: "churn", connections: 3, duration: 300 },
      })
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.connections).toBeGreaterThan(50)
      expect(outcome.total.replies).toBe(outcome.total.sent)
      expect(server.accepted.length).toBeGreaterThanOrEqual(outcome.total.sent)
      expect(server.received).toBe(6 * server.accepted.filter((_, index) => index < outcome.total.sent).length)
      expect(outcome.connected).toBe(outcome.total.connections)
      expect(outcome.total.reconnects).toBe(0)
    }))

  it.effect("does not wait for ever for a server that does not close", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "churn", duration: 1_000, connectTimeout: 200 },
        does: { fin: () => {} },
      })
      expect(failures(outcome)["close-timeout"]).toBeGreaterThanOrEqual(3)
      expect(outcome.total.replies).toBeGreaterThanOrEqual(4)
    }))

  it.effect("does not try without a pause where nobody listens", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({ plan: { mode: "churn", duration: 1_000 }, listens: false })
      expect(outcome.connected).toBe(0)
      expect(failures(outcome)["connect-refused"]).toBeLessThanOrEqual(11)
      expect(failures(outcome)["connect-refused"]).toBeGreaterThanOrEqual(9)
    }))
})

describe("flood", () => {
  it.effect("sends as much as is taken, and counts replies without waiting for them", () =>
    Effect.gen(function* () {
      const { outcome, server, took } = yield* played({
        plan: { mode: "flood", connections: 2, duration: 20 },
        network: { bufferSize: 8_000 },
      })
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.replies).toBeGreaterThan(10_000)
      expect(outcome.total.replies).toBeLessThanOrEqual(outcome.total.sent)
      // What was left when sending ended is still sent, and then it finishes.
      expect(took).toBeLessThan(500)
      expect(server.received).toBeGreaterThanOrEqual(outcome.total.bytesSent)
      expect(server.received).toBeLessThan(outcome.total.bytesSent + 2 * 70_000)
      expect(outcome.total.response.totalCount).toBe(0)
    }))

  it.effect("stops where the server stops reading, and keeps little", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "flood", duration: 1_000 },
        network: { bufferSize: 10_000 },
        does: { open: ({ transport }) => transport.pause() },
      })
      expect(outcome.total.bytesSent).toBe(10_000)
      expect(outcome.total.sent * 6).toBeLessThan(10_000 + 70_000)
    }))
})

describe("what goes wrong has a name", () => {
  const dead = (line: NonNullable<Setting["does"]>["line"], plan: Setting["plan"] = {}) =>
    Effect.map(
      played({ plan: { duration: 1_000, reconnect: false, ...plan }, does: line === undefined ? {} : { line } }),
      ({ outcome }) => failures(outcome),
    )

  it.effect("nobody listens: the run ends at once", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played({ plan: { connections: 3 }, listens: false })
      expect([outcome.connected, outcome.cut, outcome.measured]).toEqual([0, true, 0])
      expect(failures(outcome)).toEqual({ "connect-refused": 3 })
      expect(took).toBeLessThan(100)
    }))

  it.effect("the server finishes", () =>
    Effect.gen(function* () {
      expect(yield* dead((peer) => peer.transport.shutdown())).toEqual({ "closed-by-server": 1, "reply-lost": 1 })
    }))

  it.effect("the server resets", () =>
    Effect.gen(function* () {
      expect(yield* dead((peer) => peer.transport.abort())).toEqual({ reset: 1, "reply-lost": 1 })
    }))

  it.effect("the reply is another one", () =>
    Effect.gen(function* () {
      const wrong = yield* dead((peer) => peer.say("help\n"), { think: 300 })
      expect(wrong).toEqual({ "reply-wrong": 4 })
    }))

  it.effect("a reply too many", () =>
    Effect.gen(function* () {
      expect(yield* dead((peer, line) => peer.say(`${line}\n${line}\n`), { think: 300 })).toEqual({ "reply-wrong": 4 })
    }))

  it.effect("what it sends is no frame", () =>
    Effect.gen(function* () {
      expect(yield* dead((peer) => peer.say("x".repeat(5_000)))).toEqual({ "reply-invalid": 1, "reply-lost": 1 })
    }))

  it.effect("it does not answer", () =>
    Effect.gen(function* () {
      expect(yield* dead(() => {}, { inFlight: 3 })).toEqual({ "reply-timeout": 3 })
    }))

  it.effect("the answer to hello is another one, or there is none; and then nothing is asked", () =>
    Effect.gen(function* () {
      const hello = { send: bytes("login"), expect: bytes("welcome") }
      const asked: Array<string> = []
      const refused = yield* dead((peer, line) => {
        asked.push(line)
        peer.say("no\n")
      }, { hello })
      expect(refused).toEqual({ "hello-refused": 1 })
      const silent = yield* dead((_, line) => void asked.push(line), { hello })
      expect(silent).toEqual({ "hello-timeout": 1 })
      expect(asked).toEqual(["login", "login"])
    }))

  it.effect("who does not answer hello is left at once", () =>
    Effect.gen(function* () {
      const peers: Array<number> = []
      const { outcome, server } = yield* played({
        plan: {
          hello: { send: bytes("login"), expect: bytes("welcome") },
          connections: 2,
          think: 10,
          connectTimeout: 200,
        },
        does: {
          line: (peer, line) => {
            if (peer.number === 0) peer.say(line === "login" ? "welcome\n" : `${line}\n`)
          },
        },
        at: { 5_000: (server) => void peers.push(server.peers.size) },
      })
      expect(server.accepted.length).toBeGreaterThan(20)
      expect(peers[0]).toBeLessThanOrEqual(2)
      expect(failures(outcome)["hello-timeout"]).toBeGreaterThan(20)
      expect(outcome.total.reconnects).toBe(0)
    }))

  it.effect("hello comes before everything else, also when connecting again", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* played({
        plan: { hello: { send: bytes("login"), expect: bytes("welcome") }, connections: 2, duration: 1_000, think: 10 },
        does: {
          line: (peer, line) => {
            peer.lines.push(line)
            peer.say(line === "login" ? "welcome\n" : `${line}\n`)
          },
        },
        at: { 500: ({ accepted }) => accepted[0]!.transport.abort() },
      })
      expect(Object.keys(failures(outcome)).sort()).toEqual(["reset"])
      expect(server.accepted).toHaveLength(3)
      for (const { lines } of server.accepted) {
        expect(lines[0]).toBe("login")
        expect(lines.slice(1).every((line) => line === "hello")).toBe(true)
        expect(lines.length).toBeGreaterThan(20)
      }
    }))

  it.effect("a message that its framing cannot carry ends the run, and is said once", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played({
        plan: { messages: always(bytes("two\nlines")), connections: 5, inFlight: 10 },
      })
      expect(outcome.problem).toMatch(/^Cannot frame message of 9 bytes: /)
      expect([outcome.cut, outcome.total.sent]).toEqual([true, 0])
      expect(failures(outcome)).toEqual({})
      expect(took).toBeLessThan(2_000)
    }))

  it.effect("as does one that cannot be made", () =>
    Effect.gen(function* () {
      let made = 0
      const messages: Messages = {
        constant: undefined,
        next: () => {
          if (++made > 10) throw new Error("out of ideas")
          return bytes(`${made}`)
        },
      }
      const { outcome } = yield* played({ plan: { messages } })
      expect(outcome.problem).toBe("Cannot make message: out of ideas")
      expect(outcome.total.replies).toBe(10)
      expect(failures(outcome)).toEqual({})
    }))
})

describe("replies", () => {
  it.effect("are compared with their own request, also when its memory is used again", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(6)
      let made = 0
      const messages: Messages = {
        constant: undefined,
        next: () => {
          memory.set(bytes(String(100_000 + made++)))
          return memory
        },
      }
      const { outcome, server } = yield* played({
        plan: { messages, inFlight: 10, duration: 1_000, think: 100, expect: { _tag: "Echo", prefix: bytes("> ") } },
        does: {
          line: (peer, line) => {
            peer.lines.push(line)
            peer.say(line === "100050" ? "> 100049\n" : `> ${line}\n`)
          },
        },
      })
      expect(server.accepted[0]!.lines.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, at) => `${100_000 + at}`))
      expect(failures(outcome)).toEqual({ "reply-wrong": 1 })
    }))

  it.effect("arrive in pieces and together", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { inFlight: 20, connections: 3, duration: 500, think: 5 },
        network: { seed: 7, faults: { split: 0.5, merge: 0.3, partialWrite: 0.3 } },
      })
      expect(failures(outcome)).toEqual({})
      expect(outcome.total.replies).toBe(outcome.total.sent)
      expect(outcome.total.replies).toBeGreaterThan(1_000)
    }))

  it.effect("of a pattern and of a beginning", () =>
    Effect.gen(function* () {
      const right = yield* played({
        plan: { expect: { _tag: "Matches", pattern: /^hel+o$/g }, duration: 100, think: 10 },
      })
      expect(failures(right.outcome)).toEqual({})
      const wrong = yield* played({
        plan: { expect: { _tag: "Prefix", prefix: bytes("hem") }, duration: 100, think: 10 },
      })
      expect(failures(wrong.outcome)).toEqual({ "reply-wrong": wrong.outcome.total.replies })
    }))
})

describe("a run", () => {
  it.effect("that is stopped keeps what it has, and what it has not is no failure", () =>
    Effect.gen(function* () {
      const { outcome, took } = yield* played({
        plan: { mode: "open", inFlight: Infinity, stages: constant(100, 10_000) },
        stopAfter: 2_500,
      })
      expect(took).toBeLessThan(3_000)
      expect(outcome.cut).toBe(true)
      expect(outcome.measured).toBeGreaterThanOrEqual(2_500)
      expect(outcome.measured).toBeLessThan(2_600)
      expect(outcome.scheduled).toBe(outcome.total.replies)
      expect([outcome.unsent, failures(outcome)]).toEqual([0, {}])
      expect(outcome.intervals).toHaveLength(3)
    }))

  it.effect("tells of each second, and of CPU time while measuring", () =>
    Effect.gen(function* () {
      const { outcome, intervals } = yield* played({
        plan: { think: 10, duration: 3_500, warmup: 1_000 },
        cpu: (now) => now / 2,
      })
      expect(intervals).toEqual(outcome.intervals)
      expect(intervals.map(({ at }) => Math.round(at / 100))).toEqual([10, 20, 30, 35])
      for (const { recorder, connections } of intervals) {
        expect(connections).toBe(1)
        expect(recorder.replies).toBeGreaterThan(20)
        expect(recorder.response.totalCount).toBe(recorder.replies)
      }
      expect(outcome.cpu).toBeGreaterThan(1_700)
      expect(outcome.cpu).toBeLessThan(1_800)
      expect(outcome.lag.totalCount).toBeGreaterThan(1_000)
    }))

  it("of a schedule also sends what becomes due between the last tick and the end", () => {
    let now = 0
    const plan: Plan = { ...usual, mode: "open", inFlight: 10, stages: constant(10, 1_000), duration: 1_000 }
    const generator = new Generator(plan, () => now, () => 0, () => {})
    const transport = { localAddress: undefined, remoteAddress: undefined, sending: 0 }
    const nothing = () => {}
    const calls = { attach: nothing, pause: nothing, resume: nothing, shutdown: nothing, abort: nothing }
    generator.join(0, { ...transport, ...calls, write: ({ length }) => length }, 0, () => {})
    generator.start()
    now = 999.9
    generator.tick(1)
    now = 1_000.1
    generator.stop()
    expect([generator.scheduled, generator.unsent, generator.recorder.sent]).toEqual([10, 0, 10])
  })

  it.each([[true, 0.05], [false, 2]])(
    "that polls (%s) sends each request within %d ms of its moment",
    (polls, late) => {
      // A look at the clock takes 5 µs, and a sleep 2 ms.
      let now = 0
      let tasks: Array<() => void> = []
      const plan: Plan = { ...usual, mode: "open", inFlight: 1_000, stages: constant(1_000, 100), duration: 100, polls }
      const generator = new Generator(plan, () => now += 0.005, () => now, (task) => void tasks.push(task))
      const lateness: Array<number> = []
      const nothing = () => {}
      generator.join(
        0,
        {
          ...{ localAddress: undefined, remoteAddress: undefined, sending: 0 },
          ...{ attach: nothing, pause: nothing, resume: nothing, shutdown: nothing, abort: nothing },
          write({ length }) {
            const sent = length / "hello\n".length
            for (let count = 0; count < sent; count++) lateness.push(now - generator.began - (lateness.length + 1))
            return length
          },
        },
        0,
        () => {},
      )
      generator.start()
      generator.measure()
      for (let wakesAt = 0; now < 99.9;) {
        if (now >= wakesAt) {
          generator.tick(2)
          wakesAt = now + 2
        }
        const due = tasks
        tasks = []
        for (const task of due) task()
        if (due.length === 0) now = wakesAt
      }
      expect(lateness.length).toBeGreaterThan(90)
      expect(Math.max(...lateness)).toBeLessThanOrEqual(late + 0.05)
      // Looking for nothing is no work.
      if (polls) expect(generator.measurement.cpu / now).toBeLessThan(0.2)
      else expect(Math.max(...lateness)).toBeGreaterThan(0.5)
    },
  )

  it("counts as the server's neither what writing takes nor what it does with other replies", () => {
    let now = 0
    const tasks: Array<() => void> = []
    const stages = constant(1_000, 10)
    const plan: Plan = { ...usual, mode: "open", connections: 2, stages, duration: 10 }
    const generator = new Generator(plan, () => now, () => 0, (task) => void tasks.push(task))
    const receivers: Array<Receiver> = []
    for (const number of [0, 1]) {
      const nothing = () => {}
      generator.join(
        number,
        {
          ...{ localAddress: undefined, remoteAddress: undefined, sending: 0 },
          ...{ pause: nothing, resume: nothing, shutdown: nothing, abort: nothing },
          attach: (receiver) => void receivers.push(receiver),
          write({ length }) {
            now += 1
            return length
          },
        },
        0,
        () => {},
      )
    }
    generator.start()
    generator.measure()
    now = 2
    generator.tick(1) // those of 1 and 2 are due, and handed over by 3 and 4
    now = 9
    for (const receiver of receivers) {
      receiver.bytes(bytes("hello\n"))
      now += 2
    }
    const { service, response } = generator.recorder
    const millis = (histogram: typeof service) =>
      [histogram.minNonZeroValue, histogram.maxValue].map((value) => Math.round(value / 1_000))
    expect([millis(service), millis(response)]).toEqual([[5, 6], [7, 8]])
    // What comes in the next turn came later.
    for (const task of tasks.splice(0)) task()
    const sent = now
    now = sent + 19
    receivers[0]!.bytes(bytes("hello\n"))
    expect(millis(service)).toEqual([5, 20])
  })

  it("of hours keeps no more intervals than of half an hour, and loses nothing of them", () => {
    const generator = new Generator({ ...usual, mode: "idle" }, () => 0, () => 0, () => {})
    for (let second = 1; second <= 7_000; second++) {
      generator.recorder.replies++
      record(generator.recorder.response, second)
      generator.cut(second * 1_000)
    }
    expect(generator.measurement.intervals.length).toBeLessThanOrEqual(2_000)
    expect(generator.measurement.intervals.reduce((sum, { recorder }) => sum + recorder.replies, 0)).toBe(7_000)
    expect(generator.measurement.intervals.reduce((sum, { recorder }) => sum + recorder.response.totalCount, 0)).toBe(
      7_000,
    )
    const ends = generator.measurement.intervals.map(({ at }) => at)
    expect(ends).toEqual([...ends].sort((a, b) => a - b))
    expect(ends.at(-1)).toBe(7_000_000)
  })

  it.effect("whose server sends without end while nothing is asked reads it, and keeps nothing", () =>
    Effect.gen(function* () {
      const { outcome } = yield* played({
        plan: { mode: "idle", duration: 1_000, framing: () => Lines.bytes({ maxLength: 10, overlong: "skip" }) },
        does: { open: (peer) => peer.say("x".repeat(100_000)) },
      })
      expect(outcome.total.bytesReceived).toBe(100_000)
      expect(failures(outcome)).toEqual({})
    }))
})
