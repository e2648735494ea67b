import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { trusted } from "../../ops/admin/hosts.ts"
import { answer, type Response, type Rolled, type Sources } from "../../ops/admin/routes.ts"
import * as Watch from "../../ops/admin/watch.ts"
import { parse } from "./exposition.ts"
import { usage } from "./usage.ts"

const { sources } = Watch.make({ version: "0.1.0" })
const ask = (
  target: string,
  method = "GET",
  { host = "127.0.0.1:9001", owner = false, from = sources }: {
    readonly host?: string
    readonly owner?: boolean
    readonly from?: Sources
  } = {},
): Response => Effect.runSync(answer({ method, target, host, owner }, from))

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
    const watch = Watch.make({ version: "0.1.0" })
    watch.observe({ _tag: "Resumed" })
    watch.started({ state: "Serving", drainPhase: undefined, usage: usage() })
    const now = (target: string) => ask(target, "GET", { from: watch.sources })
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
    for (const path of ["/livez", "/metrics"]) expect(ask(path, "GET", { host: "evil.example" }).status).toBe(200)
    expect(ask("/", "GET", { host: "evil.example" }).status).toBe(421)
    expect(ask("/", "GET", { host: "" }).status).toBe(421)
  })
})

describe("/roll", () => {
  let rolls = 0
  const rolling = (rolled: Rolled): Sources => ({ ...sources, roll: Effect.sync(() => (rolls++, rolled)) })
  const from = rolling({ status: 200, text: "done" })
  const owner = true

  it("is nowhere where there are no workers", () => {
    expect(ask("/roll", "POST", { owner })).toMatchObject({ status: 404 })
    expect(ask("/roll", "POST", { owner }).body).not.toContain("/roll")
    expect(ask("/", "GET", { from }).body).toContain("/roll")
  })

  it.each<Rolled>([
    { status: 200, text: "done: 2 workers" },
    { status: 409, text: "refused: one is under way" },
    { status: 500, text: "failed: worker 1" },
  ])("says how it went: $status", (rolled) => {
    expect(ask("/roll", "POST", { owner, from: rolling(rolled) })).toMatchObject({
      status: rolled.status,
      body: `${rolled.text}\n`,
    })
  })

  it("is not done by who is not the owner, by another name, or by another method", () => {
    rolls = 0
    const refused = ask("/roll", "POST", { from })
    expect(refused).toMatchObject({ status: 403, body: expect.stringContaining("--admin unix:") })
    expect(ask("/roll", "POST", { from, owner, host: "evil.example" }).status).toBe(421)
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS", "post"]) {
      expect(ask("/roll", method, { from, owner }), method).toMatchObject({ status: 405, allow: "POST" })
    }
    expect(rolls).toBe(0)
    ask("/roll", "POST", { from, owner })
    expect(rolls).toBe(1)
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
