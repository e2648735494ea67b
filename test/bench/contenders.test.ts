/**
 * Who takes part in the comparison: every program that there is on this machine is started as a trial starts it, and has to
 * give back every byte, in whatever pieces it comes; what there is not is named.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as Compiler from "../../bench/Compiler.ts"
import { contenders, launch, NotAContender, type Program } from "../../bench/Contenders.ts"
import type { Child } from "../../bench/Program.ts"

const main = "cli/main.ts"
const { present, missing } = await contenders({ main })
afterAll(Compiler.remove)

const children: Array<Child> = []
const sockets: Array<Socket> = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const child of children.splice(0)) await child.stop()
})

const started = async (program: Program): Promise<Child> => {
  const child = await launch(program)
  children.push(child)
  return child
}

/**
 * Sends bytes in pieces, and collects what comes until it is as much as is wanted; without that, it ends with a FIN, and
 * so does what comes. Who is late reads only when nothing more has been taken for a moment.
 */
const exchange = (
  port: number,
  pieces: ReadonlyArray<Uint8Array>,
  { wanted = Infinity, late = false }: { readonly wanted?: number; readonly late?: boolean },
): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const received: Array<Buffer> = []
    let length = 0
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
    sockets.push(socket)
    socket.on("error", reject).on("end", () => resolve(Buffer.concat(received)))
    const read = (): void => {
      socket.on("data", (chunk: Buffer) => {
        received.push(chunk)
        length += chunk.length
        if (length >= wanted) resolve(Buffer.concat(received))
      })
    }
    if (late) setTimeout(read, 200)
    else read()
    // A turn between pieces, so that each is a chunk of its own as far as that is up to us.
    const send = (index: number): void => {
      const piece = pieces[index]
      if (piece !== undefined) socket.write(piece, () => setTimeout(send, 2, index + 1))
      else if (wanted === Infinity) socket.end()
    }
    socket.on("connect", () => send(0))
  })

