/**
 * Ours and a load generator in C that shares nothing with it, one after the other against the same server at the same modest
 * rate: both see every reply, and what they say of it is alike. `npm run agreement` compares them closely, on a machine that
 * does nothing else.
 */
import { afterEach, beforeAll, describe, expect, it } from "vitest"
import { build, ours, type Tool } from "../../scripts/agreement/tools.ts"
import { serve } from "../../scripts/child.ts"
import { Child, killAll, runtimes } from "../conformance/wire/child.ts"

const load = { connections: 20, rate: 1_000, warmup: 0, seconds: 3 }
/** Who is faster than that, in microseconds, is fast: this is no measurement. */
const fast = 200

let c: Tool
beforeAll(async () => {
  c = await build()
})
afterEach(killAll)

describe.each(runtimes)("on %s", { timeout: 60_000 }, (runtime) => {
  it("both send what the schedule wants, see every reply, and do not contradict each other", async () => {
    const server = new Child(serve("node", "echo"))
    const port = Number(await server.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1]))
    const theirs = await c({ port, ...load })
    const own = await ours(runtime)({ port, ...load })
    for (const { errors, replies, sent } of [theirs, own]) {
      expect([errors, replies]).toEqual([0, sent])
      expect(Math.abs(replies / load.seconds / load.rate - 1)).toBeLessThan(0.05)
    }
    const [one, other] = [theirs, own].map(({ service }) => Math.max(fast, service.p50))
    expect(Math.max(one! / other!, other! / one!)).toBeLessThan(10)
    // A response is no shorter than the service within it.
    for (const { response, service } of [theirs, own]) expect(response.p50).toBeGreaterThanOrEqual(service.p50)
  })
})

describe.each(runtimes)("one at a time, on %s", { timeout: 60_000 }, (runtime) => {
  it("both are answered as often as they ask", async () => {
    const server = new Child(serve(runtime, "echo"))
    const port = Number(await server.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1]))
    for (const tool of [c, ours(runtime)]) {
      const { errors, rate, replies, sent } = await tool({ port, connections: 10, rate: 0, warmup: 0, seconds: 1 })
      expect([errors, replies]).toEqual([0, sent])
      expect(rate).toBeGreaterThan(500)
    }
  })
})
