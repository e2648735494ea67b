/** Clients that leave before anything was said, by themselves or because they say nothing. */
import { strict as assert } from "node:assert"
import { drip, slice } from "../../../../peers/Dripper.ts"
import type { Client } from "../../client.ts"
import type { Scenario } from "../Scenario.ts"
import { unleash } from "../unleash.ts"
import { each, either, only } from "./common.ts"

const waves = 8

export const leavers: Scenario = {
  name: "leavers",
  title: "F1, F3: 400 clients that close and 400 that reset as soon as they are connected hold nobody up",
  act: async (target) => {
    const wave = (leave: (client: Client, index: number) => void) =>
      each(50, async (index) => leave(await target.connect({ service: either(index) }), index))
    for (let count = 0; count < waves; count++) {
      await wave((client, index) => index % 4 < 2 ? client.reset() : client.socket.destroy())
    }
    // And in one go, for a server may meet these before it has a connection.
    for (let count = 0; count < waves / 2; count++) await wave((client) => client.reset())
    for (let count = 0; count < waves / 2; count++) await wave((client) => client.socket.destroy())
    const all = 50 * 2 * waves
    // Some runtimes do not know the connection of a client that has reset, only that there was one.
    const { acceptFailed, closed, handlerFailed, probed } = await target.reports(({ connections, opened, probed }) =>
      connections === 1 && opened - 1 + probed === all
    )
    only(closed, "peer_closed", "peer_reset")
    assert.deepEqual({ acceptFailed, handlerFailed }, { acceptFailed: 0, handlerFailed: 0 })
    return `${all} came and went, ${probed} of them before they were accepted`
  },
}

export const slowloris: Scenario = {
  name: "slowloris",
  title: "F2, F14: 100 that say nothing and 300 that never finish a first frame are ended; sliced frames are answered",
  server: { deadlines: { firstFrame: "3 seconds", linger: "200 millis" } },
  act: async (target) => {
    const attack = { duration: 8_000, message: "x".repeat(1_000) }
    const silent = unleash(target, { ...attack, mode: "silent", connections: 100 })
    const slow = unleash(target, { ...attack, mode: "slowloris", connections: 300, service: "session" })
    const sliced = await each(20, async (index) => {
      const client = await target.connect()
      await slice(client, `slice ${index}\n`)
      return (await client.line()) === `echo: slice ${index}`
    })
    const outcomes = await Promise.all([silent, slow])
    assert.ok(sliced.every(Boolean), "a frame in segments of one byte was not answered")
    assert.deepEqual(outcomes.map(({ endings }) => endings.survived), [0, 0])
    const { closed } = await target.reports(({ closed }) => (closed["first_frame_timeout"] ?? 0) >= 400)
    only(closed, "first_frame_timeout", "peer_closed") // who was well-behaved leaves
    return `${closed["first_frame_timeout"]} ended by first_frame_timeout`
  },
}

export const dripping: Scenario = {
  name: "drip",
  title: "F39: 50 that send a byte at a time, under the idle deadline, are ended by that of the frame",
  server: { deadlines: { frame: "700 millis", idle: "3 seconds", linger: "200 millis" } },
  act: async (target) => {
    await each(50, async (index) => {
      const client = await target.connect({ service: either(index) })
      assert.equal(await client.ask("before"), "echo: before")
      await drip(client, "x", 50)
    })
    const { closed } = await target.reports(({ closed }) => closed["frame_timeout"] === 50)
    only(closed, "frame_timeout")
    return "50 ended by frame_timeout"
  },
}