const frame = (text: string): Buffer => {
  const content = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

const request = ({ framing }: Program, text: string): Buffer =>
  framing === "length" ? frame(text) : Buffer.from(`${text}\n`)

const reply = ({ framing, prefix }: Program, text: string): Buffer =>
  framing === "length" ? frame(text) : Buffer.from(`${prefix}${text}\n`)

const both = (program: Program, texts: ReadonlyArray<string>): readonly [requests: Buffer, replies: Buffer] => [
  Buffer.concat(texts.map((text) => request(program, text))),
  Buffer.concat(texts.map((text) => reply(program, text))),
]

describe.each(present.map((program) => [program.id, program] as const))("%s", (_, program) => {
  let child: Child
  beforeAll(async () => {
    child = await launch(program)
  })
  afterAll(() => child.stop())

  it("answers every byte, split anywhere, and as much as a mebibyte at once", async () => {
    const [few, replies] = both(program, ["", "hello", "你好,世界", "🐎".repeat(20), "x".repeat(5_000)])
    const cuts = [1, 3, 9, 12, 14, 17, 18, 20, 25, 60, 63, 1_000]
    const pieces = [0, ...cuts].map((from, index) => few.subarray(from, cuts[index] ?? few.length))
    expect((await exchange(child.port, pieces, { wanted: replies.length })).equals(replies)).toBe(true)
    const texts = Array.from({ length: 16_384 }, (_, index) => `${index} `.padEnd(63, "abcdefghijklmnopqrstuvwxyz"))
    const [many, answers] = both(program, texts)
    expect((await exchange(child.port, [many], { wanted: answers.length })).equals(answers)).toBe(true)
  })

  it("answers all that was asked before a FIN to a client that reads late, and then finishes too", async () => {
    // More than the systems hold by themselves.
    const texts = Array.from({ length: 16_384 }, (_, index) => `${index} `.padEnd(1_000, "abcdefghijklmnopqrstuvwxyz"))
    const [requests, replies] = both(program, texts)
    expect((await exchange(child.port, [requests], { late: true })).equals(replies)).toBe(true)
  })

  it("goes on when clients are gone, whether or not they were seen", async () => {
    const [requests] = both(program, Array.from({ length: 20_000 }, () => "x".repeat(63)))
    for (let round = 0; round < 10; round++) {
      const socket = connect({ port: child.port, host: "127.0.0.1" }).pause().on("error", () => {})
      await new Promise((resolve) => round % 2 === 0 ? socket.write(requests, resolve) : socket.on("connect", resolve))
      socket.resetAndDestroy()
    }
    const [one, answer] = both(program, ["still there"])
    expect((await exchange(child.port, [one], { wanted: answer.length })).equals(answer)).toBe(true)
  })
})

describe("contenders", () => {
  it("are all that there are, by ids of their own", () => {
    const ids = present.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(expect.arrayContaining(["anyport-node", "hand-bun", "net-deno", "effect-suspend-node"]))
    for (const { name, reason } of missing) expect(`${name}: ${reason}`).toMatch(/^(Go|C).*: there is no .* on PATH/)
  })

  it("are shown as they were started, without a path of this machine", () => {
    for (const { command } of present) expect(command).not.toContain(process.cwd())
  })

  it("without a compiler or a runtime are named with what is not there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "anyport-test-"))
    const { PATH } = process.env
    try {
      const node = PATH!.split(delimiter)[0]!
      symlinkSync(join(node, "node"), join(folder, "node"))
      process.env["PATH"] = folder
      const found = await contenders({ main, only: (id) => ["hand-node", "hand-bun", "go", "c"].includes(id) })
      expect(found.present.map(({ id }) => id)).toEqual(["hand-node"])
      expect(found.missing).toEqual([
        { name: "Bun", reason: "there is no bun on PATH" },
        { name: "Go, without its log line", reason: "there is no Go toolchain on PATH (go)" },
        { name: "C (epoll)", reason: "there is no C compiler on PATH (cc)" },
      ])
    } finally {
      process.env["PATH"] = PATH
      rmSync(folder, { recursive: true })
    }
  })

  it("of one's own are given a free port, although they do not say when they listen", async () => {
    const script = `require("net").createServer((s) => s.pipe(s)).listen(process.argv[1], "127.0.0.1")`
    const custom = [`mine=node -e '${script}' {port}`]
    const { present: [mine] } = await contenders({ main, custom, only: (id) => id === "mine" })
    const child = await started(mine!)
    expect((await exchange(child.port, [Buffer.from("as it is")], { wanted: 8 })).toString()).toBe("as it is")
  })

  it("of one's own service are served on each runtime", async () => {
    const found = await contenders({ main, service: "services/echo.ts", only: (id) => id.startsWith("service-") })
    expect(found.present.map(({ id }) => id)).toEqual(["service-node", "service-bun", "service-deno"])
  })

  it("of another version of a runtime are Anyport and the hand-written one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "anyport-test-"))
    try {
      const binary = join(folder, "other")
      writeFileSync(binary, '#!/bin/sh\nexec node "$@"\n', { mode: 0o755 })
      const versions = [`node@other=${binary}`]
      const found = await contenders({ main, versions, runtimes: [], only: (id) => id.endsWith("@other") })
      expect(found.present.map(({ id }) => id)).toEqual(["anyport-node@other", "hand-node@other"])
      const child = await started(found.present[1]!)
      expect((await exchange(child.port, [Buffer.from("a\n")], { wanted: 8 })).toString()).toBe("echo: a\n")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    [{ custom: ["no equals sign"] }, /^--contender wants 'name=command with \{port\}', got 'no equals sign'$/],
    [{ custom: ["mine=server 9000"] }, /^--contender mine: its command has no \{port\}/],
    [{ custom: ["c=a {port}", "c=b {port}"] }, /^There are two contenders c/],
    [{ versions: ["ruby@3=/bin/sh"] }, /^--runtime wants node, bun, deno or a version/],
    [{ versions: ["bun@1=/no/such/bun"] }, /^--runtime bun@1=\/no\/such\/bun: there is no file/],
    [{ service: "./none.ts" }, /^Cannot serve \.\/none\.ts: there is no such file/],
  ])("that cannot be are refused in one line: %o", async (asked, message) => {
    const refused = contenders({ main, ...asked, runtimes: [], only: (id) => id === "c" })
    await expect(refused).rejects.toThrow(NotAContender)
    await expect(refused).rejects.toThrow(message)
  })

  it("that end before they listen say what they wrote", async () => {
    const custom = ["mine=node -e 'console.error(\"out of luck\");process.exit(3)' {port}"]
    const { present: [mine] } = await contenders({ main, custom, only: (id) => id === "mine" })
    await expect(launch(mine!)).rejects.toThrow(/it ended with 3; it wrote: out of luck/)
  })
})
