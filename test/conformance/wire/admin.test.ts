/**
 * `--admin`, and how a program ends, as somebody sees it who watches the program from outside: on every runtime, with the
 * permissions for the two addresses and no other.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { parse } from "../../ops/exposition.ts"
import { Child, killAll, type Runtime, runtimes } from "./child.ts"
import { connect, disconnectAll } from "./client.ts"
import { ask, type Where } from "./http.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-admin-"))

afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

const stuck = "test/conformance/wire/stuck.ts"

interface Program {
  readonly service?: string
  /** Where the admin endpoint listens. */
  readonly admin?: string
  /** What Deno may reach of the network. */
  readonly net?: string
  readonly permissions?: ReadonlyArray<string>
  readonly before?: ReadonlyArray<string>
}

const anyFree = "127.0.0.1:0"

/** `anyport serve` on any free port, with an admin endpoint. */
const start = (
  runtime: Runtime,
  args: ReadonlyArray<string> = [],
  { service, admin = anyFree, net = anyFree, permissions = [], before = [] }: Program = {},
): Child => {
  const module = service === undefined ? [] : ["--allow-read=."]
  const command = runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", `--allow-net=${net}`, ...module, ...permissions]
    : [runtime]
  const served = service === undefined ? [] : [service]
  return new Child([...before, ...command, "cli/main.ts", "serve", ...served, "--port", "0", "--admin", admin, ...args])
}

const record = (line: string): Record<string, unknown> => {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

const logged = (child: Child, message: string, phase?: string): Promise<Record<string, unknown>> =>
  child.line("stderr", (line) => {
    const found = record(line)
    return found["message"] === message && (phase === undefined || found["phase"] === phase) ? found : undefined
  })

const portOf = async (child: Child, message: string): Promise<number> =>
  Number(/:(\d+)$/.exec(String((await logged(child, message))["address"]))?.[1])

const service = (child: Child): Promise<number> => portOf(child, "listening")
const admin = async (child: Child): Promise<Where> => ({ port: await portOf(child, "admin listening") })

/** Asks until the answer is what it is to become; the test's own timeout is the bound. */
const until = async <A>(attempt: () => Promise<A>, good: (value: A) => boolean): Promise<A> => {
  for (;;) {
    const value = await attempt()
    if (good(value)) return value
    await sleep(20)
  }
}

const text = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }

