/**
 * What `docs/limits.md` says is so: every TypeScript block runs as it stands, on every runtime; every option stands in
 * the text; every figure in it that is not generated is the code's.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import process from "node:process"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { presets } from "../../core/Presets.ts"
import { tables } from "../../scripts/presets.ts"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { type Client, connect, disconnectAll } from "./wire/client.ts"

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const page = read("docs/limits.md")

const blocks = new Map(
  [...page.matchAll(/^```ts(?: title="([\w.]+)")?\n([\s\S]*?)^```/gm)].map((match) => [match[1] ?? "", match[2]!]),
)

// Inside the repository, where "anyport" means this package.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/conformance/readme-limits-"))
  for (const [name, text] of blocks) if (name !== "") writeFileSync(join(folder, name), text)
})
afterAll(async () => {
  disconnectAll()
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

/** Writes a block in which something is said otherwise, so that a test need not wait for it. */
const changed = (runtime: Runtime, name: string, from: string, to: string): string => {
  const text = blocks.get(name)!
  expect(text).toContain(from)
  writeFileSync(join(folder, `${runtime}-${name}`), text.replaceAll(from, to))
  return `${runtime}-${name}`
}

const program = (runtime: Runtime, permissions: ReadonlyArray<string>, ...args: ReadonlyArray<string>): Child =>
  new Child([...(runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...permissions] : [runtime]), ...args])

/** Runs a block that starts a server by itself. */
const run = (runtime: Runtime, name: string): Child => program(runtime, ["--allow-net=127.0.0.1"], join(folder, name))

/** Serves a block. */
const serve = (runtime: Runtime, name: string, ...flags: ReadonlyArray<string>): Child =>
  program(
    runtime,
    ["--allow-net=127.0.0.1", "--allow-read=."],
    ...["cli/main.ts", "serve", `./${relative(root, join(folder, name))}`, "--port", "0", ...flags],
  )

const portOf = async (child: Child, stream: "stdout" | "stderr"): Promise<number> =>
  Number(await child.line(stream, (line) => /127\.0\.0\.1:(\d+)/.exec(line)?.[1]))

/** The first record of the log that says so. */
const logged = (child: Child, text: string): Promise<unknown> =>
  child.line("stderr", (line) => line.includes(text) ? JSON.parse(line) : undefined)

/** Waits for an answer behind everything that a client has sent. */
const settled = (client: Client): Promise<string> => client.ask("settled")

