/**
 * Several processes on one port, on every runtime: who answers, how they end together, what becomes of one that dies, and
 * what keeps new ones from replacing old ones. How they do replace them is rolling.test.ts; the supervisor's rules by
 * themselves are test/ops/workers.test.ts.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Regulars } from "../../../scripts/recover/Regulars.ts"
import { type Child, killAll, type Runtime, runtimes } from "./child.ts"
import { type Client, connect, connectUnix, disconnectAll } from "./client.ts"
import { anyport as run, drainBegan, gone, logged, meet, permissions, pidOf, records, serving } from "./instance.ts"
import { Talkers } from "./Talkers.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-workers-"))
const temporary = (name: string): string => join(directory, name)
// Compiling for each process anew is most of what Node needs to start.
process.env["NODE_COMPILE_CACHE"] = temporary("cache")
beforeAll(() => {
  writeFileSync(temporary("crashes.ts"), 'import process from "node:process"\nprocess.exit(3)\n')
  writeFileSync(temporary("number.ts"), "export default 5\n")
})
afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

const service = "test/conformance/wire/pid.ts"

const anyport = (runtime: Runtime, args: string, granted = permissions(directory)): Child => run(runtime, args, granted)

/** An instance that serves. */
const serve = async (runtime: Runtime, args: string): Promise<{ readonly child: Child; readonly port: number }> => {
  const child = anyport(runtime, `serve ${args}`)
  return { child, port: await serving(child) }
}

/** Ends only the supervisor. Its standard error is open for as long as a worker has it. */
const orphans = async (runtime: Runtime, flags = ""): Promise<void> => {
  const { child, port } = await serve(runtime, `${service} --port 0 --workers 2${flags}`)
  const clients = await meet(port, 2)
  child.signal("SIGKILL")
  await Promise.all([...clients.values()].map(async (client) => {
    expect(await client.ask("left")).toContain(": left")
    expect(await client.ended()).toBe("fin")
    client.finish()
  }))
  await gone(clients.keys())
  await child.ended
}

