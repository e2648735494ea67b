import { describe, expect, it } from "vitest"
import * as CloseReason from "../../core/CloseReason.ts"
import type { Event } from "../../core/Event.ts"
import type { Usage } from "../../core/Server.ts"
import { counter, gauge, render, series } from "../../ops/admin/exposition.ts"
import * as Watch from "../../ops/admin/watch.ts"
import { type Account, Ledger } from "../../ops/workers/Ledger.ts"
import { parse } from "./exposition.ts"
import { usage } from "./usage.ts"

const account = (...families: Account["families"]): Account => ({ draining: false, problems: [], families })
const counted = (value: number): Account => account(counter("things_total", "Things.", value))
const values = (ledger: Ledger, ...accounts: ReadonlyArray<Account>): ReadonlyMap<string, number> =>
  parse(render(ledger.families(accounts)))

describe("a counter", () => {
  it("is the sum of what all workers counted, each thing once", () => {
    const ledger = new Ledger()
    const [a, b, later] = [counted(3), counted(4), counted(10)]
    ledger.add(a, undefined)
    ledger.add(b, undefined)
    expect(values(ledger, a, b).get("anyport_things_total")).toBe(7)
    ledger.add(later, a)
    ledger.add(b, b)
    expect(values(ledger, later, b).get("anyport_things_total")).toBe(14)
  })

  it("keeps what those counted who ended, and begins anew with those who come", () => {
    const ledger = new Ledger()
    ledger.add(counted(5), undefined)
    expect(values(ledger).get("anyport_things_total")).toBe(5)
    ledger.add(counted(1), undefined)
    expect(values(ledger, counted(1)).get("anyport_things_total")).toBe(6)
  })

  it("has a sum for each series, also for one that comes later", () => {
    const ledger = new Ledger()
    const codes = (...of: ReadonlyArray<readonly [string, number]>): Account =>
      account(counter("errors_total", "Errors.", series("code", of)))
    const before = codes(["A", 1])
    ledger.add(before, undefined)
    ledger.add(codes(["A", 1], ["B", 2]), before)
    ledger.add(codes(["B", 5]), undefined)
    expect(Object.fromEntries(values(ledger))).toEqual({
      'anyport_errors_total{code="A"}': 1,
      'anyport_errors_total{code="B"}': 7,
    })
  })

  it("never goes back, whatever fractions are added in whatever order", () => {
    const ledger = new Ledger()
    const workers = new Map<number, Account>()
    let least = 0
    for (let turn = 0; turn < 2_000; turn++) {
      const number = (turn * 7) % 5
      const before = workers.get(number)
      const grown = counted((before?.families[0]?.samples[0]?.value ?? 0) + 0.1 / (1 + turn % 3))
      ledger.add(grown, before)
      // One ends, and another takes its place.
      turn % 13 === 0 ? workers.delete(number) : workers.set(number, grown)
      const now = values(ledger, ...workers.values()).get("anyport_things_total")!
      expect(now).toBeGreaterThanOrEqual(least)
      least = now
    }
    expect(least).toBeGreaterThan(1)
  })
})

describe("a gauge", () => {
  it("is of those who are there: their sum, or the largest", () => {
    const ledger = new Ledger()
    const of = (sum: number, largest: number): Account =>
      account(gauge("sum", "Sum.", sum), gauge("largest", "Largest.", largest, "max"))
    const all = [of(1, 5), of(2, 9), of(3, -1)]
    all.forEach((account) => ledger.add(account, undefined))
    expect(Object.fromEntries(values(ledger, ...all))).toEqual({ anyport_sum: 6, anyport_largest: 9 })
    expect(Object.fromEntries(values(ledger, all[2]!))).toEqual({ anyport_sum: 3, anyport_largest: -1 })
    expect(ledger.families([])).toEqual([])
  })
})

it("what a server counts adds up to what one server would have counted", () => {
  const address = { _tag: "Tcp", host: "127.0.0.1", port: 9_000 } as const
  const watched = (opened: number, of: Partial<Usage>, build = "0.1.0"): Account => {
    const watch = Watch.make({ version: build })
    watch.observe({ _tag: "Listening", address })
    watch.started({ state: "Serving", drainPhase: undefined, usage: usage(of) })
    const event: Event = {
      _tag: "Closed",
      connection: 1,
      remoteAddress: undefined,
      reason: CloseReason.peerClosed,
      counters: { bytesReceived: 10, bytesSent: 20, framesReceived: 1, framesSent: 1, framesDropped: 0 },
      duration: 12,
      unsent: 0,
    }
    for (let each = 0; each < opened; each++) watch.observe(event)
    return JSON.parse(JSON.stringify(watch.account())) // as the channel brings it
  }
  const ledger = new Ledger()
  const accounts = [
    watched(2, { connections: 3, lag: 100, load: "calm" }),
    watched(1, { connections: 4, lag: 500, load: "shedding", overloaded: "overload.lag" }, "0.2.0"),
  ]
  accounts.forEach((account) => ledger.add(account, undefined))
  const found = values(ledger, ...accounts)
  expect(accounts.map(({ draining, problems }) => ({ draining, problems }))).toEqual([
    { draining: false, problems: [] },
    { draining: false, problems: ["overload.lag: the event loop is 500 ms late"] },
  ])
  expect(Object.fromEntries([...found].filter(([, value]) => value > 0))).toEqual({
    'anyport_build_info{version="0.1.0"}': 1,
    'anyport_build_info{version="0.2.0"}': 1,
    anyport_ready: 1, // of one of them: the supervisor says its own
    'anyport_connections_closed_total{reason="peer_closed"}': 3,
    anyport_bytes_received_total: 30,
    anyport_bytes_sent_total: 60,
    anyport_frames_received_total: 3,
    anyport_frames_sent_total: 3,
    anyport_connections_active: 7,
    anyport_eventloop_lag_seconds: 0.5,
    'anyport_overload_state{state="calm"}': 1,
    'anyport_overload_state{state="shedding"}': 1,
  })
  expect(JSON.stringify(accounts[0]).length).toBeLessThan(32_768)
})

it("what is kept is bounded, whatever workers come up with", () => {
  const ledger = new Ledger()
  for (let turn = 0; turn < 1_000; turn++) {
    ledger.add(account(counter("a_total", "A.", series("code", [[String(turn), 1]]))), undefined)
    ledger.add(account(counter(`b${turn}_total`, "B.", 1)), undefined)
  }
  expect(values(ledger).size).toBeLessThan(1_000)
  expect(values(ledger).get('anyport_a_total{code="0"}')).toBe(1)
})
