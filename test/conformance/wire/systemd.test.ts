/**
 * `anyport serve` as a unit of systemd, on every runtime: what it says by `systemd-notify`, for which a script stands
 * that writes down what it is told, and the sockets that it is passed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import process from "node:process"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { Child, killAll, type Runtime, runtimes } from "./child.ts"
import { connect, connectUnix, disconnectAll } from "./client.ts"
import { eventually } from "./harness.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-systemd-"))
/** What holders started, which does not end with them. */
const instances = (): ReadonlyArray<number> =>
  holders.flatMap(({ child }) => [...child.stderr.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid)))
const holders: Array<Holder> = []

afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  for (const pid of instances()) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
  rmSync(directory, { recursive: true })
})

/** Looks again every 10 ms until there is something; the test's timeout is the bound. */
const until = <A>(look: () => A | undefined | false): Promise<A> =>
  eventually(() => Promise.resolve(look() || undefined))

const permissions = {
  notify: ["--allow-env=NOTIFY_SOCKET,WATCHDOG_USEC,WATCHDOG_PID", "--allow-run=systemd-notify"],
  sockets: ["--allow-env=LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES"],
}

const serve = (
  runtime: Runtime,
  allowed: keyof typeof permissions,
  ...args: ReadonlyArray<string>
): ReadonlyArray<string> => [
  ...runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", ...permissions[allowed]]
    : [runtime],
  "cli/main.ts",
  "serve",
  ...args,
]

const listening = (child: Child): Promise<string> =>
  child.line("stderr", (line) => /"message":"listening","address":"([^"]*)"/.exec(line)?.[1])

/** A `systemd-notify` of its own, which does `script` after it has written down its arguments. */
let programs = 0
const program = (script = "") => {
  const folder = join(directory, `program-${programs++}`)
  const log = join(folder, "log")
  mkdirSync(folder)
  const text = `#!/bin/sh\nprintf '%s\\n' "$NOTIFY_SOCKET: $*" >> ${log}\n${script}\n`
  writeFileSync(join(folder, "systemd-notify"), text, { mode: 0o755 })
  const messages = (): ReadonlyArray<string> =>
    existsSync(log)
      ? readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => line.replace(/^@here: /, ""))
      : []
  return { folder, messages, said: (text: string) => until(() => messages().includes(text)) }
}

/** Serves with that program found first, and these variables. */
const supervised = (
  runtime: Runtime,
  folder: string,
  variables: ReadonlyArray<string> = [],
  path = folder + delimiter + process.env["PATH"],
): Child =>
  new Child(["env", "NOTIFY_SOCKET=@here", `PATH=${path}`, ...variables, ...serve(runtime, "notify", "--port", "0")])

const complaints = ({ stderr }: Child): ReadonlyArray<string> =>
  stderr.split("\n").filter((line) => line.includes("systemd cannot be told")).map((line) => JSON.parse(line).detail)

