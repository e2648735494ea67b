/** The load generator over the sockets of each runtime: thousands of sessions, and a server that is stopped. */
import { readFileSync } from "node:fs"
import process from "node:process"
import { afterEach, describe, expect, it } from "vitest"
import { command } from "../../../scripts/child.ts"
import { Child, killAll, runtimes } from "./child.ts"
import type { Measured, Wanted } from "./load.main.ts"

afterEach(killAll)

/** A server that gives every byte back. */
const sink = async (): Promise<{ readonly child: Child; readonly port: number }> => {
  const child = new Child(command("node", "cli/load/sink.ts"))
  return { child, port: await child.line("stdout", (line) => JSON.parse(line).port as number) }
}

const measured = async (generator: Child): Promise<Measured> => {
  const { code, stdout, stderr } = await generator.ended
  expect([code, stderr]).toEqual([0, ""])
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured
}

/** How many descriptors a process may have; as many as are wanted where it cannot be read. */
const descriptors = (): number => {
  if (process.platform !== "linux") return Infinity
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
  return limit === undefined || limit === "unlimited" ? Infinity : Number(limit)
}

describe.each(runtimes)("the generator on %s", (runtime) => {
  const start = (wanted: Wanted): Child =>
    new Child(command(runtime, "test/conformance/wire/load.main.ts", JSON.stringify(wanted)))

  it("asks on 2,000 connections at once, and every request is answered", async () => {
    const { port } = await sink()
    const result = await measured(
      start({ port, mode: "closed", connections: 2_000, inFlight: 1, think: 100, duration: 2_000 }),
    )
    expect(result.failures).toEqual({})
    expect([result.connected, result.connections, result.held]).toEqual([2_000, 2_000, 2_000])
    expect(result.replies).toBe(result.sent)
    expect(result.replies).toBeGreaterThanOrEqual(2_000)
    expect([result.response.count, result.service.count]).toEqual([result.replies, result.replies])
  })

  it("holds 10,000 connections that only beat", async ({ skip }) => {
    if (descriptors() < 10_100) skip("it wants 10,100 descriptors: ulimit -n 16384")
    const { port } = await sink()
    const result = await measured(
      start({ port, mode: "idle", connections: 10_000, beat: 2_000, duration: 3_000 }),
    )
    expect(result.failures).toEqual({})
    expect([result.connected, result.connections, result.held]).toEqual([10_000, 10_000, 10_000])
    expect(result.heartbeats).toBeGreaterThanOrEqual(10_000)
  }, 60_000)

  it.runIf(process.platform !== "win32")(
    "shows a server that was stopped for a second in response time, and not in service time",
    async () => {
      const { child, port } = await sink()
      const generator = start({ port, mode: "open", connections: 1, inFlight: 1, rate: 200, duration: 10_000 })
      await generator.line("stdout", (line) => line === "measuring" ? line : undefined)
      child.signal("SIGSTOP")
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      child.signal("SIGCONT")
      const result = await measured(generator)
      expect(result.failures).toEqual({})
      expect([result.sent, result.replies, result.unsent]).toEqual([2_000, 2_000, 0])
      // A tenth of all requests were due meanwhile, and had to wait up to a second; one was asked.
      expect(result.response.p99).toBeGreaterThan(700)
      expect(result.response.max).toBeGreaterThan(900)
      expect(result.service.p99).toBeLessThan(300)
      expect(result.service.max).toBeGreaterThan(900)
    },
  )

  it("comes and goes on and on, and leaves no connection", async () => {
    const { port } = await sink()
    const result = await measured(start({ port, mode: "churn", connections: 10, duration: 1_000 }))
    expect(result.failures).toEqual({})
    expect(result.sent).toBeGreaterThan(50)
    expect(result.replies).toBe(result.sent)
    expect(result.connections).toBeGreaterThanOrEqual(result.sent)
  })

  it("says that nobody listens, and ends", async () => {
    const { child, port } = await sink()
    await child.kill()
    const result = await measured(start({ port, mode: "closed", connections: 5, duration: 10_000 }))
    expect(result.connected).toBe(0)
    expect(result.failures).toEqual({ "connect-refused": 5 })
  })

  it("keeps what it has measured when the server is killed", async () => {
    const { child, port } = await sink()
    const generator = start({ port, mode: "open", connections: 4, inFlight: 8, rate: 1_000, duration: 2_500 })
    await generator.line("stdout", (line) => line === "measuring" ? line : undefined)
    await child.kill()
    const result = await measured(generator)
    expect(result.replies).toBeGreaterThan(500)
    expect(result.sent + result.unsent).toBe(2_500)
    expect(result.response.count).toBe(2_500)
    expect((result.failures["reset"] ?? 0) + (result.failures["closed-by-server"] ?? 0)).toBe(4)
  })
})
