/**
 * What was sent arrives, however the other side behaves: replies to late, slow and leaving readers, as clients see it
 * over the wire. Numbers: d5 are behaviours that were found broken in some runtime's sockets, F are faults.
 */
import { Buffer } from "node:buffer"
import { setTimeout as delay } from "node:timers/promises"
import { expect, it } from "vitest"
import { eventually, onEveryRuntime } from "./harness.ts"
import { fnv1a, pattern } from "./pattern.ts"

const mebibyte = 1024 * 1024
/** What an abort of the server looks like: Deno's sockets cannot send RST, they only close. */
const resets = { node: true, bun: true, deno: false }

/** `toEqual` of megabytes would take seconds to say no. */
const expectSame = (actual: Uint8Array, expected: Uint8Array): void => {
  expect(actual.length).toBe(expected.length)
  expect(Buffer.compare(actual, expected)).toBe(0)
}

onEveryRuntime((fixture, runtime) => {
  it("d5-1: 16 MiB to a reader that starts late arrive byte for byte, whatever others are sent meanwhile", async () => {
    const client = await fixture().connect("bulk", { paused: true })
    const { writes } = await fixture().service("bulk")
    await client.send(`${16 * mebibyte}\n`)
    // Late: the server has written what the kernel takes, and the rest waits for this reader.
    await eventually(async () => (await fixture().service("bulk")).writes > writes ? true : undefined)
    const other = await fixture().connect("bulk")
    await other.send("200000\n")
    expectSame(await other.receive(200_000), pattern(200_000))
    client.socket.resume()
    expectSame(await client.receive(16 * mebibyte), pattern(16 * mebibyte))
    client.finish()
    expect(await client.ended()).toBe("fin")
    const closed = await fixture().closed("bulk", client)
    expect(closed).toMatchObject({ reason: "peer_closed", unsent: 0, bytesSent: 16 * mebibyte })
  })

  it("d5-2, F19: a last reply arrives whole while the peer keeps sending", async () => {
    const client = await fixture().connect("last", { paused: true })
    const sent = client.send(`${4 * mebibyte}\n`).then(async () => {
      for (let count = 0; count < 8; count++) await client.send(pattern(mebibyte / 2))
    })
    await sent // all of it is discarded by the server before anything is read here
    client.socket.resume()
    expectSame(await client.rest(), pattern(4 * mebibyte))
    expect(client.ending).toBe("fin")
    client.finish()
    expect(await fixture().closed("last", client)).toMatchObject({ reason: "local_closed", unsent: 0 })
    expect(client.ending).toBe("fin")
  })

  for (const size of [1, 12]) {
    it(`d5-3, F18: a client that half-closes gets its whole reply of ${size} MiB, also when it starts late`, async () => {
      const client = await fixture().connect("bulk", { paused: true })
      const { writes } = await fixture().service("bulk")
      await client.send(`${size * mebibyte}\n`)
      client.finish()
      // More than a few MiB do not fit into the kernel: the rest waits in the server, behind the peer's FIN.
      await eventually(async () => (await fixture().service("bulk")).writes > writes ? true : undefined)
      client.socket.resume()
      expectSame(await client.rest(), pattern(size * mebibyte))
      expect(client.ending).toBe("fin")
      expect(await fixture().closed("bulk", client)).toMatchObject({ reason: "peer_closed", framesSent: 1 })
    })
  }

  it("F18: a session sends after the client's half-close", async () => {
    const client = await fixture().connect("count")
    const data = pattern(3 * mebibyte)
    await client.send(data)
    client.finish()
    expect(await client.line()).toBe(`${data.length} ${fnv1a(data)}`)
    expect(await client.ended()).toBe("fin")
    expect(await fixture().closed("count", client)).toMatchObject({ reason: "peer_closed" })
  })

  it("d5-4: a server that finished first takes 1 MiB more, and nobody resets", async () => {
    const client = await fixture().connect("last")
    await client.send("3\n")
    expectSame(await client.rest(), pattern(3))
    await client.send(pattern(mebibyte))
    client.finish()
    const closed = await fixture().closed("last", client)
    expect(closed).toMatchObject({ reason: "local_closed", bytesReceived: mebibyte + 2 })
    expect(client.ending).toBe("fin")
  })

  it("F19: data after the server's FIN is discarded up to a bound; the reply before it stays readable", async () => {
    const client = await fixture().connect("last", { paused: true })
    await client.send("100000\n")
    const piece = pattern(mebibyte)
    let sent = 0
    // The bound is 16 MiB; what the kernels on both sides hold comes on top of it.
    while (sent < 64 && client.socket.errored === null && !client.socket.destroyed) {
      await client.send(piece)
      sent++
      if (sent === 4) {
        client.socket.resume()
        expectSame(await client.receive(100_000), pattern(100_000))
      }
    }
    expect(sent).toBeGreaterThanOrEqual(16)
    expect(sent).toBeLessThan(64)
    expect(client.ending).toBe("reset")
    const closed = await fixture().closed("last", client)
    expect(closed.reason).toBe("local_closed")
    expect(closed.bytesReceived).toBeGreaterThan(16 * mebibyte)
  })

  it("d5-7: a reset while replies are queued ends the connection, frees the queue, and nothing spins", async () => {
    const rounds = 40
    const before = await fixture().stats()
    for (let round = 0; round < rounds; round++) {
      const client = await fixture().connect("bulk")
      await client.send(`${16 * mebibyte}\n`)
      await client.receive(1) // some of the reply is on its way, and is left in the kernel's memory
      client.socket.pause()
      client.reset()
      const closed = await fixture().closed("bulk", client)
      expect(closed.reason).toBe("peer_reset")
      expect(closed.unsent).toBeGreaterThan(0)
    }
    expect((await fixture().service("bulk")).connections).toBe(0)
    const after = await fixture().stats()
    await delay(300)
    const later = await fixture().stats()
    expect(later.cpu - after.cpu, "ms of CPU time in 300 ms").toBeLessThan(150)
    expect((later.memory - before.memory) / mebibyte, "MiB of growth").toBeLessThan(rounds * 16 / 2)
  })

  it("d5-19: a reader that stops with 10 MiB queued is ended as write_stalled, and others are served", async () => {
    const stalled = await fixture().connect("impatient")
    await stalled.send(`${10 * mebibyte}\n`)
    await stalled.receive(1)
    stalled.socket.pause()
    const other = await fixture().connect("impatient")
    let served = 0
    let over = false
    const closed = fixture().closed("impatient", stalled).finally(() => over = true)
    while (!over) {
      await other.send("10\n")
      expectSame(await other.receive(10), pattern(10))
      served++
      await delay(5)
    }
    expect(await closed).toMatchObject({ reason: "write_stalled" })
    expect((await closed).unsent).toBeGreaterThan(0)
    expect(served).toBeGreaterThan(10)
    stalled.socket.resume()
    expect(await stalled.ended()).toBe(resets[runtime] ? "reset" : "fin")
    expect(stalled.received).toBeLessThan(10 * mebibyte)
  })
})
