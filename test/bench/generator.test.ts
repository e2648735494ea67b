/**
 * Who makes the load of the comparison: what a generator says was answered was answered, and whatever goes wrong with the
 * server is an error of the measurement. The C client is tested where a compiler is.
 */
import { createServer, type Server, type Socket } from "node:net"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as C from "../../bench/clients/c.ts"
import * as Compiler from "../../bench/Compiler.ts"
import * as AnyportLoad from "../../bench/clients/load.ts"
import { type Generator, generators, type Load, make, pong } from "../../bench/Generator.ts"
import { start } from "../../bench/Program.ts"

const main = "cli/main.ts"
const compiled = await C.compile()
afterAll(Compiler.remove)

let servers: Array<Server> = []
afterEach(() => {
  for (const server of servers) server.close()
  servers = []
})

/** A server in this process. */
const serve = (accept: (socket: Socket) => void): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer({ noDelay: true }, (socket) => accept(socket.on("error", () => {})))
    servers.push(server)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (typeof address === "object" && address !== null) resolve(address.port)
    })
  })

/** Answers each line as it comes, after it went through `change`. */
const lines = (prefix: string, change: (line: string, count: number) => string | undefined = (line) => line) => {
  let count = 0
  return (socket: Socket): void => {
    let rest = ""
    socket.setEncoding("latin1").on("data", (chunk) => {
      const all = (rest + String(chunk)).split("\n")
      rest = all.pop()!
      const replies = all.flatMap((line) => change(line, count++) ?? []).map((line) => `${prefix}${line}\n`)
      if (!socket.write(replies.join(""), "latin1")) socket.pause()
    })
    socket.on("drain", () => socket.resume())
  }
}

const load = {
  mode: "closed",
  connections: 5,
  inFlight: 1,
  size: 64,
  framing: "lines",
  prefix: "echo: ",
  warmup: 0.1,
  seconds: 0.3,
} as const satisfies Partial<Load>

const contract = (name: string, prepare: () => Promise<Generator>): void => {
  describe(name, () => {
    let generator: Generator
    beforeAll(async () => {
      generator = await prepare()
    })

    it("counts what was answered, and the CPU time of the server for it", async () => {
      const port = await serve(lines("echo: "))
      const { errors, messages, seconds, serverCpu, generatorCpu } = await generator.run({
        ...load,
        port,
        inFlight: 4,
        server: { pid: process.pid },
      })
      expect(errors).toBe(0)
      expect(messages).toBeGreaterThan(50)
      expect(seconds).toBeGreaterThan(0.2)
      expect(seconds).toBeLessThan(3)
      expect(serverCpu).toBeGreaterThan(0)
      expect(generatorCpu).toBeGreaterThan(0)
    })

    it("makes the same in parts, of which the first is not measured", async () => {
      const port = await serve(lines("echo: "))
      const parts = await generator.parts({ ...load, port, inFlight: 4, server: { pid: process.pid } })
      try {
        for (let part = 1; part < parts.count; part++) expect(await parts.next()).toBeUndefined()
        const { errors, messages, seconds, serverCpu, sent, replies } = (await parts.next())!
        expect([errors, replies]).toEqual([0, sent])
        expect(messages).toBeGreaterThan(50)
        expect(seconds).toBeGreaterThan(0.2)
        expect(seconds).toBeLessThan(3)
        expect(serverCpu).toBeGreaterThan(0)
      } finally {
        await parts.stop()
      }
    })

    it("makes no load between its parts", async () => {
      let received = 0
      const answer = lines("echo: ")
      const port = await serve((socket) => {
        socket.on("data", () => received++)
        answer(socket)
      })
      const parts = await generator.parts({ ...load, port })
      try {
        await parts.next()
        await parts.next()
        const before = received
        expect(before).toBeGreaterThan(0)
        await sleep(200)
        expect(received).toBe(before)
      } finally {
        await parts.stop()
      }
    })

    it("asks by a schedule, and says what was due and what came of it", async () => {
      const port = await serve(lines(""))
      const { errors, target, achieved, response, service } = await generator.run({
        ...load,
        port,
        prefix: "",
        mode: "open",
        rate: 500,
        inFlight: 64,
      })
      expect([errors, target]).toEqual([0, 500])
      expect(achieved).toBeGreaterThan(250)
      expect(achieved).toBeLessThan(750)
      expect(service.p50).toBeGreaterThan(0)
      expect(response.max).toBeGreaterThanOrEqual(response.p999)
    })

    it("connects anew for every request of a churn", async () => {
      let accepted = 0
      const answer = lines("echo: ")
      const port = await serve((socket) => {
        accepted++
        answer(socket)
      })
      const { errors, messages } = await generator.run({ ...load, port, mode: "churn" })
      expect(errors).toBe(0)
      expect(messages).toBeGreaterThan(10)
      expect(accepted).toBeGreaterThanOrEqual(messages)
    })

    it("takes frames that begin with their length", async () => {
      const port = await serve((socket) => socket.pipe(socket))
      const asked = { ...load, port, framing: "length", prefix: "", size: 1_000, inFlight: 3 } as const
      const { errors, messages } = await generator.run(asked)
      expect(errors).toBe(0)
      expect(messages).toBeGreaterThan(20)
    })

    it("sees one wrong byte", async () => {
      const port = await serve(lines("echo: ", (line, count) => count === 20 ? `${line.slice(0, -1)}~` : line))
      expect((await generator.run({ ...load, port })).errors).toBeGreaterThan(0)
    })

    it("sees a connection that the server ends", async () => {
      const answer = lines("echo: ")
      const port = await serve((socket) => {
        answer(socket)
        setTimeout(() => socket.destroy(), 150)
      })
      expect((await generator.run({ ...load, port, warmup: 0 })).errors).toBeGreaterThan(0)
    })

    it("sees connections that never read only as a burden of the server", async () => {
      let received = 0
      const answer = lines("echo: ")
      const port = await serve((socket) => {
        socket.on("data", () => received++)
        answer(socket)
      })
      const { errors, messages } = await generator.run({ ...load, port, connections: 2, frozen: 2 })
      expect(errors).toBe(0)
      expect(messages).toBeGreaterThan(10)
      expect(received).toBeGreaterThan(0)
    })

    it("rejects when nobody listens", async () => {
      const port = await serve(() => {})
      await new Promise((resolve) => servers.pop()!.close(resolve))
      await expect(generator.run({ ...load, port })).rejects.toThrow()
      const parts = await generator.parts({ ...load, port })
      await expect(parts.next()).rejects.toThrow()
      await parts.stop()
    })
  })
}

