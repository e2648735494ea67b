import { describe, expect, it } from "vitest"
import { trusted } from "../../ops/admin/hosts.ts"
import { Metrics } from "../../ops/admin/metrics.ts"
import { Readiness } from "../../ops/admin/readiness.ts"
import { answer, type Response } from "../../ops/admin/routes.ts"
import { parse } from "./exposition.ts"
import { usage } from "./usage.ts"

const sources = { readiness: new Readiness(), metrics: new Metrics(), build: { version: "0.1.0" } }
const ask = (target: string, method = "GET", host: string | undefined = "127.0.0.1:9001"): Response =>
  answer({ method, target, host }, sources)

describe("routes", () => {
  it("/livez is ok whatever the server does", () => {
    expect(ask("/livez")).toMatchObject({ status: 200, body: "ok\n" })
  })

  it("/readyz says each reason on a line, and with ?verbose every check", () => {
    expect(ask("/readyz")).toMatchObject({
      status: 503,
      body: "started: the server has not started yet\nlistening: nobody can connect\n",
    })
    expect(ask("/readyz?verbose").body.split("\n").slice(0, 3)).toEqual([
      "not ok started: the server has not started yet",
      "not ok listening: nobody can connect",
      "ok suspension",
    ])
    const readiness = new Readiness()
    readiness.observe({ _tag: "Resumed" })
    readiness.server = { state: "Serving", drainPhase: undefined, usage: usage() }
    const now = (target: string) => answer({ method: "GET", target, host: undefined }, { ...sources, readiness })
    expect(now("/readyz")).toMatchObject({ status: 200, body: "ok\n" })
    expect(now("/readyz?verbose")).toMatchObject({ status: 200, body: expect.stringMatching(/^(ok \S+\n){6}$/) })
  })

  it("/metrics is the text format", () => {
    const { status, type, body } = ask("/metrics")
    expect({ status, type }).toEqual({ status: 200, type: "text/plain; version=0.0.4; charset=utf-8" })
    expect(parse(body).get("anyport_ready")).toBe(0)
  })

  it.each(["POST", "PUT", "DELETE", "OPTIONS", "get", ""])("%j is not allowed", (method) => {
    expect(ask("/livez", method)).toMatchObject({ status: 405, allow: "GET, HEAD" })
  })

  it("HEAD is as GET", () => expect(ask("/livez", "HEAD").status).toBe(200))

  it.each(["/", "/livez/", "/LIVEZ", "//livez", "/livez%20", "/toString", "/__proto__", "*", "http://x/livez", ""])(
    "%j is nowhere",
    (target) => expect(ask(target).status).toBe(404),
  )

  it("a target longer than it can have to be is refused", () => {
    expect(ask(`/readyz?${"v".repeat(1_016)}`).status).toBe(503)
    expect(ask(`/readyz?${"v".repeat(1_017)}`).status).toBe(414)
  })

  it("what probes and scrapers ask for may have any name; everything else may not", () => {
    for (const path of ["/livez", "/metrics"]) expect(ask(path, "GET", "evil.example").status).toBe(200)
    expect(ask("/", "GET", "evil.example").status).toBe(421)
    expect(answer({ method: "GET", target: "/", host: undefined }, sources).status).toBe(421)
  })
})

describe("hosts", () => {
  it.each(["127.0.0.1", "10.1.2.3:9001", "[::1]", "[2001:db8::1]:9001", "localhost", "LocalHost:1"])(
    "%s is an address",
    (host) => expect(trusted(host)).toBe(true),
  )
  it.each([
    undefined,
    "",
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost.",
    "::1",
    "[127.0.0.1]",
    "[::1",
    "127.0.0.1:",
    "127.0.0.1:9001:1",
    "127.0.0.1@evil.example",
    "2130706433",
    "127.1",
  ])("%j is a name, or nothing", (host) => expect(trusted(host)).toBe(false))
})
