/**
 * What `docs/coming-from-go.md` and `SECURITY.md` say is so: every TypeScript block runs as it stands, on every runtime;
 * every file that is linked exists; every test that is cited is there; and the defaults are those of the code. The latter,
 * and links, of `docs/operations.md` as well.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { presets } from "../../core/Server.ts"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"
import { type Client, connect, disconnectAll } from "./wire/client.ts"

const read = (path: string): string => readFileSync(join(root, path), "utf8")
const document = read("docs/coming-from-go.md")

/** Each block of TypeScript by its name; one without a name is "". */
const blocks = new Map(
  [...document.matchAll(/^```(?:ts|typescript)\b(?: title="([\w.]+)")?.*\n([\s\S]*?)^```/gm)]
    .map((match) => [match[1] ?? "", match[2]!]),
)

// Inside the repository, where "anyport" means this package.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, "test/conformance/readme-go-"))
  for (const [name, text] of blocks) if (name !== "") writeFileSync(join(folder, name), text)
})
afterAll(async () => {
  disconnectAll()
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a block. Deno gets the permissions that are named, and no others. */
const run = (runtime: Runtime, name: string, ...permissions: ReadonlyArray<string>): Child =>
  program(runtime, permissions, join(folder, name))

/** Serves a block. A module that is named at run time is read at run time, with all that it imports. */
const serve = (runtime: Runtime, name: string): Child =>
  program(
    runtime,
    ["--allow-net=127.0.0.1", "--allow-read=."],
    ...["cli/main.ts", "serve", `./${relative(root, join(folder, name))}`, "--port", "0"],
  )

const program = (runtime: Runtime, permissions: ReadonlyArray<string>, ...args: ReadonlyArray<string>): Child =>
  new Child([...(runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", ...permissions] : [runtime]), ...args])

/** A client of a program that has said where it listens, in its log or on stdout. */
const clientOf = async (child: Child, stream: "stdout" | "stderr" = "stderr"): Promise<Client> =>
  connect(Number(await child.line(stream, (line) => /127\.0\.0\.1:(\d+)/.exec(line)?.[1])))

const cases: Record<string, (runtime: Runtime) => Promise<void>> = {
  "echo.ts": async (runtime) => {
    const client = await clientOf(serve(runtime, "echo.ts"))
    await client.send("one\r\ntwo")
    client.finish()
    expect((await client.rest()).toString()).toBe("echo: one\necho: two\n")
  },

  "deadline.ts": async (runtime) => {
    const client = await clientOf(serve(runtime, "deadline.ts"))
    expect(await client.ask("hello")).toBe("echo: hello")
    // The deadline itself, in less than a minute.
    const text = blocks.get("deadline.ts")!
    const sooner = text.replace('"60 seconds"', '"100 millis"')
    expect(sooner).not.toBe(text)
    writeFileSync(join(folder, `${runtime}-sooner.ts`), sooner)
    const silent = await clientOf(serve(runtime, `${runtime}-sooner.ts`))
    expect(await silent.ended()).toBe("fin")
    expect(client.ending).toBe(undefined)
  },

  "bounded.ts": async (runtime) => {
    const child = run(runtime, "bounded.ts", "--allow-net=127.0.0.1")
    const first = await clientOf(child, "stdout")
    await first.send("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n")
    for (const key of "abcdefghij") expect(await first.line()).toBe(`value of ${key}`)
    const port = first.socket.remotePort!
    const others = await Promise.all(Array.from({ length: 99 }, () => connect(port)))
    for (const client of others) void client.send("x\n")
    for (const client of others) expect(await client.line()).toBe("value of x")
    expect((await (await connect(port)).rest()).toString()).toBe("try again later\n")
    expect(await first.ask("still")).toBe("value of still")
  },

  "context.ts": async (runtime) => {
    const child = serve(runtime, "context.ts")
    const client = await clientOf(child)
    expect(await client.ask("fast")).toBe("value of fast")
    await client.send("slow\n")
    client.reset()
    expect(await child.line("stdout", (line) => line)).toBe("slow cancelled")
  },

  "main.ts": async (runtime) => {
    const child = run(runtime, "main.ts", "--allow-net=127.0.0.1")
    const client = await clientOf(child, "stdout")
    expect(await client.ask("hello")).toBe("echo: hello")
    child.signal("SIGTERM")
    expect(await client.ended()).toBe("fin")
    client.finish()
    expect((await child.ended).code).toBe(0)
  },

  "room.ts": async (runtime) => {
    const child = serve(runtime, "room.ts")
    const one = await clientOf(child)
    expect(await one.ask("hello")).toBe("1 of 1: hello")
    const two = await clientOf(child)
    expect(await two.ask("here")).toBe("2 of 2: here")
    expect(await one.line()).toBe("2 of 2: here")
    two.finish()
    expect(await two.ended()).toBe("fin")
    expect(await one.ask("alone")).toBe("1 of 1: alone")
  },

  "ticker.ts": async (runtime) => {
    const child = serve(runtime, "ticker.ts")
    const client = await clientOf(child)
    expect(await client.ask("hello")).toBe("echo: hello")
    expect(await client.line()).toBe("tick")
    child.signal("SIGTERM")
    expect((await client.rest()).toString()).toMatch(/^(tick\n)*bye\n$/)
    client.finish()
    expect((await child.ended).code).toBe(0)
  },

  "pipe.ts": async (runtime) => {
    const { code, stdout } = await run(runtime, "pipe.ts").ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: "echo: one\necho: two\n\n" })
  },
}

describe.each(runtimes)("coming from Go, on %s", (runtime) => {
  it.concurrent.each(Object.keys(cases))("%s does what is said of it", (name) => cases[name]!(runtime))
})

describe("coming from Go", () => {
  it("every block of TypeScript has a name and is run", () => {
    expect([...blocks.keys()].sort()).toEqual(Object.keys(cases).sort())
  })

  it("every block type-checks as strictly as this repository", () => {
    const options = { extends: "../../../tsconfig.json", include: ["*.ts", "../../../core/ambient.d.ts"] }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options))
    const { status, stdout } = spawnSync("tsc", ["-p", folder], { encoding: "utf8" })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })
})

const rude = `
import { Codec, Netstring, Service } from "anyport"
const refused = (bytes: Uint8Array): never => {
  throw new Error(new TextDecoder().decode(bytes))
}
const codec = Codec.mapOrFail(Netstring.make({ maxLength: 1_000 }), { decode: refused, encode: refused })
export default Service.plain(codec, () => undefined)
`

describe.each(runtimes)("SECURITY.md, on %s", (runtime) => {
  it("what a peer sends stays within one line of the log", async () => {
    writeFileSync(join(folder, "rude.ts"), rude)
    const child = serve(runtime, "rude.ts")
    const client = await clientOf(child)
    const forged = '\u001b[2J\u009b2J\u2028\u202e\r\n{"level":"error","message":"forged"}\n","message":"forged\0'
    await client.send(`${Buffer.byteLength(forged)}:${forged},`)
    client.finish()
    const closed = await child.line("stderr", (line) => line.includes("closed") ? JSON.parse(line) : undefined)
    expect(closed).toMatchObject({ message: "closed", reason: "decode_failed" })
    const records = child.stderr.trim().split("\n").map((line) => JSON.parse(line))
    expect(records.map(({ message }) => message)).not.toContain("forged")
    expect(child.stderr).not.toMatch(/[^\n -~]/)
  })
})

/** Documents, and the preset whose defaults they name. */
const documents = [
  ["docs/coming-from-go.md", "local"],
  ["docs/operations.md", "behind-proxy"],
  ["SECURITY.md", "internet"],
] as const

/** The links of a document to files of the repository, `[text](target)` or `[text][id]`. */
const links = (
  path: string,
): ReadonlyArray<{ readonly text: string; readonly file: string; readonly anchor: string | undefined }> => {
  const prose = read(path).replace(/^```[\s\S]*?^```/gm, "")
  const targets = new Map([...prose.matchAll(/^\[([^\]]+)\]: (\S+)$/gm)].map(([, id, target]) => [id!, target!]))
  return [...prose.matchAll(/\[([^\]]+)\](?:\(([^)]+)\)|\[([^\]]+)\])/g)].flatMap(([, text, inline, id]) => {
    const target = inline ?? targets.get(id!) ?? `${id}, which is defined nowhere`
    if (/^https?:/.test(target)) return []
    const [file, anchor] = target.split("#")
    return { text: text!, file: file === "" ? path : join(dirname(path), file!), anchor }
  })
}

