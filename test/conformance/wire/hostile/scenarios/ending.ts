/** Ends that meet each other, and ends in the middle of something. */
import { strict as assert } from "node:assert"
import { setTimeout as sleep } from "node:timers/promises"
import { pattern } from "../../pattern.ts"
import type { Scenario } from "../Scenario.ts"
import { each, either, only, same } from "./common.ts"

export const simultaneous: Scenario = {
  name: "both-close",
  title: "F12: 400 that close as the server does get their reply; 20 that vanish are reaped by the idle deadline",
  server: { deadlines: { idle: "700 millis", linger: "200 millis" } },
  act: async (target) => {
    const vanished = each(20, async (index) => {
      const client = await target.connect({ service: either(index) })
      assert.equal(await client.ask("hello"), "echo: hello")
      // It answers no FIN: neither half of it is ever heard of again.
      await client.ended()
    })
    const reply = pattern(1_000)
    for (let wave = 0; wave < 8; wave++) {
      await each(50, async (index) => {
        const client = await target.connect({ service: either(index) })
        void client.send(`last ${reply.length}\n`)
        // From together with the request to behind the reply.
        if (index % 5 > 0) await sleep(index % 5)
        client.finish()
        same(await client.rest(), reply, "the last reply")
        assert.equal(client.ending, "fin")
      })
    }
    await vanished
    const { closed } = await target.reports(({ connections }) => connections === 1)
    only(closed, "local_closed", "peer_closed", "idle_timeout")
    assert.equal(closed["idle_timeout"], 20)
    return "400 closed from both sides, 20 reaped"
  },
}

/** 8 MiB of replies, which is more than the kernels take. */
const more = Array(128).fill("bulk 65536").join("\n")

export const writtenTo: Scenario = {
  name: "reset-peers",
  title: "F40: writes to 60 peers that have reset fail by name, in handlers that send, and end nothing else",
  memory: 256, // 40 outboxes are full at once
  act: async (target) => {
    await each(60, async (index) => {
      const client = await target.connect({ service: either(index) })
      assert.equal(await client.ask("hello"), "echo: hello")
      const order = ["push", more, "wait 50"][index % 3]!
      await client.send(`${order}\n`)
      if (order !== "wait 50") await client.receive(1)
      client.reset()
    })
    const { closed, handlerFailed, unsendable } = await target.reports(({ connections }) => connections === 1)
    assert.deepEqual(closed, { peer_reset: 60 })
    assert.deepEqual(unsendable, { peer_reset: 20 })
    assert.equal(handlerFailed, 0)
    return "60 resets, 20 failed sends"
  },
}

/** For how long the server stands still: longer than the deadlines, also when each is half a second late. */
const still = 2_600

export const stopped: Scenario = {
  name: "stopped",
  title: "F61: a server that is stopped for longer than its deadlines blames nobody for it",
  server: { deadlines: { firstFrame: "1500 millis", frame: "1500 millis", idle: "1500 millis" } },
  patience: still + 1_000,
  act: async (target) => {
    const open = (count: number, say: string) =>
      each(count, async (index) => {
        const client = await target.connect({ service: either(index) })
        if (say !== "") assert.equal(await client.ask(say), `echo: ${say}`)
        return client
      })
    const [silent, quiet, within] = await Promise.all([open(20, ""), open(20, "hello"), open(20, "hello")])
    await Promise.all(within.map((client) => client.send("hal")))
    await target.report() // so that it has seen all that
    target.signal("SIGSTOP")
    const late = await each(20, () => target.connect())
    await Promise.all(late.map((client) => client.send("from outside\n")))
    await sleep(still)
    target.signal("SIGCONT")
    const answers = await Promise.all([
      ...[...silent, ...quiet].map((client) => client.ask("back")),
      ...within.map((client) => client.ask("f")),
      ...late.map((client) => client.line()),
    ])
    const expected = ["back", "half", "from outside"].flatMap((line, index) =>
      Array(index === 0 ? 40 : 20).fill(`echo: ${line}`)
    )
    assert.deepEqual(answers, expected)
    const { closed } = await target.report()
    assert.deepEqual(closed, {})
    return `${answers.length} went on after ${still / 1_000} s`
  },
}