const cases: Record<string, (runtime: Runtime) => Promise<void>> = {
  "entrance.ts": async (runtime) => {
    const child = run(runtime, "entrance.ts")
    const port = await portOf(child, "stdout")
    const [first, second] = [await connect(port), await connect(port)]
    expect([await first.ask("1"), await second.ask("2")]).toEqual(["echo: 1", "echo: 2"])
    // One waits, in vain; one more is refused at once.
    const [third, fourth] = [await connect(port), await connect(port)]
    expect(await fourth.line()).toBe("busy, try again")
    expect(await third.line()).toBe("busy, try again")
    for (const client of [third, fourth]) client.finish()
    first.finish()
    const fifth = await connect(port)
    expect(await fifth.ask("5")).toBe("echo: 5")
    second.finish()
    await second.ended()
    expect((await (await connect(port, "127.0.0.1", false, "127.0.0.9")).rest()).toString()).toBe("busy, try again\n")
    await child.line("stdout", (line) => line === "refused: admit" ? line : undefined)
    expect(child.stdout.trim().split("\n").slice(1)).toEqual([
      "refused: maxConnections",
      "refused: maxConnections",
      "refused: admit",
    ])
  },

  "whoami.ts": async (runtime) => {
    const [, flags] = /^npx tsx cli\/main\.ts serve \.\/whoami\.ts (.*)$/m.exec(page)!
    const child = serve(runtime, "whoami.ts", ...flags!.split(" "))
    const port = await portOf(child, "stderr")
    const client = await connect(port)
    await client.send("PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\nhello\n")
    expect(await client.line()).toBe("203.0.113.7:40000 by no name")
    const stranger = await connect(port, "127.0.0.1", false, "127.0.0.9")
    await stranger.send("PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\nhello\n")
    expect((await stranger.rest()).toString()).toBe("")
    expect(await logged(child, "refused")).toMatchObject({ limit: "proxy.trusted" })
  },

  "device.ts": async (runtime) => {
    const child = serve(runtime, changed(runtime, "device.ts", "60 seconds", "1 second"))
    const client = await connect(await portOf(child, "stderr"))
    expect(await client.ask("sensor")).toBe("who are you, sensor?")
    expect(await client.ask("login sensor")).toBe("welcome")
    for (let beat = 0; beat < 2; beat++) {
      expect(await client.line()).toBe("ping")
      await client.send("pong\n")
    }
    expect(await client.ended()).toBe("fin")
    client.finish()
    expect(await logged(child, "closed")).toMatchObject({ reason: "heartbeat_lost", setting: "heartbeat.missed" })
  },

  "market.ts": async (runtime) => {
    const child = serve(runtime, "market.ts")
    const port = await portOf(child, "stderr")
    const publisher = await connect(port)
    const subscriber = await connect(port)
    expect(await settled(subscriber)).toBe("settled? price, news, hint or trade")
    subscriber.socket.pause()
    const padding = "x".repeat(16_000)
    const count = 4_000
    const flood = async (word: string): Promise<void> => {
      for (let number = 1; number <= count; number += 100) {
        const lines = Array.from({ length: 100 }, (_, index) => `${word} EUR ${number + index} ${padding}\n`)
        await publisher.send(lines.join(""))
      }
      await settled(publisher)
    }
    await flood("price")
    subscriber.socket.resume()
    let seen = 0
    let last = 0
    while (last < count) {
      last = Number((await subscriber.line()).split(" ")[2])
      seen++
    }
    expect(seen).toBeGreaterThan(0)
    expect(seen).toBeLessThan(count)
    subscriber.socket.pause()
    await flood("trade")
    expect(await logged(child, "outbox_full")).toMatchObject({ message: "closed", setting: "limits.outboxHigh" })
  },

  "reports.ts": async (runtime) => {
    const child = run(runtime, changed(runtime, "reports.ts", "sleep(2_000)", "sleep(60_000)"))
    const port = await portOf(child, "stdout")
    const usage = (inFlight: number, inFlightWaiting: number) =>
      child.line("stdout", (line) => {
        if (!line.startsWith("{")) return undefined
        const usage = JSON.parse(line)
        return usage.inFlight === inFlight && usage.inFlightWaiting === inFlightWaiting ? usage : undefined
      })
    for (let index = 0; index < 3; index++) await (await connect(port)).send("report\n")
    await usage(8, 1)
    expect(child.stdout).toContain("alarm: maxInFlight at 8\n")
    process.kill(child.pid, "SIGHUP")
    expect(await usage(12, 0)).toMatchObject({ connections: 3, load: "calm" })
    expect(await (await connect(port)).ask("hello")).toBe("hello: done")
  },

  "rates.ts": async (runtime) => {
    const child = run(runtime, "rates.ts")
    const client = await connect(await portOf(child, "stdout"))
    const began = performance.now()
    await client.send("x\n".repeat(150))
    for (let answers = 0; answers < 150; answers++) expect(await client.line()).toBe("echo: x")
    // 50 more than the burst, of which 50 a second may come.
    expect(performance.now() - began).toBeGreaterThan(700)
  },
}

describe.each(runtimes)("docs/limits.md, on %s", (runtime) => {
  it.concurrent.each(Object.keys(cases))("%s does what is said of it", (name) => cases[name]!(runtime))
})