/** The anchors of a document's headings, as GitHub makes them. */
const anchors = (path: string): ReadonlyArray<string> =>
  [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  )

describe.each(documents)("%s", (path, preset) => {
  it("links only to files and headings that exist", () => {
    const found = links(path)
    expect(found.length).toBeGreaterThan(0)
    expect(found.filter(({ file }) => !existsSync(join(root, file)))).toEqual([])
    expect(found.filter(({ file, anchor }) => anchor !== undefined && !anchors(file).includes(anchor))).toEqual([])
  })

  it("names the defaults that the code has", () => {
    const defaults = new Map<string, string>(
      [presets.local, presets[preset]].flatMap((options) =>
        groups.flatMap((group) =>
          Object.entries(options[group] ?? {}).map(([name, value]) => [`${group}.${name}`, shown(value)] as const)
        )
      ),
    )
    // `limits.outboxHigh` (1 MiB), or in a table, `deadlines.linger` | 30 seconds
    const said = [
      ...read(path).matchAll(/`((?:limits|deadlines|drain|heartbeat|overload)\.\w+)`(?: \(| +\| )(\d[\w, ]*\w)/g),
    ]
    expect(said.length).toBeGreaterThan(4)
    for (const [, name, value] of said) {
      const number = value!.replace(/^(\d+) MiB$/, (_, count) => numeral(Number(count) * 1024 ** 2))
        .replace(/ (?:bytes )?a second$/, "")
      expect({ name, value: number }).toEqual({ name, value: defaults.get(name!) })
    }
  })
})

const groups = ["limits", "deadlines", "drain", "heartbeat", "overload"] as const

const shown = (value: unknown): string =>
  typeof value === "number"
    ? numeral(value)
    : typeof value === "object" && value !== null && "perSecond" in value
    ? numeral(Number(value.perSecond))
    : String(value).replace(/ millis$/, " ms")

const numeral = (value: number): string => value.toLocaleString("en")

describe("SECURITY.md", () => {
  it("cites tests by the names that they have", () => {
    const cited = links("SECURITY.md").filter(({ file }) => file.startsWith("test/"))
    expect(cited.length).toBeGreaterThan(20)
    expect(cited.filter(({ text, file }) => !read(file).includes(text))).toEqual([])
  })

  it("has a test for each attack that it says is defended", () => {
    const [, table] = /^\| attack .*\n\|.*\n((?:\|.*\n)+)/m.exec(read("SECURITY.md"))!
    const rows = table!.trim().split("\n").map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()))
    expect(rows.filter((cells) => cells.length !== 4 || cells[0] === "" || !cells[3]!.startsWith("["))).toEqual([])
  })

  it("names the oldest runtimes that the code accepts", () => {
    const floors = [...read("adapters/Floor.ts").matchAll(/name: "(\w+)",\n\s*version: "([\d.]+)"/g)]
    expect(floors.length).toBe(3)
    for (const [, name, version] of floors) {
      expect(read("SECURITY.md")).toContain(`${name} ${version!.replace(/\.0$/, "")}`)
    }
  })
})