describe.each(runtimes)("%s", (runtime) => {
  it("is alive, ready, and counts what its clients did", async () => {
    const child = start(runtime)
    const [port, where] = [await service(child), await admin(child)]
    expect(await ask(where, "/livez")).toMatchObject({ status: 200, body: "ok\n", headers: text })
    expect(await ask(where, "/readyz")).toMatchObject({ status: 200, body: "ok\n", headers: text })
    expect((await ask(where, "/readyz?verbose")).body).toMatch(/^(ok \S+\n){6}$/)

    const [one, two] = [await connect(port), await connect(port)]
    for (const line of ["hello", "again"]) expect(await one.ask(line)).toBe(`echo: ${line}`)
    const scrape = async () => parse((await ask(where, "/metrics")).body)
    const busy = await until(scrape, (values) => values.get("anyport_connections_active") === 2)
    expect(busy.get("anyport_connections_opened_total")).toBe(2)
    expect(busy.get(`anyport_ready`)).toBe(1)
    expect([...busy.keys()][0]).toMatch(new RegExp(`^anyport_build_info\\{version="0.1.0",runtime="${runtime}",`))
    one.finish()
    two.finish()
    await Promise.all([one.ended(), two.ended()])
    const values = await until(scrape, (values) => values.get("anyport_connections_active") === 0)
    expect(values.get('anyport_connections_closed_total{reason="peer_closed"}')).toBe(2)
    expect(values.get("anyport_probes_total")).toBe(1)
    expect(values.get("anyport_bytes_received_total")).toBe("hello\nagain\n".length)
    expect(values.get("anyport_bytes_sent_total")).toBe("echo: hello\necho: again\n".length)
    expect(values.get("anyport_frames_received_total")).toBe(2)
    const { headers } = await ask(where, "/metrics")
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8")
  })

  it("says no to what it does not know, and to names on all but its own paths", async () => {
    const child = start(runtime)
    const where = await admin(child)
    const get = await ask(where, "/livez")
    const head = await ask(where, "/livez", { method: "HEAD" })
    expect({ status: head.status, length: head.headers["content-length"], body: head.body })
      .toEqual({ status: 200, length: get.headers["content-length"], body: "" })
    expect(await ask(where, "/livez", { method: "POST", headers: { "content-length": "0" } })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD" },
    })
    expect((await ask(where, "/nothing")).status).toBe(404)
    expect((await ask(where, `/livez?${"x".repeat(2_000)}`)).status).toBe(414)
    const named = { headers: { host: "evil.example" } }
    expect((await ask(where, "/nothing", named)).status).toBe(421)
    await logged(child, "listening")
    expect((await ask(where, "/readyz", named)).status).toBe(200)
    const refused = await ask(where, "/livez", { headers: { long: "x".repeat(20_000) } }).catch(() => undefined)
    expect(refused === undefined || refused.status >= 400).toBe(true)
    expect((await ask(where, "/livez")).status).toBe(200)
  })

  it("55: readiness is off as soon as a drain is announced, and whoever comes is still served for --drain-delay", async () => {
    const child = start(runtime, ["--drain-delay", "3s"])
    const [port, where] = [await service(child), await admin(child)]
    child.signal("SIGTERM")
    await logged(child, "draining", "announced")
    expect(await ask(where, "/readyz")).toMatchObject({
      status: 503,
      body: "drain: announced, 0 connections are left\n",
    })
    expect((await ask(where, "/livez")).status).toBe(200)
    expect(parse((await ask(where, "/metrics")).body).get("anyport_draining")).toBe(1)
    const late = await connect(port)
    expect(await late.ask("hello")).toBe("echo: hello")
    void late.ended().then(() => late.finish())
    expect(child.stderr).not.toContain('"phase":"closing"')
    expect((await child.ended).code).toBe(0)
    expect(await logged(child, "drained")).toMatchObject({ drained: 1, forced: 0 })
  })

  it("55, 56: it answers until the last connection has ended; a stuck handler ends at --drain-timeout", async () => {
    const child = start(runtime, ["--drain-timeout", "3s"], { service: stuck })
    const [port, where] = [await service(child), await admin(child)]
    const client = await connect(port)
    expect(await client.ask("hello")).toBe("mine: hello")
    await client.send("stuck\n")
    // A scraper that keeps its connection does not keep the program.
    const scraper = await connect((where as { port: number }).port)
    await scraper.send("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    expect(await scraper.line()).toBe("HTTP/1.1 200 OK\r")
    const began = performance.now()
    child.signal("SIGTERM")
    await logged(child, "draining", "ending")
    expect(await connect(port).catch((error) => error.code)).toBe("ECONNREFUSED")
    expect(await ask(where, "/readyz?verbose")).toMatchObject({
      status: 503,
      body: expect.stringMatching(/^ok started\nnot ok listening: .*\nok suspension\nnot ok drain: ending, 1 /),
    })
    expect((await ask(where, "/livez")).status).toBe(200)
    expect((await child.ended).code).toBe(1)
    expect(performance.now() - began).toBeGreaterThan(2_900)
    expect(performance.now() - began).toBeLessThan(20_000)
    expect(await logged(child, "drained")).toMatchObject({ forced: 1 })
    expect(await scraper.ended()).toBeDefined()
  })

  it("56: while it starts it is alive and not ready, and a signal ends it", async () => {
    const child = start(runtime, [], { service: "test/conformance/wire/unstarted.ts" })
    const where = await admin(child)
    expect((await ask(where, "/livez")).status).toBe(200)
    expect(await ask(where, "/readyz")).toMatchObject({
      status: 503,
      body: expect.stringContaining("started: the server has not started yet\n"),
    })
    child.signal("SIGTERM")
    expect(await child.ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("stopped before it had started"),
    })
  })

  it("56: what cannot be released is left behind, with 1", async () => {
    const child = start(runtime, [], { service: "test/conformance/wire/unreleased.ts" })
    const client = await connect(await service(child))
    expect(await client.ask("hello")).toBe("kept: hello")
    client.finish()
    child.signal("SIGTERM")
    expect(await child.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("not everything was released") })
  })

  it("an admin address in use is one line and 2, and nothing else is bound", async () => {
    const first = start(runtime)
    const where = await admin(first)
    const { port } = where as { port: number }
    const address = `127.0.0.1:${port}`
    const { code, stdout, stderr } = await start(runtime, [], { admin: address, net: `${address},${anyFree}` }).ended
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr:
        `anyport: Cannot listen on ${address}: another process is listening there; end it, or choose another address\n`,
    })
    expect((await ask(where, "/livez")).status).toBe(200)
  })

  it("a Unix socket is served as well; a stale one is taken over and none is left", async () => {
    const path = join(directory, `${runtime}.sock`)
    const permissions = [`--allow-read=${path}`, `--allow-write=${path}`]
    const serve = () => start(runtime, [], { admin: `unix:${path}`, net: `unix:${path},${anyFree}`, permissions })
    const first = serve()
    await service(first)
    expect((await ask({ socketPath: path }, "/readyz")).status).toBe(200)
    await first.kill()
    const second = serve()
    await service(second)
    expect((await ask({ socketPath: path }, "/readyz")).status).toBe(200)
    second.signal("SIGTERM")
    expect((await second.ended).code).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  it("connections that ask nothing hold a bounded number of places for a bounded time", async () => {
    const child = start(runtime)
    const { port } = await admin(child) as { port: number }
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(port)))
    await Promise.all(clients.map((client) => client.send("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n")))
    // They do not cost the service anything, and in the end nobody holds on.
    expect(await (await connect(await service(child))).ask("hello")).toBe("echo: hello")
    await Promise.all(clients.map((client) => client.ended()))
    // Who had a place is told why it ends.
    const told = await Promise.all(clients.filter(({ received }) => received > 0).map((client) => client.line()))
    expect(told).toEqual(Array(32).fill("HTTP/1.1 408 Request Timeout\r"))
    expect((await ask({ port }, "/livez")).status).toBe(200)
  })

  it("answers while the service is full and the descriptors are used up", {
    skip: runtime === "deno" || process.platform !== "linux",
  }, async () => {
    const child = start(runtime, ["--max-connections", "1000"], { before: ["prlimit", "--nofile=128:128"] })
    const [port, where] = [await service(child), await admin(child)]
    const clients = await Promise.all(Array.from({ length: 300 }, () => connect(port).catch(() => undefined)))
    const first = clients.find((client) => client !== undefined)!
    expect(await first.ask("hello")).toBe("echo: hello")
    // As many at once as may be, less the one that asks below.
    const watchers = await Promise.all(Array.from({ length: 31 }, async () => {
      const watcher = await connect((where as { port: number }).port)
      await watcher.send("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      expect(await watcher.line()).toBe("HTTP/1.1 200 OK\r")
      return watcher
    }))
    expect(watchers.map(({ ending }) => ending)).toEqual(Array(31).fill(undefined))
    const values = await until(
      async () => parse((await ask(where, "/metrics")).body),
      (values) => values.get('anyport_connections_rejected_total{limit="limits.maxConnections"}')! > 100,
    )
    expect(values.get("anyport_connections_active")).toBeGreaterThan(8)
  })

  it("in a container, loopback addresses are worth one warning where that can be seen", async () => {
    const warnings = async (permissions: ReadonlyArray<string>) => {
      const child = start(runtime, [], { permissions })
      await service(child)
      child.signal("SIGTERM")
      const { stderr } = await child.ended
      return stderr.split("\n").map(record).filter(({ message }) => /container/.test(String(message)))
    }
    const found = await warnings(["--allow-read=/.dockerenv,/run/.containerenv"])
    const inside = existsSync("/.dockerenv") || existsSync("/run/.containerenv")
    if (inside) expect(found).toMatchObject([{ level: "warn", addresses: expect.stringMatching(/^127\S+ 127\S+$/) }])
    else expect(found.length).toBeLessThan(2)
    if (runtime === "deno") expect(await warnings([])).toEqual([])
  })
})
