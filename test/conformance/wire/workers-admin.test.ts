/**
 * The admin endpoint of an instance of several workers, on every runtime: that counts are those of the clients whoever of
 * the workers ends, that it stays ready while one serves, and who may replace them by it. How accounts are added up by
 * themselves is test/ops/ledger.test.ts.
 */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { parse } from "../../ops/exposition.ts"
import { type Child, killAll, type Runtime, runtimes } from "./child.ts"
import { connect, disconnectAll } from "./client.ts"
import { type Answer, ask, type Where } from "./http.ts"
import { anyport, gone, logged, meet, permissions, pidOf, portIn, records, serving } from "./instance.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-workers-admin-"))
afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

const service = "test/conformance/wire/pid.ts"

/** Two workers, and an admin endpoint on a free port. */
const start = (runtime: Runtime, args = "", module = service, before: ReadonlyArray<string> = []): Child =>
  anyport(
    runtime,
    `serve ${module} --port 0 --workers 2 --admin 127.0.0.1:0${args === "" ? "" : ` ${args}`}`,
    permissions(directory),
    before,
  )

const admin = async (child: Child): Promise<Where> => ({ port: portIn(await logged(child, "admin listening")) })

const scrape = async (where: Where): Promise<ReadonlyMap<string, number>> => {
  const { status, body } = await ask(where, "/metrics")
  expect(status).toBe(200)
  return parse(body)
}

/** Asks until the answer is what it is to become; the test's own timeout is the bound. */
const until = async <A>(attempt: () => Promise<A>, good: (value: A) => boolean): Promise<A> => {
  for (;;) {
    const value = await attempt()
    if (good(value)) return value
    await delay(20)
  }
}

const inState = (values: ReadonlyMap<string, number>, state: string): number | undefined =>
  values.get(`anyport_workers{state="${state}"}`)

/** Scrapes again and again, and finds what went backwards, and when it was not ready. */
class Watcher {
  readonly backwards: Array<string> = []
  readonly unready: Array<string> = []
  scrapes = 0
  readonly #where: Where
  readonly #watching: Promise<void>
  #before: ReadonlyMap<string, number> = new Map()
  #stopped = false

