/** Outcomes of runs as they might have been, for the tests of what is made of them: seeded, and without a run. */
import * as Raw from "../../core/codecs/Raw.ts"
import * as Messages from "../../load/Messages.ts"
import type { Plan } from "../../load/Plan.ts"
import { histogram, record, Recorder } from "../../load/Recorder.ts"
import * as Result from "../../load/Result.ts"
import type { Interval, Outcome } from "../../load/Run.ts"
import { constant } from "../../load/Schedule.ts"
import { randomFrom } from "../core/random.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An open run at 2,000 requests a second for so many seconds. */
export const plan = (changes: Partial<Plan> = {}): Plan => ({
  target: {
    url: "tcp://127.0.0.1:9000",
    address: { _tag: "Tcp", host: "127.0.0.1", port: 9_000 },
    webSocket: undefined,
  },
  sources: [],
  framing: () => Raw.make({ maxLength: 4_096 }),
  mode: "open",
  connections: 50,
  inFlight: 16,
  stages: constant(2_000, changes.duration ?? 10_000),
  warmup: 0,
  duration: 10_000,
  think: 0,
  messages: Messages.constant(bytes("hello")),
  expect: { _tag: "Any" },
  hello: undefined,
  beat: undefined,
  connectTimeout: 5_000,
  grace: 2_000,
  connecting: 100,
  reconnect: false,
  seed: 1,
  ...changes,
})

/** What a made-up run was like. */
export interface Story {
  readonly seconds?: number
  readonly rate?: number
  /** The second, counted from 0, in which the server stood still; requests of it waited for its end. */
  readonly stall?: number
  readonly errors?: Readonly<Partial<Record<Parameters<Recorder["fail"]>[0], number>>>
  readonly seed?: number
  readonly cut?: boolean
}

/** The outcome of such a run: latencies of about a millisecond with a long tail. */
export const outcome = (story: Story = {}): Outcome => {
  const { seconds = 10, rate = 2_000, seed = 1, cut = false, stall, errors = {} } = story
  const random = randomFrom(seed)
  const uniform = (): number => (random(1_000_000) + 1) / 1_000_001
  const total = new Recorder()
  const intervals: Array<Interval> = []
  for (let index = 0; index < 50; index++) record(total.connect, 0.4 + uniform() * 3)
  total.connections = 50
  for (let second = 0; second < seconds; second++) {
    const recorder = new Recorder()
    for (let request = 0; request < rate; request++) {
      const service = 0.4 + 0.3 * -Math.log(uniform()) + (random(500) === 0 ? 8 * uniform() : 0)
      const waited = second === stall ? 1_000 * (1 - request / rate) : 0.05 * uniform()
      record(recorder.service, service)
      record(recorder.response, service + waited)
      record(recorder.lateness, 0.05 * uniform())
    }
    recorder.sent = rate
    recorder.replies = rate
    recorder.bytesSent = rate * 64
    recorder.bytesReceived = rate * 70
    if (second === Math.floor(seconds / 2)) {
      for (const [kind, count] of Object.entries(errors)) {
        recorder.fail(kind as Parameters<Recorder["fail"]>[0], count) // a key of the story
      }
    }
    total.add(recorder)
    intervals.push({
      at: (second + 1) * 1_000 + random(3),
      recorder,
      connections: 50,
      inFlight: random(30),
      lag: uniform() * 2,
      cpu: 250 + random(100),
    })
  }
  const rest = new Recorder()
  intervals.push({ at: seconds * 1_000 + 4, recorder: rest, connections: 50, inFlight: 0, lag: 0, cpu: 1 })
  return {
    total,
    intervals,
    measured: seconds * 1_000 + 4,
    cpu: intervals.reduce((sum, { cpu }) => sum + cpu, 0),
    lag: histogram(),
    problem: undefined,
    scheduled: rate * seconds,
    unsent: 0,
    connected: 50,
    cut,
  }
}

export const facts: Result.Facts = {
  runtime: "node",
  versions: { node: "24.21.0", anyport: "0.1.0" },
  platform: "linux x64",
  cpus: 2,
  startedAt: "2026-11-23T10:00:00.000Z",
  command: "anyport load tcp://127.0.0.1:9000 --mode open --rate 2000",
  framing: "lines",
  message: "hello",
}

export const believed: Result.Verdict = { generatorBound: false, invalid: [], warnings: [] }

/** A result of a made-up run. */
export const result = (story: Story = {}, changes: Partial<Plan> = {}): Result.Result => {
  const { seconds = 10, rate = 2_000 } = story
  const own = plan({ duration: seconds * 1_000, stages: constant(rate, seconds * 1_000), ...changes })
  return Result.make(own, outcome(story), facts, believed)
}
