/**
 * Connections and servers that end, as clients see it over the wire: defects, churn, drain, signals. Numbers: d5 are
 * behaviours that were found broken in some runtime's sockets, F are faults.
 */
import { networkInterfaces } from "node:os"
import { setTimeout as delay } from "node:timers/promises"
import { expect, it } from "vitest"
import { runtimes } from "./child.ts"
import { eventually, Fixture, onEveryRuntime } from "./harness.ts"

onEveryRuntime((fixture) => {
  for (const defect of ["throw", "die", "later"]) {
    it(`d5-13: a handler's defect (${defect}) closes exactly that connection, behind the answers before it`, async () => {
      const before = await fixture().service("boom")
      const other = await fixture().connect("boom")
      expect(await other.ask("one")).toBe("echo: one")
      const client = await fixture().connect("boom")
      await client.send(`fine\n${defect}\nnever answered\n`)
      expect((await client.rest()).toString()).toBe("echo: fine\n")
      client.finish()
      const closed = await fixture().closed("boom", client)
      expect(closed.reason).toBe("handler_failed")
      expect(closed.detail).toMatch(/^failure \d+\.1$/)
      expect(await other.ask("two")).toBe("echo: two")
      const after = await fixture().service("boom")
      expect(after.failures - before.failures).toBe(1)
      expect(after.connections).toBe(1)
      other.finish()
      await fixture().empty("boom")
    })
  }

  it("d5-15: 3,000 connections in waves leave nothing behind", async () => {
    const wave = async () => {
      const clients = await Promise.all(Array.from({ length: 50 }, () => fixture().connect("lines")))
      const answers = await Promise.all(clients.map((client) => client.ask("hello")))
      expect(new Set(answers)).toEqual(new Set(["echo: hello"]))
      // Some leave by FIN, some by a reset.
      clients.forEach((client, index) => index % 5 === 0 ? client.reset() : client.finish())
      await Promise.all(clients.map((client) => client.ended()))
    }
    for (let count = 0; count < 10; count++) await wave()
    const before = await fixture().empty("lines")
    const used = await fixture().stats()
    for (let count = 0; count < 50; count++) await wave()
    const after = await fixture().empty("lines")
    expect(after.opened - before.opened).toBe(2_500)
    const { peer_closed: closed = 0, peer_reset: reset = 0 } = after.reasons
    expect(closed - before.reasons["peer_closed"]!).toBe(2_000)
    expect(reset - before.reasons["peer_reset"]!).toBe(500)
    const resources = await eventually(async () => {
      const { resources } = await fixture().stats()
      return resources <= used.resources + 5 ? resources : undefined
    })
    expect(resources).toBeLessThanOrEqual(used.resources + 5)
    expect((await fixture().stats()).memory - used.memory).toBeLessThan(100 * 1024 * 1024)
  })

  it("d5-16: a drain while 100 clients are within a frame answers all of them, and says so", async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => fixture().connect("slow")))
    // Behind an answer, so that the server has read the first byte of the frame when the drain begins.
    await Promise.all(clients.map(async (client) => {
      await client.send("1\n5")
      expect(await client.line()).toBe("1")
    }))
    const report = fixture().control("drain slow")
    await eventually(async () => (await fixture().service("slow")).state === "Draining" ? true : undefined)
    await delay(250) // for the drain to look at them a few times, and to find that they are not idle
    const answers = clients.map(async (client) => {
      await client.send("0\n")
      const answer = (await client.rest()).toString()
      expect(client.ending).toBe("fin")
      client.finish()
      return answer
    })
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["50\n"]))
    expect(await report).toMatchObject({ served: 0, drained: 100, forced: 0, unsent: 0 })
    expect((await fixture().service("slow")).reasons["drained"]).toBe(100)
  })
})

const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1")

for (const runtime of runtimes) {
  it.runIf(hasIpv6)(`F68: ${runtime} serves localhost on both loopbacks and one port`, async () => {
    const fixture = await Fixture.start(runtime, "localhost", "127.0.0.1,[::1]")
    try {
      const port = fixture.port("lines")
      const { listening } = await fixture.service("lines")
      expect(listening).toEqual([`127.0.0.1:${port}`, `[::1]:${port}`])
      for (const host of ["127.0.0.1", "::1"]) {
        const client = await fixture.connect("lines", { host })
        expect(await client.ask("hello")).toBe("echo: hello")
        client.finish()
        expect(await fixture.closed("lines", client)).toMatchObject({ reason: "peer_closed" })
      }
      expect((await fixture.service("lines")).opened).toBe(2)
      expect(await fixture.stop()).toBe(0)
    } finally {
      await fixture.kill()
    }
  })
}
