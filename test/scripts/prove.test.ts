/**
 * The proof can be trusted: its cases say ✓ to a server that is right, and name what a broken one loses. They run against
 * tiny servers in this process; what they find out about real ones is `npm run prove`'s.
 */
import { Buffer } from "node:buffer"
import { once } from "node:events"
import { type AddressInfo, createServer, type Socket } from "node:net"
import process from "node:process"
import { StringDecoder } from "node:string_decoder"
import { afterEach, describe, expect, it } from "vitest"
import { command } from "../../scripts/child.ts"
import { cases } from "../../scripts/prove/cases/index.ts"
import { file } from "../../scripts/prove/file.ts"
import { judge } from "../../scripts/prove/judge.ts"
import { compare } from "../../scripts/prove/loss.ts"
import { matrix, proven, type Results } from "../../scripts/prove/results.ts"
import type { Server } from "../../scripts/prove/Server.ts"

const results = (anyport: string): Results => ({
  date: "2026-12-31",
  versions: { node: "24.0.0", bun: "1.4.0", deno: "2.9.0" },
  lines: { node: 18, bun: 22, deno: 20, anyport: 7 },
  cases: [
    {
      name: "one",
      title: "The first",
      cells: {
        node: { hand: "ok", anyport: "ok" },
        bun: { hand: "49 % of 8 MiB lost", anyport },
        deno: { hand: "process died", anyport: "ok" },
      },
    },
  ],
})

describe("matrix", () => {
  it("has one column for Anyport when it loses nothing", () => {
    expect(proven(results("ok"))).toBe(true)
    expect(matrix(results("ok"))).toBe([
      "|  | Node by hand | Bun by hand | Deno by hand | Anyport on all three |",
      "| --- | --- | --- | --- | --- |",
      "| The first | ✓ | 49 % of 8 MiB lost | process died | ✓ |",
      "| Lines of code | 18 | 22 | 20 | 7 |",
      "",
      "Node 24.0.0, Bun 1.4.0, Deno 2.9.0; 2026-12-31.",
    ].join("\n"))
  })

  it("has a column for each runtime when it does not", () => {
    expect(proven(results("1 byte lost"))).toBe(false)
    const [head, , row, lines] = matrix(results("1 byte lost")).split("\n")
    expect(head).toContain("| Deno by hand | Anyport on Node | Anyport on Bun | Anyport on Deno |")
    expect(row).toContain("| process died | ✓ | 1 byte lost | ✓ |")
    expect(lines).toContain("| 20 | 7 | 7 | 7 |")
  })

  it("leaves out runtimes that took no part", () => {
    const { versions, cases, ...rest } = results("ok")
    const { deno: _, ...two } = versions
    expect(matrix({ ...rest, cases, versions: two })).toContain("| Node by hand | Bun by hand | Anyport on Node | Any")
  })
})

describe("compare", () => {
  const expected = Buffer.alloc(1000, "a")
  const changed = Buffer.from(expected)
  changed[500] = 0
  it.each([
    ["ok", expected],
    ["1 byte wrong", changed],
    ["1 byte lost", expected.subarray(1)],
    ["50 % of 1,000 bytes lost", expected.subarray(500)],
    ["1,000 bytes too many", Buffer.concat([expected, expected])],
  ])("says %s", (verdict, received) => {
    expect(compare(expected, received)).toBe(verdict)
  })
})

/** What can be wrong with the server below. */
interface Faults {
  readonly splitsCharacters?: boolean
  /** Drops what is to be sent while the socket is full. */
  readonly dropsWhenFull?: boolean
  /** Answers a little later, and closes at the client's FIN whatever is still to be answered. */
  readonly closesAtFin?: boolean
  /** Closes behind the last reply without waiting for it to leave. */
  readonly cutsLastReply?: boolean
}

const serve = async (faults: Faults): Promise<Server> => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const decoder = new StringDecoder("utf8")
    let rest = ""
    let over = false
    const send = (text: string): void => {
      if (faults.dropsWhenFull === true && socket.writableLength > 0) return
      if (faults.closesAtFin === true) setTimeout(() => socket.write(text), 5)
      else socket.write(text)
    }
    socket.on("data", (chunk) => {
      if (over) return
      const lines = (rest + (faults.splitsCharacters === true ? chunk.toString() : decoder.write(chunk))).split("\n")
      rest = lines.pop()!
      over = lines[0] === "file"
      if (!over) return send(lines.map((line) => `echo: ${line}\n`).join(""))
      send(`${file}\n`)
      if (faults.cutsLastReply === true) socket.destroy()
      else socket.end()
    })
    socket.on("end", () => faults.closesAtFin === true ? socket.destroy() : socket.end())
    socket.on("error", () => {})
    sockets.add(socket)
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  servers.add(server)
  return {
    pid: process.pid,
    port: (server.address() as AddressInfo).port, // as of every TCP server
    ended: new Promise(() => {}),
    signal: () => {},
    stop: () => Promise.resolve(),
  }
}

const servers = new Set<ReturnType<typeof createServer>>()
const sockets = new Set<Socket>()

afterEach(() => {
  for (const server of servers) server.close()
  for (const socket of sockets) socket.destroy()
})

const run = async (name: string, faults: Faults): Promise<string> =>
  cases.find((one) => one.name === name)!.run(await serve(faults))

describe("cases", () => {
  it.each(["late-reader", "split-text", "half-close", "last-reply"])(
    "%s finds nothing wrong with what is right",
    async (name) => {
      expect(await run(name, {})).toBe("ok")
    },
  )

  it.each<[string, Faults, RegExp]>([
    ["late-reader", { dropsWhenFull: true }, /^\d+ % of 8 MiB lost$/],
    ["split-text", { splitsCharacters: true }, /^34 of 34 split characters wrong$/],
    ["half-close", { closesAtFin: true }, /^100 % of \d+ bytes lost$/],
    ["last-reply", { cutsLastReply: true }, /^\d+ % of 8 MiB lost$/],
  ])("%s names what is lost by %o", async (name, faults, verdict) => {
    expect(await run(name, faults)).toMatch(verdict)
  })

  it("term finds that a server without a handler cuts its clients off", async () => {
    const term = cases.find((one) => one.name === "term")!
    expect(await judge(term, command("node", "scripts/prove/node.ts"))).toMatch(/^\d+ of 50 clients cut off$/)
  })

  it("a server that ends in the middle of a case has died", async () => {
    const run = async ({ ended, signal }: Server): Promise<string> => {
      signal("SIGTERM")
      await ended
      return "ok"
    }
    expect(await judge({ name: "x", title: "x", run }, command("node", "scripts/prove/node.ts"))).toBe("process died")
  })

  it("a server that does not start is no result", async () => {
    const run = () => Promise.resolve("ok")
    await expect(judge({ name: "x", title: "x", run }, ["node", "--no-such-flag"])).rejects.toThrow(/^Cannot start/)
  })
})
