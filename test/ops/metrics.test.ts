import { expect, it } from "vitest"
import * as CloseReason from "../../core/CloseReason.ts"
import type { Event } from "../../core/Event.ts"
import { render } from "../../ops/admin/exposition.ts"
import { closeReasons, refusalLimits } from "../../ops/admin/labels.ts"
import { Metrics } from "../../ops/admin/metrics.ts"
import { parse } from "./exposition.ts"
import { usage } from "./usage.ts"

const build = { version: "0.1.0", runtime: "node", runtime_version: "24.0.0" }

const scrape = (metrics: Metrics, of: Parameters<typeof usage>[0] = {}): ReadonlyMap<string, number> =>
  parse(render(metrics.families({ ready: true, draining: false, usage: usage(of), build })))

const closed = (reason: CloseReason.CloseReason, bytesReceived = 5): Event => ({
  _tag: "Closed",
  connection: 1,
  remoteAddress: undefined,
  reason,
  counters: { bytesReceived, bytesSent: 7, framesReceived: 2, framesSent: 3, framesDropped: 1 },
  duration: 12,
  unsent: 4,
})

const address = { _tag: "Tcp", host: "127.0.0.1", port: 9_000 } as const

it("what happened is counted, each thing once", () => {
  const metrics = new Metrics()
  const happened: ReadonlyArray<Event> = [
    { _tag: "Listening", address },
    { _tag: "Opened", connection: 1, remoteAddress: undefined, localAddress: undefined },
    { _tag: "Opened", connection: 2, remoteAddress: undefined, localAddress: undefined },
    closed(CloseReason.peerClosed),
    closed(CloseReason.peerReset, 0), // a health check
    closed(CloseReason.idleTimeout("readIdle"), 0), // none
    { _tag: "Probed", remoteAddress: undefined },
    { _tag: "Refused", remoteAddress: undefined, limit: "maxConnections" },
    { _tag: "Refused", remoteAddress: undefined, limit: "overload.lag" },
    { _tag: "AcceptFailed", address, failure: { code: "EMFILE", cause: undefined } },
    { _tag: "AcceptFailed", address, failure: { code: undefined, cause: undefined } },
    { _tag: "Suspected", connection: 1, remoteAddress: undefined, level: 8, silence: 100 },
  ]
  happened.forEach(metrics.observe)
  const values = scrape(metrics)
  expect(Object.fromEntries([...values].filter(([name, value]) => value > 0 && !name.includes("_info")))).toEqual({
    anyport_ready: 1,
    anyport_connections_opened_total: 2,
    'anyport_connections_closed_total{reason="peer_closed"}': 1,
    'anyport_connections_closed_total{reason="peer_reset"}': 1,
    'anyport_connections_closed_total{reason="idle_timeout"}': 1,
    'anyport_connections_rejected_total{limit="limits.maxConnections"}': 1,
    'anyport_connections_rejected_total{limit="overload.lag"}': 1,
    anyport_probes_total: 2,
    'anyport_accept_errors_total{code="EMFILE"}': 1,
    'anyport_accept_errors_total{code="unknown"}': 1,
    anyport_suspected_total: 1,
    anyport_bytes_received_total: 5,
    anyport_bytes_sent_total: 21,
    anyport_bytes_unsent_total: 12,
    anyport_frames_received_total: 6,
    anyport_frames_sent_total: 9,
    anyport_frames_dropped_total: 3,
    'anyport_overload_state{state="calm"}': 1,
  })
})

it("what is in use now is read when somebody asks, in base units", () => {
  const now = { connections: 3, memory: 1_024, inFlight: 2, inFlightWaited: 1_500, lag: 250, load: "shedding" } as const
  const values = scrape(new Metrics(), now)
  expect(values.get("anyport_connections_active")).toBe(3)
  expect(values.get("anyport_memory_held_bytes")).toBe(1_024)
  expect(values.get("anyport_requests_in_flight")).toBe(2)
  expect(values.get("anyport_requests_wait_seconds_total")).toBe(1.5)
  expect(values.get("anyport_eventloop_lag_seconds")).toBe(0.25)
  const states = ["calm", "refusing", "shedding"].map((state) => values.get(`anyport_overload_state{state="${state}"}`))
  expect(states).toEqual([0, 0, 1])
})

it("before there is a server there is nothing in use, and no zero that would say so", () => {
  const text = render(new Metrics().families({ ready: false, draining: false, usage: undefined, build }))
  expect(parse(text).has("anyport_connections_active")).toBe(false)
  expect(parse(text).get("anyport_ready")).toBe(0)
})

it("every reason and every limit is there from the beginning, as the events write it", () => {
  const values = scrape(new Metrics())
  for (const reason of closeReasons) expect(values.get(`anyport_connections_closed_total{reason="${reason}"}`)).toBe(0)
  for (const limit of refusalLimits) expect(values.get(`anyport_connections_rejected_total{limit="${limit}"}`)).toBe(0)
  expect(closeReasons).toContain("first_frame_timeout")
  expect(refusalLimits).toContain("limits.acceptRate")
})

it("no number of connections, reasons or codes makes more series", () => {
  const metrics = new Metrics()
  for (let code = 0; code < 1_000; code++) {
    metrics.observe({ _tag: "AcceptFailed", address, failure: { code: `E${code}`, cause: undefined } })
    metrics.observe(closed(CloseReason.transportFailed(new Error(`${code}`))))
    const id = String(code)
    metrics.observe({ _tag: "HandlerFailed", connection: code, kind: "defect", id, cause: { reasons: [] } as never })
  }
  const values = scrape(metrics)
  const codes = [...values].filter(([name]) => name.startsWith("anyport_accept_errors_total"))
  expect(codes.length).toBe(33)
  expect(values.get('anyport_accept_errors_total{code="other"}')).toBe(968)
  expect(values.size).toBeLessThan(120)
})
