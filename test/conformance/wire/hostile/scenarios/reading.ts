/** Clients that ask for more than they read. */
import { strict as assert } from "node:assert"
import { setTimeout as sleep } from "node:timers/promises"
import { pattern } from "../../pattern.ts"
import type { Scenario } from "../Scenario.ts"
import { each, either, ended, only, same } from "./common.ts"

const mebibyte = 1024 * 1024

/** What a slow reader asks for, in replies of 64 KiB. */
const orders = "bulk 65536\n".repeat(1_600)

export const slowReaders: Scenario = {
  name: "slow-readers",
  title: "F36, F37: 10 that ask for 100 MiB and one for 10 MiB in one reply, and read none, are ended as write_stalled",
  server: { deadlines: { writeStall: "700 millis" } },
  act: async (target) => {
    const clients = await each(11, async (index) => {
      const client = await target.connect({ service: either(index), paused: true })
      await client.send(index === 0 ? `bulk ${10 * mebibyte}\n` : orders)
      return client
    })
    let most = 0
    const { closed } = await target.reports(({ closed, unsent }) => {
      most = Math.max(most, unsent)
      return (closed["write_stalled"] ?? 0) === 11
    })
    only(closed, "write_stalled")
    // The mark, and what a turn may go beyond it; of the large reply the rest.
    assert.ok(most > 0 && most < (10 * 2 + 10) * mebibyte, `${most} bytes were queued`)
    for (const client of clients) client.socket.resume()
    await Promise.all(clients.map(ended))
    assert.ok(clients.every(({ received }) => received < 10 * mebibyte), "one got all of it")
    return `11 ended by write_stalled, at most ${(most / mebibyte).toFixed(0)} MiB queued for all`
  },
}

const requests = 10_000

export const pipelining: Scenario = {
  name: "pipelining",
  title: "F35: of 10,000 pipelined requests that nobody reads the answers of few are taken, and all are answered later",
  act: async (target) => {
    const clients = await each(2, async (index) => {
      const client = await target.connect({ service: either(index), paused: true })
      // Every hundredth takes a fiber and a timer; the others are answered at once.
      const lines = Array.from({ length: requests }, (_, at) => at % 100 === 0 ? "wait 1" : text(at))
      return { client, sent: client.send(`${lines.join("\n")}\n`) }
    })
    await target.reports(({ unsent }) => unsent > 0)
    const first = await Promise.race([...clients.map(({ sent }) => sent.then(() => "all")), sleep(300, "some")])
    assert.equal(first, "some", "the server took all requests of a client that reads no answer")
    const { unsent } = await target.report()
    assert.ok(unsent < 4 * mebibyte, `${unsent} bytes are queued`)
    for (const { client } of clients) {
      client.socket.resume()
      const expected = Array.from({ length: requests }, (_, at) => at % 100 === 0 ? "waited\n" : `echo: ${text(at)}\n`)
      const bytes = Buffer.from(expected.join(""))
      same(await client.receive(bytes.length), bytes, "what 10,000 requests were answered")
    }
    return `${2 * requests} answered, at most ${(unsent / mebibyte).toFixed(1)} MiB queued for both`
  },
}

// More of them than the systems of both sides hold: 32 MiB, where `net.ipv4.tcp_rmem` is large.
const text = (at: number): string => `request ${at} `.padEnd(4_000, "-")

export const goodbye: Scenario = {
  name: "goodbye",
  title: "F19: what comes behind the server's goodbye is discarded, and no reset destroys the unread reply",
  act: async (target) => {
    const reply = pattern(mebibyte)
    await each(20, async (index) => {
      const client = await target.connect({ service: either(index), paused: true })
      await client.send(`last ${reply.length}\n`)
      for (let count = 0; count < 10; count++) {
        await client.send(pattern(65_536))
        await sleep(10)
      }
      client.socket.resume()
      same(await client.rest(), reply, "the last reply")
      assert.equal(client.ending, "fin")
      client.finish()
    })
    const { closed } = await target.reports(({ connections }) => connections === 1)
    only(closed, "local_closed")
    return "20 read their last reply"
  },
}