describe("docs/limits.md", () => {
  it("every block of TypeScript has a name and is run", () => {
    expect([...blocks.keys()].sort()).toEqual(Object.keys(cases).sort())
  })

  it("every block type-checks as strictly as this repository", () => {
    const options = { extends: "../../../tsconfig.json", include: ["*.ts", "../../../core/ambient.d.ts"] }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options))
    const { status, stdout } = spawnSync("tsc", ["-p", folder], { encoding: "utf8" })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })

  it("every option is spoken of, not only listed", () => {
    const prose = tables.reduce(
      (text, { block: { name } }) => text.replace(new RegExp(`<!-- ${name}: [\\s\\S]*?<!-- /${name} -->`), ""),
      page,
    )
    const options = Object.entries(presets.local).flatMap(([group, options]) =>
      Object.keys(options).map((name) => ({ group, name }))
    )
    const silent = options.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(prose))
    expect(silent).toEqual([])
  })

  it("links only to files and headings that exist", () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-")
    )
    const links = [...page.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)]
    expect(links.length).toBeGreaterThan(10)
    for (const [, file, anchor] of links) {
      if (file !== "") expect(existsSync(join(root, "docs", file!)), file).toBe(true)
      else expect(anchors).toContain(anchor)
    }
  })

  it.each(
    [
      ["at most 512 bytes", "Settings", "longestBusy = 512"],
      ["for 2 s and up to 64 KiB", "Refusal", "patienceMillis = 2_000"],
      ["for 2 s and up to 64 KiB", "Refusal", "patienceBytes = 64 * 1024"],
      ["has 50 connections or more", "Admission", "crowd = 50"],
      ["up to 64 that had been accepted", "Gate", "stragglers = 64"],
      ["`proxy.timeout` (5 seconds)", "Settings", 'timeout = "5 seconds"'],
      ["`concurrency` (1)", "Service", "options.concurrency ?? 1"],
      ["an eighth of it late", "Stall", "looks = 8"],
      ["half a minute ahead", "Stall", "aheadMillis = 30_000"],
      ["waited for 5 s at most", "ManagedConnection", "lingerImpatient = 5_000"],
      ["half a second at most", "Deadlines", "longestStep = 500"],
      ["slots of 50 ms", "Deadlines", "slotMillis = 50"],
      ["between 20 and 60 s", "Registry", "interval < 20_000 || (interval > 60_000"],
      ["the last 16 times", "Suspicion", "remembered = 16"],
      ["(`most`: 64)", "MessageClass", "defaultMost = 64"],
      ["From 0.8 of it", "Budget", "nearShare = 0.8"],
      ["until 0.6 is reached", "Budget", "calmShare = 0.6"],
      ["four times a second", "Registry", "sampleMillis = 250"],
      ["Four times in a row", "Overload", "enough = 4"],
      ["a hundredth of the connections", "Registry", "this.connections.size / 100"],
      ["at most half as late", "Overload", "lag <= bound / 2"],
      ["1,024 frames or 64 KiB a turn", "Replies", "framesPerTurn = 1_024"],
      ["1,024 frames or 64 KiB a turn", "Replies", "bytesPerTurn = 64 * 1024"],
      ["`cooldown` (1 minute)", "Settings", 'cooldown = "1 minute"'],
      ["one of each at 0.9", "Settings", '{ of: "memory", at: 0.9 }'],
      ["Up to a tenth less", "Overdue", "/ 2 ** 32 / 10"],
      ["quiet, 1 s at most", "Drain", "longestClosing = 1_000"],
      ["Half of the timeout at most", "Drain", "Math.min(this.#spread, time / 2)"],
      ["a second to close first", "Drain", "courtesyMillis = 1_000"],
    ] satisfies ReadonlyArray<[said: string, module: string, code: string]>,
  )("says as the code does: %s", (said, module, code) => {
    expect(page.replace(/\s+/g, " ").includes(said), `the page says: ${said}`).toBe(true)
    expect(read(`core/${module}.ts`).includes(code), `core/${module}.ts has: ${code}`).toBe(true)
  })

  it("says who is told that the server is busy as the code does", () => {
    const untold = /const unwanted[^=]*= new Set\((\[[^\]]+\])\)/.exec(read("core/Gate.ts"))![1]!
    const shown = [...page.matchAll(/^\| `([\w.]+)` +\| `limit=[\w.]+` +\| no +\|$/gm)].map(([, limit]) => limit)
    expect(shown.sort()).toEqual((JSON.parse(untold) as Array<string>).sort())
  })

  it("says that the log holds back refusals for as long as it does", () => {
    expect(page.replace(/\s+/g, " ")).toContain("one in ten seconds")
    expect(read("ops/logs.ts")).toContain("quietMillis = 10_000")
    expect(page.replace(/\s+/g, " ")).toContain("less 16")
    expect(read("ops/descriptors.ts")).toContain("reserve = 16")
  })
})