  constructor(where: Where) {
    this.#where = where
    this.#watching = this.#watch()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#watching
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const [values, ready] = await Promise.all([scrape(this.#where), ask(this.#where, "/readyz")])
      if (ready.status !== 200) this.unready.push(ready.body)
      for (const [series, value] of this.#before) {
        if (!/_total(\{|$)/.test(series)) continue
        const now = values.get(series)
        if (now === undefined || now < value) this.backwards.push(`${series}: ${value}, then ${now}`)
      }
      this.#before = values
      this.scrapes++
      await delay(50)
    }
  }
}

/** What clients did, to be compared with what was counted. */
class Clients {
  readonly #port: number
  count = 0
  lines = 0
  sent = 0
  received = 0

  constructor(port: number) {
    this.#port = port
  }

  /** So many come, talk, and go. */
  async come(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, async (_, name) => {
      const client = await connect(this.#port)
      for (const line of ["one", `two ${name}`]) {
        const answer = await client.ask(line)
        expect(answer).toMatch(new RegExp(`^\\d+: ${line}$`))
        this.lines++
        this.sent += line.length + 1
        this.received += answer.length + 1
      }
      client.finish()
      expect(await client.ended()).toBe("fin")
    }))
    this.count += count
  }

  /** What they did, in the words of the metrics. */
  get expected(): Record<string, number> {
    return {
      anyport_connections_active: 0,
      anyport_connections_opened_total: this.count,
      'anyport_connections_closed_total{reason="peer_closed"}': this.count,
      anyport_frames_received_total: this.lines,
      anyport_frames_sent_total: this.lines,
      anyport_bytes_received_total: this.sent,
      anyport_bytes_sent_total: this.received,
      anyport_probes_total: 0,
    }
  }

  /** Waits until a scrape says just that. */
  async counted(where: Where): Promise<void> {
    const { expected } = this
    const now = async (): Promise<Record<string, number | undefined>> => {
      const values = await scrape(where)
      return Object.fromEntries(Object.keys(expected).map((series) => [series, values.get(series)]))
    }
    // A worker sees the end of a client in its own time.
    const found = await until(now, (found) =>
      found["anyport_connections_active"] === 0 &&
      found["anyport_frames_received_total"]! >= expected["anyport_frames_received_total"]!)
    expect(found).toEqual(expected)
  }
}

const post = (where: Where, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(where, "/roll", { method: "POST", headers: { host: "localhost", "content-length": "0", ...headers } })

/** Two workers, and an admin endpoint on a Unix socket. */
const owned = (runtime: Runtime, path: string, module = service, umask = ["--allow-sys=umask"]): Child =>
  anyport(runtime, `serve ${module} --port 0 --workers 2 --admin unix:${path}`, [
    ...permissions(directory, path).map((flag) => flag.startsWith("--allow-net=") ? `${flag},unix:${path}` : flag),
    `--allow-write=${path}`,
    ...umask,
  ])

// SO_REUSEPORT is Linux's here.
const shared = process.platform === "linux"

describe.runIf(shared).each(runtimes)("%s", { timeout: 180_000 }, (runtime) => {
  it("counts what clients did, once each, also of a worker that was killed and of those that were replaced", async () => {
    const child = start(runtime)
    const [port, where] = [await serving(child), await admin(child)]
    const clients = new Clients(port)
    const watcher = new Watcher(where)
    await clients.come(20)
    await clients.counted(where)

    const { pid: killed } = records(child, "worker ready")[1]!
    process.kill(Number(killed), "SIGKILL")
    await logged(child, "worker ready", 3)
    await clients.counted(where)
    await clients.come(20)
    await clients.counted(where)

    child.signal("SIGUSR2")
    await logged(child, "rolling restart done")
    await clients.counted(where)
    await clients.come(20)
    await clients.counted(where)
    await watcher.stop()
    const { backwards, unready, scrapes } = watcher
    expect({ backwards, unready }).toEqual({ backwards: [], unready: [] })
    expect(scrapes).toBeGreaterThan(10)

    // Nobody looks while these come and their workers go: what was counted comes from those who end.
    await clients.come(20)
    child.signal("SIGUSR2")
    await logged(child, "rolling restart done", 2)
    await clients.counted(where)
    const values = await scrape(where)
    expect(values.get("anyport_worker_restarts_total")).toBe(1)
    expect(values.get('anyport_rolling_restarts_total{result="done"}')).toBe(2)
    expect([...values.keys()].filter((series) => series.startsWith("anyport_build_info")).length).toBe(1)
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("connections that a rolling restart ends are counted with why", async () => {
    const child = start(runtime)
    const [port, where] = [await serving(child), await admin(child)]
    const met = await meet(port, 2)
    const opened = (await until(
      () => scrape(where),
      (values) => values.get("anyport_connections_active") === 2,
    )).get("anyport_connections_opened_total")!
    child.signal("SIGUSR2")
    for (const client of met.values()) void client.ended().then(() => client.finish())
    await logged(child, "rolling restart done")
    const values = await scrape(where)
    expect(values.get("anyport_connections_opened_total")).toBe(opened)
    expect(values.get('anyport_connections_closed_total{reason="drained"}')).toBe(2)
    expect(values.get("anyport_connections_active")).toBe(0)
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("55: after SIGTERM it is not ready at once, while the workers accept for --drain-delay", async () => {
    const child = start(runtime, "--drain-delay 3s")
    const [port, where] = [await serving(child), await admin(child)]
    const [one, two] = records(child, "worker ready")
    expect(await ask(where, "/readyz?verbose")).toMatchObject({
      status: 200,
      body: `ok drain\nok worker 1 (pid ${one!["pid"]})\nok worker 2 (pid ${two!["pid"]})\n`,
    })
    child.signal("SIGTERM")
    await logged(child, "workers draining")
    const { status, body } = await ask(where, "/readyz")
    expect(status).toBe(503)
    expect(body).toBe(
      "drain: ending, 2 workers are left\n" +
        `worker 1 (pid ${one!["pid"]}): draining\nworker 2 (pid ${two!["pid"]}): draining\n`,
    )
    expect((await ask(where, "/livez")).status).toBe(200)
    const late = await connect(port)
    expect([one!["pid"], two!["pid"]]).toContain(await pidOf(late))
    // It answers until the last one has ended, which this client puts off: it is within a frame.
    await late.send("wh")
    await child.line("stderr", () => records(child, "draining").find(({ phase }) => phase === "ending"))
    expect((await ask(where, "/livez")).status).toBe(200)
    expect([one!["pid"], two!["pid"]]).toContain(Number((await late.ask("o")).split(":")[0]))
    void late.ended().then(() => late.finish())
    expect((await child.ended).code).toBe(0)
    expect(await ask(where, "/livez").catch((error) => error.code)).toBe("ECONNREFUSED")
  })

  it("56: while nobody has started it is alive and not ready", async () => {
    const child = start(runtime, "", "test/conformance/wire/unstarted.ts")
    const where = await admin(child)
    await child.line("stderr", () => records(child, "starting workers")[0])
    expect((await ask(where, "/livez")).status).toBe(200)
    const { status, body } = await ask(where, "/readyz")
    expect({ status, body }).toEqual({
      status: 503,
      body: expect.stringMatching(/^worker 1(?: \(pid \d+\): starting|: is not running)\nworker 2: is not running\n$/),
    })
    expect((await scrape(where)).get("anyport_ready")).toBe(0)
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("a worker that hangs makes it neither hang nor fail, and keeps its counts", async () => {
    const child = start(runtime)
    const [port, where] = [await serving(child), await admin(child)]
    const clients = new Clients(port)
    await clients.come(20)
    await clients.counted(where)
    const hung = Number(records(child, "worker ready")[0]!["pid"])
    process.kill(hung, "SIGSTOP")
    try {
      // As many at once as would fill its channel, if each of them asked.
      const began = performance.now()
      await Promise.all(Array.from({ length: 20 }, () => scrape(where)))
      expect(performance.now() - began).toBeLessThan(10_000)
      await clients.counted(where)
      await until(() => scrape(where), (values) => inState(values, "stale") === 1)
      expect(inState(await scrape(where), "ready")).toBe(1)
      expect((await ask(where, "/readyz")).status).toBe(200)
      expect((await ask(where, "/readyz?verbose")).body).toMatch(
        new RegExp(`^not ok worker 1 \\(pid ${hung}\\): has not answered for \\d+ s$`, "m"),
      )
      await clients.counted(where)
    } finally {
      process.kill(hung, "SIGCONT")
    }
    await until(() => scrape(where), (values) => inState(values, "ready") === 2)
    await clients.counted(where)
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("an address in use is one line and 2, and no worker is started", async () => {
    const child = start(runtime)
    const { port } = await admin(child) as { port: number }
    const address = `127.0.0.1:${port}`
    const { code, stderr } = await anyport(
      runtime,
      `serve ${service} --port 0 --workers 2 --admin ${address}`,
      permissions(),
    ).ended
    const lines = stderr.split("\n").slice(0, -1).filter((line) => !line.startsWith("{"))
    expect({ code, lines }).toEqual({
      code: 2,
      lines: [
        `anyport: Cannot listen on ${address}: another process is listening there; end it, or choose another address`,
      ],
    })
    expect(stderr).not.toContain('"listening"')
    await child.kill()
  })

  it("in a container, loopback addresses are worth one warning, not one of each worker", async () => {
    const child = start(runtime, "", service, ["env", "KUBERNETES_SERVICE_HOST=192.0.2.1"])
    await serving(child)
    child.signal("SIGTERM")
    const { stderr } = await child.ended
    const warnings = stderr.split("\n").filter((line) => /container/.test(line))
    expect(warnings.map((line) => JSON.parse(line))).toMatchObject([
      { level: "warn", addresses: expect.stringMatching(/^127\S+ 127\S+$/) },
    ])
  })

  describe("POST /roll", () => {
    it("over TCP is refused, and why is said", async () => {
      const child = start(runtime)
      const where = await admin(child)
      await serving(child)
      expect(await post(where)).toMatchObject({ status: 403, body: expect.stringContaining("--admin unix:") })
      expect((await ask(where, "/livez")).status).toBe(200)
      expect((await scrape(where)).get('anyport_rolling_restarts_total{result="refused"}')).toBe(0)
      child.signal("SIGTERM")
      const { stderr } = await child.ended
      expect(stderr).not.toContain("rolling restart")
    })

    it("over a Unix socket, which only its owner can open, replaces the workers and says so", async () => {
      const path = join(directory, `${runtime}-roll.sock`)
      const where = { socketPath: path }
      const child = owned(runtime, path)
      const port = await serving(child)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(await ask(where, "/roll")).toMatchObject({ status: 405, headers: { allow: "POST" } })
      expect((await post(where, { host: "evil.example" })).status).toBe(421)
      expect(records(child, "worker ready").length).toBe(2)

      const before = await meet(port, 2)
      for (const client of before.values()) void client.ended().then(() => client.finish())
      // While these are being replaced, others are refused and do not wait.
      const answers = await Promise.all([post(where), post(where)])
      expect(answers.map(({ status, body }) => ({ status, body })).toSorted((a, b) => a.status - b.status)).toEqual([
        { status: 200, body: "done: 2 workers replaced by 2, 0 of them forced\n" },
        { status: 409, body: "refused: one is under way\n" },
      ])
      await gone(before.keys())
      const after = await meet(port, 2)
      for (const pid of before.keys()) expect(after.has(pid)).toBe(false)
      disconnectAll()
      child.signal("SIGTERM")
      expect((await child.ended).code).toBe(0)
      expect(existsSync(path)).toBe(false)
    })

    it("over an abstract Unix socket, which has no owner, is refused", { skip: runtime === "deno" }, async () => {
      const name = `anyport-${process.pid}-${runtime}`
      const child = owned(runtime, `@${name}`)
      await serving(child)
      expect((await post({ socketPath: `\0${name}` })).status).toBe(403)
      child.signal("SIGTERM")
      expect((await child.ended).code).toBe(0)
    })

    it("that fails says why, and the old ones stay", async () => {
      const module = join(directory, `changed-${runtime}.ts`)
      writeFileSync(module, `export { default } from "${join(process.cwd(), service)}"\n`)
      const path = join(directory, `${runtime}-fail.sock`)
      const child = owned(runtime, path, module)
      const port = await serving(child)
      writeFileSync(module, "export default 5\n")
      expect(await post({ socketPath: path })).toMatchObject({
        status: 500,
        body: "failed: worker 1 did not start (exit code 2), the old ones stay\n",
      })
      const pids = records(child, "worker ready").map(({ pid }) => pid)
      expect([...(await meet(port, 2)).keys()].toSorted()).toEqual(pids.toSorted())
      disconnectAll()
      child.signal("SIGTERM")
      expect((await child.ended).code).toBe(0)
    })

    it("wants to make the socket for its owner, which Deno lets it by a flag", {
      skip: runtime !== "deno",
    }, async () => {
      const path = join(directory, `${runtime}-mode.sock`)
      const child = owned(runtime, path, service, [])
      await serving(child)
      expect(await post({ socketPath: path })).toMatchObject({
        status: 403,
        body: expect.stringContaining("--allow-sys=umask"),
      })
      expect((await ask({ socketPath: path }, "/readyz")).status).toBe(200)
      child.signal("SIGTERM")
      expect((await child.ended).code).toBe(0)
    })
  })
})

// All at once: it takes longer than the 30 s for which a connection may be silent.
it.runIf(shared)("POST /roll waits for as long as it takes, on each runtime", { timeout: 120_000 }, async () => {
  await Promise.all(runtimes.map(async (runtime) => {
    const path = join(directory, `${runtime}-long.sock`)
    const child = owned(runtime, path, "test/conformance/wire/stuck.ts --drain-timeout 35s")
    const client = await connect(await serving(child))
    await client.send("hello\nstuck\n")
    expect(await client.line()).toBe("mine: hello")
    expect(await post({ socketPath: path }), runtime).toMatchObject({
      status: 200,
      body: "done: 2 workers replaced by 2, 1 of them forced\n",
    })
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  }))
})