describe.skipIf("reason" in compiled)("with a compiler", () => {
  contract("the C client", () => C.make("file" in compiled ? compiled.file : ""))

  it("is the generator, and named with its compiler", async () => {
    const { generator, missing } = await make({ main })
    expect(generator.title).toMatch(/^C client \((gcc|clang) \d+\.\d/)
    expect(missing).toEqual([])
  })

  it("carries a thousand connections with 16 requests of 16 KiB, of which the systems cannot hold the half", async () => {
    const server = await start(["bun", "bench/contenders/hand-bun.ts"])
    try {
      const { run } = (await make({ main })).generator
      const asked = { ...load, port: server.port, connections: 1_000, inFlight: 16, size: 16_384, seconds: 2 }
      const { errors, messages } = await run(asked)
      expect(errors).toBe(0)
      expect(messages).toBeGreaterThan(0)
    } finally {
      await server.stop()
    }
  })

  it("counts a connection that was lost between two parts as an error, and goes on with the others", async () => {
    const sockets: Array<Socket> = []
    const answer = lines("echo: ")
    const port = await serve((socket) => {
      sockets.push(socket)
      answer(socket)
    })
    const parts = await (await make({ main })).generator.parts({ ...load, port })
    try {
      await parts.next()
      sockets[0]!.destroy()
      for (let part = 2; part < parts.count; part++) await parts.next()
      const { errors, messages, problem } = (await parts.next())!
      expect([errors, problem]).toEqual([1, expect.stringContaining("was lost")])
      expect(messages).toBeGreaterThan(10)
    } finally {
      await parts.stop()
    }
  })

  it("says what was wrong first", async () => {
    const { run } = (await make({ main })).generator
    const port = await serve(lines("echo: ", (line, count) => count === 0 ? "what?" : line))
    expect((await run({ ...load, port, connections: 1 })).problem).toMatch(/^connection 0, reply 0: wrong bytes$/)
    const silent = await serve(() => {})
    const ended = await run({ ...load, port: silent, connections: 1, warmup: 0 })
    expect([ended.errors, ended.messages, ended.problem]).toEqual([1, 0, "1 requests were never answered"])
  })
})

contract("anyport load", () => Promise.resolve(AnyportLoad.make({ main })))

describe("simulators", () => {
  it("all hold their sessions and get their answers from one server", { timeout: 60_000 }, async () => {
    const { present, missing } = await generators({ main })
    const server = await start(pong({ main }))
    try {
      for (const { id, run } of present) {
        const { sessions, errors, messages, mean, p99 } = await run({ port: server.port, connections: 20, seconds: 1 })
        expect([id, sessions, errors]).toEqual([id, 20, 0])
        expect(messages).toBeGreaterThan(100)
        expect(mean).toBeGreaterThan(0)
        expect(p99).toBeGreaterThan(0)
      }
    } finally {
      await server.stop()
    }
    for (const { name, reason } of missing) {
      expect(`${name}: ${reason}`).toMatch(/^(Python|redis-benchmark|C client).*: there is no .* on PATH/)
    }
  })
})