describe.each(runtimes)("%s", (runtime) => {
  it("says in order that it is ready, how many are connected, and that it drains", async () => {
    const { messages, folder, said } = program("sleep 0.05")
    const child = supervised(runtime, folder)
    const address = await listening(child)
    await said("READY=1 STATUS=0 connections")
    const clients = await Promise.all([1, 2].map(() => connect(Number(address.split(":")[1]))))
    for (const client of clients) {
      expect(await client.ask("hello")).toBe("echo: hello")
      client.socket.once("end", () => client.finish())
    }
    // Within a frame, so that the drain is not over before the program has ended that said the message before.
    const [last] = clients
    await last!.send("ha")
    child.signal("SIGTERM")
    await until(() => messages().some((message) => message.startsWith("STOPPING=1 ")))
    expect(await last!.ask("lf")).toBe("echo: half")
    const { code, stderr } = await child.ended
    expect(code, stderr).toBe(0)
    const told = messages().filter((message) => !/^STATUS=[12] connections?$/.test(message))
    const [ready, stopping = "", ...more] = told
    expect(ready).toBe("READY=1 STATUS=0 connections")
    const draining = /^STATUS=draining \(\w+\), \d connections? left EXTEND_TIMEOUT_USEC=30000000$/
    expect(stopping).toMatch(/^STOPPING=1 /)
    for (const message of [stopping.replace("STOPPING=1 ", ""), ...more]) expect(message).toMatch(draining)
    expect(complaints(child)).toEqual([])
  })

  it("says nothing where systemd does not want to know", async () => {
    const { messages, folder } = program()
    const child = supervised(runtime, folder, ["env", "-u", "NOTIFY_SOCKET", "WATCHDOG_USEC=100000"])
    await listening(child)
    await new Promise((resolve) => setTimeout(resolve, 300)) // several times the watchdog's
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
    expect(messages()).toEqual([])
  })

  it("is not held up by a program that hangs, ends it, and goes on with what is newest", async () => {
    const { folder, said } = program("exec sleep 60")
    const child = supervised(runtime, folder, ["WATCHDOG_USEC=200000"])
    const address = await listening(child)
    await said("READY=1 STATUS=0 connections")
    const client = await connect(Number(address.split(":")[1]))
    expect(await client.ask("hello")).toBe("echo: hello")
    client.socket.once("end", () => client.finish())
    await said("WATCHDOG=1")
    await until(() => complaints(child).length > 0)
    expect(complaints(child)).toEqual(["systemd-notify did not end within 5 s"])
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("warns once of a program that fails, and serves on", async () => {
    const { messages, folder } = program("echo 'Failed to tell' >&2; exit 1")
    const child = supervised(runtime, folder, ["WATCHDOG_USEC=100000"])
    await listening(child)
    await until(() => messages().length > 3)
    child.signal("SIGTERM")
    const { code, stderr } = await child.ended
    expect(code).toBe(0)
    expect(complaints(child)).toEqual(["systemd-notify ended with 1"])
    expect(stderr.match(/^Failed to tell$/gm)?.length).toBe(1)
  })

  it("warns once of a program that is not there, and serves on", async () => {
    const runtimes = join(import.meta.dirname, "../../../node_modules/.bin")
    const child = supervised(runtime, directory, ["WATCHDOG_USEC=100000"], runtimes)
    await listening(child)
    await until(() => complaints(child).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 300)) // several more would have failed
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
    expect(complaints(child)).toEqual([expect.stringMatching(/systemd-notify/)])
  })

  it.each([
    ["knows how to", "", runtime === "node" ? /^RELOADING=1 MONOTONIC_USEC=\d+$/ : /^--reloading$/],
    ["does not know how to", 'case "$*" in --reloading*) exit 1; esac', /^RELOADING=1( MONOTONIC_USEC=\d+)?$/],
  ])("says that it reloads by a program that %s", async (_, script, expected) => {
    const { folder, messages } = program(script)
    const flags = ["--no-prompt", "--quiet", ...permissions.notify]
    const command = runtime === "deno" ? ["deno", "run", ...flags] : [runtime]
    const path = `PATH=${folder}${delimiter}${process.env["PATH"]}`
    const child = new Child(["env", "NOTIFY_SOCKET=@here", path, ...command, "test/conformance/wire/reloading.ts"])
    await until(() => messages().at(-1) === "READY=1")
    // Whether it knows is asked without the socket.
    const told = messages().filter((message) => message !== ": --reloading --help")
    expect(told).toEqual(["READY=1 STATUS=0 connections", expect.stringMatching(expected), "READY=1"])
    await child.kill()
  })

  it("beats as the watchdog wants where that is for this process", async () => {
    const { folder, messages } = program()
    const watched = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"]
    const child = supervised(runtime, folder, ["WATCHDOG_USEC=200000", ...watched])
    await listening(child)
    await until(() => messages().filter((message) => message.includes("WATCHDOG=1")).length > 3)
    child.signal("SIGTERM")
    expect((await child.ended).code).toBe(0)
  })

  it("does not where it is for another", async () => {
    const { folder, messages, said } = program()
    const child = supervised(runtime, folder, ["WATCHDOG_USEC=100000", "WATCHDOG_PID=1"])
    await listening(child)
    await said("READY=1 STATUS=0 connections")
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(messages()).toEqual(["READY=1 STATUS=0 connections"])
    child.signal("SIGTERM")
    await child.ended
  })
})

/** Sockets that somebody else holds, and a program that is started with them at each `run`. */
class Holder {
  readonly child: Child
  constructor(addresses: string, names: string, command: ReadonlyArray<string>) {
    const script = join(import.meta.dirname, "holder.ts")
    this.child = new Child(["node", script, addresses, names, ...command])
    holders.push(this)
  }

  /** What they are bound to: a port, or a path. */
  async bound(): Promise<ReadonlyArray<number | string>> {
    const all = await this.child.line("stdout", (line) => line.startsWith("[") ? JSON.parse(line) : undefined)
    return all.map((one: string | { readonly port: number }) => typeof one === "string" ? one : one.port)
  }

  /** Starts the program for the `time`th time; its process id, once it listens or has ended. */
  async run(time = 1): Promise<number> {
    this.child.write("\n")
    const all = (pattern: RegExp): ReadonlyArray<RegExpMatchArray> => [
      ...(this.child.stderr + this.child.stdout).matchAll(pattern),
    ]
    await until(() => all(/"message":"listening"|^ended /gm).length >= 2 * time - 1)
    return Number(all(/^pid (\d+)$/gm).at(-1)?.[1])
  }

  /** With what the program ended last. */
  ended(time = 1): Promise<string> {
    return until(() => [...this.child.stdout.matchAll(/^ended (.*)$/gm)][time - 1]?.[1])
  }
}

const path = (name: string): string => join(directory, name)

describe.each(["node", "bun"] as const)("%s, with a socket that is passed", (runtime) => {
  it.each([["TCP", "127.0.0.1"], ["Unix", path(`${runtime}.sock`)]])(
    "of %s: serves by it, and clients that come between two instances are served by the second",
    async (_, address) => {
      const holder = new Holder(address, "web", serve(runtime, "sockets"))
      const [where] = await holder.bound()
      const join = () => typeof where === "string" ? connectUnix(where) : connect(where!)
      const first = await holder.run()
      expect(await listening(holder.child)).toBe(typeof where === "string" ? `unix:${where}` : `127.0.0.1:${where}`)
      const early = await join()
      expect(await early.ask("hello")).toBe("echo: hello")
      process.kill(first, "SIGTERM")
      expect(await early.ended()).toBe("fin")
      early.finish()
      expect(await holder.ended()).toBe("0")
      // Nobody accepts now.
      const late = await Promise.all(Array.from({ length: 50 }, join))
      await Promise.all(late.map((client, index) => client.send(`late ${index}\n`)))
      expect(late.filter(({ ending, received }) => ending !== undefined || received > 0)).toEqual([])
      const second = await holder.run(2)
      expect(second).not.toBe(first)
      const answers = await Promise.all(late.map((client) => client.line()))
      expect(answers).toEqual(late.map((_, index) => `echo: late ${index}`))
      process.kill(second, "SIGTERM")
      for (const client of late) {
        expect(await client.ended()).toBe("fin")
        client.finish()
      }
      expect(await holder.ended(2)).toBe("0")
      expect(holder.child.stderr).not.toContain('"level":"error"')
    },
  )

  it.each([["name", "admin"], ["number", "4"]])("of several: serves by the one of this %s", async (_, wanted) => {
    const holder = new Holder("127.0.0.1,127.0.0.1", "web:admin", serve(runtime, "sockets", "--listen-fd", wanted))
    const [, second] = await holder.bound()
    const pid = await holder.run()
    const client = await connect(Number(second))
    expect(await client.ask("hello")).toBe("echo: hello")
    process.kill(pid, "SIGKILL")
  })

  it("of several, says that it has to be told which", async () => {
    const holder = new Holder("127.0.0.1,127.0.0.1", "web:admin", serve(runtime, "sockets"))
    await holder.run()
    expect(await holder.ended()).toBe("2")
    const wanted = 'Cannot set LISTEN_FDS to "2": accepted is 1, or --listen-fd with one of 3 (web), 4 (admin)'
    expect(holder.child.stderr).toContain(`anyport: ${wanted}\n`)
  })

  it("leaves it alone when it is told where to listen", async () => {
    const holder = new Holder("127.0.0.1", "web", serve(runtime, "sockets", "--port", "0"))
    const [port] = await holder.bound()
    const pid = await holder.run()
    expect(await listening(holder.child)).not.toContain(`:${port}`)
    process.kill(pid, "SIGKILL")
  })
})

describe("deno, with a socket that is passed", () => {
  it("says in one line that it cannot take it over, and what can", async () => {
    const holder = new Holder("127.0.0.1", "web", serve("deno", "sockets"))
    await holder.run()
    expect(await holder.ended()).toBe("2")
    const [, ...lines] = holder.child.stderr.trim().split("\n")
    expect(lines).toEqual([
      expect.stringMatching(
        /^anyport: Cannot listen on descriptor 3: .*serve by Node or Bun, or disable the .socket unit/,
      ),
    ])
  })
})

describe.each(runtimes)("%s says what is wrong with", (runtime) => {
  const mine = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]

  it.each([
    [
      "LISTEN_FDS",
      ["LISTEN_FDS=many", ...mine],
      [],
      'Cannot set LISTEN_FDS to "many": accepted is a number of sockets',
    ],
    [
      "LISTEN_PID",
      ["LISTEN_FDS=1", "LISTEN_PID=me"],
      [],
      'Cannot set LISTEN_PID to "me": accepted is the id of a process',
    ],
    [
      "LISTEN_FDNAMES",
      ["LISTEN_FDS=1", "LISTEN_FDNAMES=a:b", ...mine],
      [],
      'Cannot set LISTEN_FDNAMES to "a:b": accepted',
    ],
    [
      "--listen-fd",
      [],
      ["--listen-fd", "web"],
      'Cannot set --listen-fd to "web": accepted is a socket that systemd passes',
    ],
    ["two places", [], ["--listen-fd", "web", "--port", "1"], "--listen-fd web excludes --host, --port and --unix"],
  ])("%s", async (_, variables, args, message) => {
    const { code, stderr } = await new Child(["env", ...variables, ...serve(runtime, "sockets", ...args)]).ended
    expect(stderr.trim().split("\n")).toEqual([expect.stringContaining(message)])
    expect(code).toBe(2)
  })
})