// SO_REUSEPORT is Linux's here.
describe.runIf(process.platform === "linux").each(runtimes)("workers on %s", { timeout: 60_000 }, (runtime) => {
  it("share a port that the first one chose, and say in each line which one they are", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 3`)
    const pids = [...(await meet(port, 3)).keys()]
    expect(records(child, "worker ready").map(({ pid }) => pid).toSorted()).toEqual(pids.toSorted())
    expect(records(child, "listening").map(({ worker }) => worker).toSorted()).toEqual([1, 2, 3])
    disconnectAll()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
    expect(records(child, "drained").map(({ worker }) => worker).toSorted()).toEqual([1, 2, 3])
    await gone(pids)
  })

  it("share limits: together they let in no more than one process would", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 2 --max-connections 5`)
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(port)))
    const pids = await Promise.all(clients.map((client) => pidOf(client).catch(() => undefined)))
    const counts = [...new Set(pids)].filter((pid) => pid !== undefined)
      .map((pid) => pids.filter((other) => other === pid).length)
    expect(counts.toSorted()).toEqual([2, 3])
    disconnectAll()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("SIGTERM while 50 clients talk: no answer is lost, and it ends with 0", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 2`)
    const talkers = new Talkers(port, 50)
    await talkers.answered(2_000)
    child.signal("SIGTERM")
    await talkers.ended()
    expect((await child.ended).code).toBe(0)
    const { resets, wrong, refused, established } = talkers
    expect({ resets, wrong, refused, established }).toEqual({ resets: 0, wrong: 0, refused: 0, established: 50 })
    expect(talkers.lost(drainBegan(child, 0))).toBe(0)
    const drained = records(child, "drained")
    const total = drained.reduce((sum, { served, drained }) => sum + Number(served) + Number(drained), 0)
    expect({ total, forced: drained.map(({ forced }) => forced) }).toEqual({ total: 50, forced: [0, 0] })
  })

  it("a terminal's SIGINT reaches everybody, and counts once", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 2`)
    const pids = [...(await meet(port, 2)).keys()]
    child.signal("SIGINT")
    for (const pid of pids) process.kill(pid, "SIGINT")
    for (const worker of [1, 2]) {
      await child.line("stderr", () => records(child, "draining").find((found) => found["worker"] === worker))
    }
    // The clients keep them from ending before this one has come.
    for (const pid of pids) process.kill(pid, "SIGINT")
    await logged(child, "workers draining")
    disconnectAll()
    expect((await child.ended).code).toBe(0)
    expect(records(child, "drained").length).toBe(2)
  })

  for (const [signal, expected] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    it(`a second ${signal} ends them all at once with ${expected}, whatever a handler does`, async () => {
      const { child, port } = await serve(runtime, "test/conformance/wire/stuck.ts --port 0 --workers 2")
      const client = await connect(port)
      expect(await client.ask("hello")).toBe("mine: hello")
      await client.send("stuck\n")
      child.signal("SIGTERM")
      await logged(child, "draining")
      child.signal(signal)
      expect((await child.ended).code).toBe(expected)
      await client.ended()
      await gone(records(child, "worker ready").map(({ pid }) => Number(pid)))
    })
  }

  it("one that is killed is there again, and the others go on meanwhile", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 2`)
    const clients = await meet(port, 2)
    const [killed, left] = [...clients.keys()] as [number, number]
    process.kill(killed, "SIGKILL")
    await clients.get(killed)!.ended()
    expect(await pidOf(clients.get(left)!)).toBe(left)
    expect(await logged(child, "worker ended")).toMatchObject({ level: "error", pid: killed, how: "SIGKILL" })
    expect(Number(records(child, "worker ended")[0]!["again"])).toBeLessThanOrEqual(250)
    const { pid } = await logged(child, "worker ready", 3)
    expect(await pidOf(clients.get(left)!)).toBe(left)
    expect([...(await meet(port, 2)).keys()].toSorted()).toEqual([left, Number(pid)].toSorted())
    disconnectAll()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("kill -9 of one while 50 clients talk: the other loses none, and serves all until there is a new one", {
    timeout: 120_000,
  }, async () => {
    const barrier = temporary(`barrier-${runtime}`)
    const module = temporary(`behind-${runtime}.ts`)
    writeFileSync(
      module,
      `import { existsSync } from "node:fs"
      import { setTimeout as delay } from "node:timers/promises"
      while (existsSync("${barrier}")) await delay(20)
      export { default } from "${join(process.cwd(), service)}"`,
    )
    const { child, port } = await serve(runtime, `${module} --port 0 --workers 2`)
    const regulars = new Regulars(port, 50, { pause: 20 })
    try {
      await regulars.allServed()
      const [left, killed] = records(child, "worker ready").map(({ pid }) => Number(pid)) as [number, number]
      const doomed = regulars.servedBy(killed)
      writeFileSync(barrier, "")
      process.kill(killed, "SIGKILL")
      await regulars.until(() => regulars.losses.length >= doomed)
      await regulars.until(() => regulars.servedBy(left) === 50)
      const { length } = regulars.answers
      await regulars.until(() => regulars.answers.length >= length + 500)
      expect(records(child, "worker ready").length).toBe(2)
      rmSync(barrier)
      const { pid } = await logged(child, "worker ready", 3)
      const met = await meet(port, 2)
      expect([...met.keys()].toSorted()).toEqual([left, Number(pid)].toSorted())
      for (const client of met.values()) client.finish()
      await regulars.until(() => regulars.answers.length >= length + 1_000)
      regulars.verify(doomed)
      expect(regulars.losses.every((loss) => loss.pid === killed)).toBe(true)
      expect([regulars.servedBy(left), regulars.servedBy(killed)]).toEqual([50, 0])
    } finally {
      regulars.stop()
    }
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("who is left without a supervisor drains and ends", () => orphans(runtime))

  it("so does who had told it something that it did not read any more", async () => {
    const { child, port } = await serve(runtime, "test/conformance/wire/tells.ts --port 0 --workers 1")
    const client = await connect(port)
    child.signal("SIGSTOP")
    expect(await client.ask("unread")).toBe("unread")
    child.signal("SIGKILL")
    expect(await client.ended()).toBe("fin")
    client.finish()
    await child.ended
  })

  it("SIGUSR2 when new ones cannot start: the old ones stay", async () => {
    const module = temporary(`changed-${runtime}.ts`)
    writeFileSync(module, `export { default } from "${join(process.cwd(), service)}"\n`)
    const child = anyport(runtime, `serve ${module} --port 0 --workers 2`)
    await logged(child, "workers ready")
    const before = records(child, "worker ready")
    const port = Number(String(before[0]!["address"]).split(":")[1])
    writeFileSync(module, "export default 5\n")
    child.signal("SIGUSR2")
    expect(await logged(child, "rolling restart failed, the old workers stay")).toMatchObject({
      level: "error",
      how: "exit code 2",
    })
    expect([...(await meet(port, 2)).keys()].toSorted()).toEqual(before.map(({ pid }) => pid).toSorted())
    disconnectAll()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("a port in use is one line and 2, although they would share it", async () => {
    const { child, port } = await serve(runtime, `${service} --port 0 --workers 1`)
    const { code, stderr } = await anyport(runtime, `serve --port ${port} --workers 2`).ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        `anyport: Cannot listen on 127.0.0.1:${port}: another process is listening there; end it, or choose another address\n`,
    })
    await child.kill()
  })

  it.each([
    ["--workers 0", ["--workers", "1 to 999"]],
    ["--workers many", ["--workers", "auto"]],
    ["--share cluster", ["--share", "--workers"]],
    ["--workers 2 --share all", ["--share", "auto", "reuseport", "cluster"]],
    ["--workers 2 --share reuseport --unix /tmp/anyport-workers.sock", ["--workers", "Unix socket", "--share"]],
    ["--workers 4 --max-connections 3", ["limits.maxConnections", "at least 4"]],
    ["--worker=1/2,reuseport", ["--workers"]],
  ])("anyport serve %s: one line and 2", async (args, says) => {
    const { code, stdout, stderr } = await anyport(runtime, `serve ${args}`).ended
    expect({ code, stdout, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 2, stdout: "", lines: 1 })
    for (const part of says) expect(stderr).toContain(part)
  })

  it("a service that is none is said once, with 2", async () => {
    const { code, stderr } = await anyport(runtime, `serve ${temporary("number.ts")} --port 0 --workers 3`).ended
    expect(code).toBe(2)
    expect(stderr.split("\n").filter((line) => line.startsWith("anyport: ")).length).toBe(1)
  })

  it("what Deno was not granted is named, each by its flag", { skip: runtime !== "deno" }, async () => {
    const granted = ["--allow-net=127.0.0.1", "--allow-read=."]
    const { code, stderr } = await anyport(runtime, "serve --workers 2", granted).ended
    expect({ code, lines: stderr.split("\n").length - 1 }).toEqual({ code: 2, lines: 1 })
    expect(stderr).toContain("Deno wants --allow-env --allow-run=deno,cat")
  })
})

describe("workers on a Unix socket", { skip: process.platform === "win32" }, () => {
  it.each(["bun", "deno"] as const)("%s cannot share it, which is one line and 2", async (runtime) => {
    for (const args of ["--unix /tmp/anyport-workers.sock", "--share cluster"]) {
      const { code, stdout, stderr } = await anyport(runtime, `serve --workers 2 ${args}`).ended
      expect({ code, stdout, lines: stderr.split("\n").length - 1 }, stderr).toEqual({ code: 2, stdout: "", lines: 1 })
      for (const part of ["Node", `this is ${runtime} `, "cluster"]) expect(stderr).toContain(part)
    }
  })

  it("node shares it, also where one was left behind, and leaves none", async () => {
    const path = temporary("shared.sock")
    const run = async (): Promise<Child> => {
      const child = anyport("node", `serve ${service} --unix ${path} --workers 2`)
      await logged(child, "workers ready")
      return child
    }
    const meetBoth = async (): Promise<void> => {
      const clients = await Promise.all([connectUnix(path), connectUnix(path)])
      expect(new Set(await Promise.all(clients.map(pidOf))).size).toBe(2)
      disconnectAll()
    }
    const first = await run()
    await meetBoth()
    const second = await anyport("node", `serve ${service} --unix ${path} --workers 2`).ended
    expect({ code: second.code, inUse: second.stderr.includes("another process is listening") }).toEqual({
      code: 2,
      inUse: true,
    })
    first.signal("SIGKILL")
    await gone(records(first, "worker ready").map(({ pid }) => Number(pid)))
    expect(existsSync(path)).toBe(true)
    const next = await run()
    await meetBoth()
    next.signal("SIGTERM")
    expect((await next.ended).code).toBe(0)
    expect(existsSync(path)).toBe(false)
  })
})

describe("workers of Node's cluster", () => {
  it("have connections by turns, know their clients, and are there again when one is killed", async () => {
    const { child, port } = await serve(
      "node",
      `${service} --port 0 --workers 2 --share cluster --proxy-from 127.0.0.1`,
    )
    const clients: Array<Client> = []
    const pids: Array<number> = []
    for (let index = 0; index < 10; index++) {
      const client = await connect(port)
      await client.send(`PROXY TCP4 192.0.2.${index} 192.0.2.99 1 2\r\n`)
      clients.push(client)
      pids.push(await pidOf(client))
    }
    const [killed, left] = [...new Set(pids)] as [number, number]
    for (const one of [killed, left]) {
      expect(pids.filter((pid) => pid === one).length, pids.join(" ")).toBeGreaterThanOrEqual(4)
    }
    process.kill(killed, "SIGKILL")
    await clients[pids.indexOf(killed)]!.ended()
    const { address } = await logged(child, "worker ready", 3)
    expect(address).toBe(`127.0.0.1:${port}`)
    expect(await pidOf(clients[pids.indexOf(left)]!)).toBe(left)
    disconnectAll()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("the only one is killed: the next one has the same port, though any was asked for", async () => {
    const { child, port } = await serve("node", `${service} --port 0 --workers 1 --share cluster`)
    const client = await connect(port)
    process.kill(await pidOf(client), "SIGKILL")
    await logged(child, "worker ready", 2)
    const next = await connect(port)
    expect(await pidOf(next)).toBe(Number(records(child, "worker ready")[1]!["pid"]))
    next.finish()
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("who is left without a supervisor drains and ends", () => orphans("node", " --share cluster"))
})

describe.concurrent("a worker that crashes at each start", () => {
  it.each(runtimes)("ends them all with 1 and one line on %s", { timeout: 120_000 }, async (runtime) => {
    const { code, stdout, stderr } = await anyport(runtime, `serve ${temporary("crashes.ts")} --port 0 --workers 2`)
      .ended
    const lines = stderr.split("\n").filter((line) => line.startsWith("anyport: "))
    expect({ code, stdout, lines: lines.length }, stderr).toEqual({ code: 1, stdout: "", lines: 1 })
    expect(lines[0]).toContain("Worker 1 keeps failing at start: 5 times in a row")
    expect(lines[0]).toContain("exit code 3")
  })
})
