/** More clients than there is room for. */
import { strict as assert } from "node:assert"
import { networkInterfaces } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { cpuSeconds } from "../../../../../scripts/child.ts"
import { Crowd } from "../../../../peers/Crowd.ts"
import type { Scenario } from "../Scenario.ts"
import type { Target } from "../Target.ts"
import { each, either } from "./common.ts"

/** The share of a core that an overloaded server may take which has hardly anything to do. One that spins takes all. */
const calm = 0.2

/** A second in which to serve again, and what a busy machine adds, in milliseconds. */
const soon = 1_500

export const descriptors: Scenario = {
  name: "descriptors",
  title: "F5: 200 clients of a server with 64 descriptors make it neither spin nor deaf",
  descriptors: 64,
  act: async (target) => {
    const crowd = await Crowd.rush(200, () => target.connect(), 700)
    assert.equal(crowd.count("wronged"), 0)
    const { served } = crowd
    assert.ok(served.length > 0 && served.length < 64, `${served.length} were served`)
    const before = cpuSeconds(target.pid)
    await sleep(1_000)
    const load = cpuSeconds(target.pid) - before
    assert.ok(load < calm, `the overloaded server takes ${(100 * load).toFixed(0)} % of a core`)
    const answers = await Promise.all(served.map((client) => client.ask("still there?")))
    assert.ok(answers.every((answer) => answer === "echo: still there?"), "one that was inside was not served any more")
    crowd.leave()
    const waited = await untilServed(target)
    assert.ok(waited < soon, `it served again after ${waited.toFixed(0)} ms`)
    return `${served.length} inside, ${(100 * load).toFixed(0)} % of a core, serves again after ${waited.toFixed(0)} ms`
  },
}

/** Milliseconds until somebody new is served, who tries again and again. */
const untilServed = async (target: Target): Promise<number> => {
  const began = performance.now()
  for (;;) {
    const crowd = await Crowd.rush(1, () => target.connect(), 1_000)
    crowd.leave()
    if (crowd.count("served") === 1) return performance.now() - began
    await sleep(20)
  }
}

const room = 4_000

export const rush: Scenario = {
  name: "rush",
  title: "F7, F8: of 5,000 connects in one tick as many are served as there is room for, and the others are refused",
  server: { limits: { maxConnections: room } },
  memory: 256,
  act: async (target) => {
    const began = performance.now()
    const crowd = await Crowd.rush(5_000, () => target.connect(), 40_000)
    const millis = performance.now() - began
    const [served, refused] = [crowd.count("served"), crowd.count("refused")]
    assert.equal(crowd.count("wronged"), 0)
    assert.equal(crowd.count("waiting"), 0, `${crowd.count("waiting")} neither served nor refused`)
    // The well-behaved client is one of them.
    assert.equal(served, room - 1)
    const { most } = await target.report()
    assert.ok(most <= room, `${most} were open at once`)
    crowd.leave()
    await target.reports(({ connections }) => connections === 1)
    return `${served} served, ${refused} refused within ${(millis / 1_000).toFixed(1)} s`
  },
}

const quota = 20
const hasIpv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1")
const hosts = hasIpv6 ? ["127.0.0.1", "::"] : ["127.0.0.1"]

export const oneAddress: Scenario = {
  name: "one-address",
  title:
    "F9: one address with ten times its quota keeps its quota, over IPv4 and mapped into IPv6, and takes nobody else's",
  server: { hosts, limits: { maxConnectionsPerAddress: quota } },
  act: async (target) => {
    let turn = 0
    const bad = { from: "127.0.0.2" }
    const crowd = await Crowd.rush(10 * quota, () => target.connect({ ...bad, host: turn++ % hosts.length }), 10_000)
    assert.equal(crowd.count("served"), quota)
    assert.equal(crowd.count("refused"), 9 * quota)
    for (const from of ["127.0.0.3", "127.0.0.4"]) {
      const other = await Crowd.rush(quota, () => target.connect({ from }), 10_000)
      assert.equal(other.count("served"), quota, `${from} was not served`)
      other.leave()
    }
    const { refused } = await target.report()
    assert.deepEqual(refused, { maxConnectionsPerAddress: 9 * quota })
    // When one of them goes, one may come.
    crowd.served[0]!.socket.destroy()
    await target.reports(({ connections }) => connections === quota)
    const [first, second] = [
      await Crowd.rush(1, () => target.connect(bad), 10_000),
      await Crowd.rush(1, () => target.connect(bad), 10_000),
    ]
    assert.deepEqual([first.count("served"), second.count("refused")], [1, 1])
    return `${quota} served, ${9 * quota} refused`
  },
}

export const churn: Scenario = {
  name: "churn",
  title: "F13: 2,000 that connect, ask and leave, by FIN and by reset, leave nothing behind",
  act: async (target) => {
    for (let wave = 0; wave < 40; wave++) {
      await each(50, async (index) => {
        const client = await target.connect({ service: either(index) })
        const [line, answer] = index % 10 === 0 ? ["wait 1", "waited"] : ["hello", "echo: hello"]
        assert.equal(await client.ask(line), answer)
        if (index % 5 === 0) client.reset()
        else client.finish()
        await client.ended()
      })
    }
    const { closed, opened } = await target.reports(({ connections }) => connections === 1)
    assert.deepEqual(closed, { peer_closed: 1_600, peer_reset: 400 })
    return `${opened - 1} came and went`
  },
}
