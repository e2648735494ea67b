import { expect, it } from "vitest"
import type { Event } from "../../core/Event.ts"
import type { Server } from "../../core/Server.ts"
import { Readiness } from "../../ops/admin/readiness.ts"
import { usage } from "./usage.ts"

const listening: Event = { _tag: "Listening", address: { _tag: "Tcp", host: "127.0.0.1", port: 9_000 } }

const serving = (of: Partial<Server> = {}, ...events: ReadonlyArray<Event>): Readiness => {
  const readiness = new Readiness()
  readiness.observe(listening)
  readiness.server = { state: "Serving", drainPhase: undefined, usage: usage(), ...of }
  events.forEach(readiness.observe)
  return readiness
}

const wrong = ({ checks }: Readiness): ReadonlyArray<string> =>
  checks.filter(({ problem }) => problem !== undefined).map(({ name }) => name)

it("a server that listens and serves is ready", () => {
  expect(serving().ready).toBe(true)
  expect(wrong(serving())).toEqual([])
})

it("what has not started is not ready", () => {
  const readiness = new Readiness()
  expect({ ready: readiness.ready, wrong: wrong(readiness) }).toEqual({ ready: false, wrong: ["started", "listening"] })
})

it.each<[string, Readiness, ReadonlyArray<string>]>([
  ["suspended", serving({ state: "Suspended" }, { _tag: "Suspended" }), ["listening", "suspension"]],
  // `state` is back at once, the address not until it could be bound again.
  ["about to resume", serving({}, { _tag: "Suspended" }), ["listening"]],
  [
    "announced to drain, and still accepting",
    serving({ state: "Draining", drainPhase: "announced" }, { _tag: "Draining", phase: "announced", connections: 1 }),
    ["drain"],
  ],
  [
    "draining, its listeners closed",
    serving({ state: "Draining", drainPhase: "ending" }, { _tag: "Draining", phase: "ending", connections: 1 }),
    ["listening", "drain"],
  ],
  ["stopped", serving({ state: "Stopped", drainPhase: "ended" }), ["drain"]],
  ["late", serving({ usage: usage({ overloaded: "overload.lag", lag: 700 }) }), ["overload.lag"]],
  ["full of bytes", serving({ usage: usage({ overloaded: "memory", memory: 9 }) }), ["limits.memory"]],
])("a server that is %s is not ready", (_, readiness, names) => {
  expect({ ready: readiness.ready, wrong: wrong(readiness) }).toEqual({ ready: false, wrong: names })
})

it("a server that was resumed is ready again", () => {
  expect(serving({}, { _tag: "Suspended" }, { _tag: "Resumed" }).ready).toBe(true)
})
