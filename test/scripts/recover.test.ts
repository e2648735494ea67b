/**
 * What `npm run recover` counts can be trusted: its clients notice what befalls them, here with tiny servers in this
 * process; and one case is run against the real program, with few clients. Nothing is asserted about how fast it was.
 */
import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, describe, expect, it } from "vitest"
import type { Case } from "../../scripts/recover/Case.ts"
import { apart, backAt } from "../../scripts/recover/cases/stopped.ts"
import { worker } from "../../scripts/recover/cases/worker.ts"
import { quantile, Regulars } from "../../scripts/recover/Regulars.ts"
import { missing, type Results, table } from "../../scripts/recover/results.ts"
import { Visitors } from "../../scripts/recover/Visitors.ts"

/** A server that answers as the program does, by the name of a process. */
class Tiny {
  readonly sockets: Array<Socket> = []
  readonly #server: Server

  private constructor(answer: (line: string) => string) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket)
      socket.on("error", () => {})
      socket.on("data", (chunk) => socket.write(answer(String(chunk))))
    })
    open.push(this)
  }

  static async start(answer: (line: string) => string, port = 0): Promise<Tiny> {
    const tiny = new Tiny(answer)
    tiny.#server.listen(port, "127.0.0.1")
    await once(tiny.#server, "listening")
    return tiny
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port // it is of TCP
  }

  /** Closes the address and resets everybody. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, "close")
    this.#server.close()
    for (const socket of this.sockets) socket.resetAndDestroy()
    await closed
  }
}

const open: Array<{ readonly stop: () => void | Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.stop()
})

const opened = <A extends { readonly stop: () => void }>(one: A): A => {
  open.push(one)
  return one
}

describe("regulars", () => {
  it("come back when their connection ends, and say which process had answered it", async () => {
    const server = await Tiny.start((line) => `7: ${line}`)
    const { port } = server
    const regulars = opened(new Regulars(port, 5, { pause: 5, retry: 5 }))
    await regulars.allServed()
    await regulars.until(() => regulars.answers.length >= 50)
    expect({ lost: regulars.losses, failed: regulars.failed, by: regulars.servedBy(7) }).toEqual({
      lost: [],
      failed: 0,
      by: 5,
    })
    server.sockets[2]!.resetAndDestroy()
    await regulars.until(() => regulars.losses.length > 0)
    await regulars.allServed()
    expect(regulars.losses.map(({ pid }) => pid)).toEqual([7])
    expect(regulars.visits.length).toBe(6)
    expect(() => regulars.verify(1)).not.toThrow()
    expect(() => regulars.verify(0)).toThrow("1 connections were lost that had been answered; wanted is 0")

    await server.stop()
    await regulars.until(() => regulars.failed >= 20)
    expect([regulars.served, regulars.servedBy(7)]).toEqual([0, 0])
    await Tiny.start((line) => `8: ${line}`, port)
    await regulars.allServed()
    expect([regulars.servedBy(7), regulars.servedBy(8), regulars.losses.length]).toEqual([0, 5, 6])
  })

  it("stay away until they are told to come back", async () => {
    const server = await Tiny.start((line) => `7: ${line}`)
    const regulars = opened(new Regulars(server.port, 5))
    await regulars.allServed()
    regulars.stayAway()
    for (const socket of server.sockets.slice(0, 3)) socket.destroy()
    await regulars.until(() => regulars.losses.length === 3)
    await sleep(50)
    expect([regulars.served, server.sockets.length]).toEqual([2, 5])
    regulars.comeBack()
    await regulars.allServed()
    expect([regulars.visits.length, server.sockets.length]).toEqual([8, 8])
    for (const { began, connected, served } of regulars.visits) {
      expect([began, connected, served]).toEqual([began, connected, served].toSorted((left, right) => left - right))
    }
  })

  it("notice a wrong answer", async () => {
    let count = 0
    const server = await Tiny.start((line) => `7: ${count++ === 1 ? "something\n" : line}`)
    const regulars = opened(new Regulars(server.port, 3))
    await regulars.allServed()
    expect(regulars.wrong).toBe(1)
    expect(() => regulars.verify(0)).toThrow("1 answers were wrong")
  })
})

describe("visitors", () => {
  it("tell for how long nobody was served, and who came since", async () => {
    const server = await Tiny.start((line) => `7: ${line}`)
    const { port } = server
    const visitors = opened(new Visitors(port))
    await visitors.servedSince(performance.now())
    await server.stop()
    const closed = performance.now()
    await sleep(300)
    const opening = performance.now()
    await Tiny.start((line) => `7: ${line}`, port)
    const served = await visitors.servedSince(closed)
    expect(served).toBeGreaterThanOrEqual(opening)
    expect(visitors.longestGap(closed)).toBeGreaterThanOrEqual(opening - closed)
    expect(visitors.failed).toBeGreaterThan(0)
    // A gap that ended before does not count.
    const later = await visitors.servedSince(performance.now())
    expect(visitors.longestGap(later + 1_000)).toBe(0)
  })
})

describe("figures", () => {
  it("a quantile is one of the values", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1), quantile([], 0.5)])
      .toEqual([50, 99, 100, 0])
  })

  it("what had piled up is apart from what came after, and the rate is that of the latter", () => {
    const answers = [1, 2, 3].map((name) => ({ at: name, name }))
    const after = [50, 200, 210, 220, 230].map((at) => ({ at, name: 1 }))
    expect(apart([...answers, ...after])).toEqual([[1, 2, 3], [50, 200, 210, 220, 230]])
    expect([backAt([50, 200, 210, 220, 230], 4), backAt([50, 200, 210, 220, 230], 5)]).toEqual([200, NaN])
  })
})

describe("table", () => {
  const one: Case = {
    name: "one",
    title: ({ talking }) => `${talking} talk`,
    measures: [{ title: "again", unit: "ms" }, { title: "lost", unit: "" }],
    run: () => Promise.resolve([]),
  }
  const results: Results = {
    date: "2026-12-31",
    machine: "a machine",
    load: 0.25,
    versions: { node: "24.0.0", bun: "1.4.0" },
    runs: 3,
    scale: { talking: 200, returning: 2_000 },
    rows: [
      { name: "one", runtime: "node", figures: [[1_200.4, 90, 100], [0, 0, 0]] },
      { name: "one", runtime: "bun", figures: [[9.6, 9.4, 100], [1, 2, 3]] },
    ],
  }

  it("has medians and ranges", () => {
    expect(table(results, [one])).toBe([
      "|  | Node | Bun |",
      "| --- | --- | --- |",
      "| **200 talk** |  |  |",
      "| again | 100 ms (90–1,200) | 10 ms (9–100) |",
      "| lost | 0 | 2 (1–3) |",
      "",
      "The median of 3 runs, and in brackets the lowest and the highest. Measured on: a machine, load average 0.3 before; " +
      "Node 24.0.0, Bun 1.4.0; " +
      "2026-12-31.",
    ].join("\n"))
  })

  it("what is missing on a runtime, or was measured otherwise, is named", () => {
    expect(missing(results, [one])).toEqual(["one"])
    const deno = { name: "one", runtime: "deno", figures: [[1], [1]] } as const
    expect(missing({ ...results, rows: [...results.rows, deno] }, [one])).toEqual([])
    expect(missing({ ...results, rows: [...results.rows, { ...deno, figures: [[1]] }] }, [one])).toEqual(["one"])
  })
})

describe.runIf(process.platform === "linux")("a case", () => {
  it("is run against the real program, and every figure is there", { timeout: 120_000 }, async () => {
    const figures = await worker.run("bun", { talking: 20, returning: 0 })
    const [ready, restored, lost, gap] = figures
    expect(figures.length).toBe(worker.measures.length)
    expect(figures.every((figure) => Number.isFinite(figure) && figure >= 0), figures.join(" ")).toBe(true)
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(20)
    expect([ready, restored, gap].every((figure) => figure! > 0)).toBe(true)
  })
})
