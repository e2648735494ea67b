/** What is told to systemd and what is taken from it, without systemd, sockets or processes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import process from "node:process"
import { describe, expect, it } from "vitest"
import type { Event } from "../../core/Event.ts"
import * as Environment from "../../ops/environment.ts"
import { addressOf, choose, type Kernel, passed } from "../../ops/systemd/inherited.ts"
import { type Message, Notifier } from "../../ops/systemd/notifier.ts"
import { type Intervals, statusOf, type Systemd, telling, type Told, watchdogOf } from "../../ops/systemd/systemd.ts"

/** Where messages go: each waits until the test lets it through. */
class Wire {
  readonly sent: Array<string> = []
  readonly failures: Array<string> = []
  readonly #ends: Array<(why: string | undefined) => void> = []

  readonly send = ({ state, variables }: Message): Promise<string | undefined> => {
    const rest = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
    this.sent.push([...state === undefined ? [] : [state], ...rest].join(" "))
    return new Promise((resolve) => this.#ends.push(resolve))
  }

  readonly failed = (why: string): void => void this.failures.push(why)

  /** Ends the message that is under way, and lets what waits for that happen. */
  async next(why?: string): Promise<void> {
    this.#ends.shift()!(why)
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Lets everything through until nothing is sent any more; all that was sent. */
  async all(): Promise<ReadonlyArray<string>> {
    while (this.#ends.length > 0) await this.next()
    return this.sent
  }
}

describe("messages", () => {
  const make = () => {
    const wire = new Wire()
    return { wire, notifier: new Notifier(wire.send, wire.failed) }
  }

  it("are sent one at a time, in order", async () => {
    const { wire, notifier } = make()
    notifier.say({}, "READY")
    notifier.say({}, "RELOADING")
    notifier.say({}, "STOPPING")
    expect(wire.sent).toEqual(["READY"])
    await wire.next()
    expect(wire.sent).toEqual(["READY", "RELOADING"])
    expect(await wire.all()).toEqual(["READY", "RELOADING", "STOPPING"])
  })

  it("that wait are one a state, each variable with its last value only", async () => {
    const { wire, notifier } = make()
    notifier.say({ STATUS: "0" }, "READY")
    for (let count = 1; count < 1_000; count++) {
      notifier.say({ STATUS: String(count) })
      notifier.say({ WATCHDOG: "1" })
      notifier.say({ STATUS: `reading ${count}` }, "RELOADING")
      notifier.say({}, "READY")
    }
    notifier.say({ STATUS: "ending" }, "STOPPING")
    expect(await wire.all()).toEqual(["READY STATUS=0", "RELOADING", "READY WATCHDOG=1", "STOPPING STATUS=ending"])
  })

  it("that fail are complained about once, and do not stop the others", async () => {
    const { wire, notifier } = make()
    for (const STATUS of ["1", "2", "3"]) {
      notifier.say({ STATUS })
      await wire.next("broken")
    }
    expect(wire.sent.length).toBe(3)
    expect(wire.failures).toEqual(["broken"])
  })

  it("name no other state once it is stopping", async () => {
    const { wire, notifier } = make()
    notifier.say({}, "STOPPING")
    notifier.say({}, "READY")
    notifier.say({}, "RELOADING")
    notifier.say({ STATUS: "1 left" })
    expect(await wire.all()).toEqual(["STOPPING", "STATUS=1 left"])
  })
})

describe("a server", () => {
  const serving = (size: number): Told => ({ state: "Serving", drainPhase: undefined, connections: { size } })

  const told = async (intervals: Intervals, use: (systemd: Systemd, wire: Wire) => Promise<void>): Promise<void> => {
    const [wire, scope] = [new Wire(), Scope.makeUnsafe()]
    try {
      await use(await Effect.runPromise(Scope.provide(telling(wire.send, wire.failed, intervals), scope)), wire)
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }

  it("is ready with its connections, and stopping with time for the drain", () =>
    told({}, async (systemd, wire) => {
      const server = { ...serving(1) as { -readonly [key in keyof Told]: Told[key] } } // it drains below
      systemd.started(() => statusOf(server))
      Object.assign(server, { state: "Draining", drainPhase: "announced", connections: { size: 2 } })
      systemd.observe({ _tag: "Draining", phase: "announced", connections: 2 })
      server.drainPhase = "ending"
      systemd.observe({ _tag: "Draining", phase: "ending", connections: 2 })
      expect(await wire.all()).toEqual([
        "READY STATUS=1 connection",
        "STOPPING STATUS=draining (ending), 2 connections left EXTEND_TIMEOUT_USEC=30000000",
      ])
    }))

  it("that nobody asked about says nothing of what happens to connections", () =>
    told({}, async (systemd, wire) => {
      systemd.started(() => statusOf(serving(0)))
      await wire.all()
      const events: ReadonlyArray<Event> = [
        { _tag: "Opened", connection: 1, remoteAddress: undefined, localAddress: undefined },
        { _tag: "Updated" },
        { _tag: "Resumed" },
      ]
      events.forEach(systemd.observe)
      expect(wire.sent.length).toBe(1)
    }))

  it("is looked at from time to time, and said anew only when it has changed", () =>
    told({ status: 5 }, async (systemd, wire) => {
      const server = { ...serving(0), connections: { size: 0 } }
      systemd.started(() => statusOf(server))
      await wire.next()
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(wire.sent).toEqual(["READY STATUS=0 connections"])
      server.connections.size = 7
      await expect.poll(() => wire.sent.at(-1)).toBe("STATUS=7 connections")
    }))

  it("is alive as often as is asked for", () =>
    told({ watchdog: 5 }, async (systemd, wire) => {
      systemd.started(() => statusOf(serving(0)))
      for (let beats = 1; beats <= 3; beats++) {
        await wire.next()
        await expect.poll(() => wire.sent.filter((message) => message === "WATCHDOG=1").length).toBe(beats)
      }
    }))

  it("reloads, and is ready again however that went", () =>
    told({}, async (systemd, wire) => {
      systemd.started(() => statusOf(serving(0)))
      let during: ReadonlyArray<string> = []
      const failing = Effect.flatMap(Effect.promise(() => wire.all()), (sent) => {
        during = [...sent]
        return Effect.fail("unreadable")
      })
      expect(await Effect.runPromise(Effect.flip(systemd.reload(failing)))).toBe("unreadable")
      expect(during).toEqual(["READY STATUS=0 connections", "RELOADING"])
      expect(await wire.all()).toEqual(["READY STATUS=0 connections", "RELOADING", "READY"])
    }))
})

it.each<[string, string | undefined, string | undefined, number | undefined]>([
  ["nobody waits", undefined, undefined, undefined],
  ["half of what is waited", "30000000", undefined, 15_000],
  ["it is this process", "30000000", "42", 15_000],
  ["it is another process", "30000000", "43", undefined],
  ["what is no time", "soon", undefined, undefined],
  ["none at all", "0", undefined, undefined],
  ["longer than a timer can", "1000000000000000000", undefined, 2_147_483_647],
  ["shorter than a timer can", "1", undefined, 1],
])("watchdog: %s", (_, micros, ofProcess, expected) => expect(watchdogOf(micros, ofProcess, 42)).toBe(expected))

it("a variable that is taken is gone for children", () => {
  process.env["ANYPORT_TEST_TAKEN"] = "yes"
  expect(Environment.take("ANYPORT_TEST_TAKEN")).toBe("yes")
  expect(Environment.take("ANYPORT_TEST_TAKEN")).toBeUndefined()
  expect("ANYPORT_TEST_TAKEN" in process.env).toBe(false)
})

describe("sockets that were passed", () => {
  const variables = (LISTEN_FDS?: string, LISTEN_PID?: string, LISTEN_FDNAMES?: string) => ({
    LISTEN_FDS,
    LISTEN_PID,
    LISTEN_FDNAMES,
  })

  it.each([
    ["none", variables(), []],
    ["to nobody in particular", variables("1"), []],
    ["to another process", variables("1", "43"), []],
    ["one", variables("1", "42"), [{ descriptor: 3, name: "unknown" }]],
    ["two with names", variables("2", "42", "web:admin"), [{ descriptor: 3, name: "web" }, {
      descriptor: 4,
      name: "admin",
    }]],
  ])("%s", (_, variables, expected) => expect(passed(variables, 42)).toEqual(expected))

  it.each([
    [variables("1", "x"), 'Cannot set LISTEN_PID to "x": accepted is the id of a process'],
    [variables("0", "42"), 'Cannot set LISTEN_FDS to "0": accepted is a number of sockets from 1 to 1024'],
    [variables("-1", "42"), 'Cannot set LISTEN_FDS to "-1"'],
    [variables("1e3", "42"), 'Cannot set LISTEN_FDS to "1e3"'],
    [variables("99999999", "42"), 'Cannot set LISTEN_FDS to "99999999"'],
    [variables("2", "42", "web"), 'Cannot set LISTEN_FDNAMES to "web": accepted is a name for each of LISTEN_FDS=2'],
  ])("%o is wrong", (variables, message) => expect(() => passed(variables, 42)).toThrow(message))

  const [web, admin, again] = [{ descriptor: 3, name: "web" }, { descriptor: 4, name: "admin" }, {
    descriptor: 5,
    name: "web",
  }]

  it("are chosen by name or number; a single one needs neither", () => {
    expect(choose([], undefined)).toBeUndefined()
    expect(choose([web], undefined)).toBe(web)
    expect(choose([web, admin], "admin")).toBe(admin)
    expect(choose([web, admin, again], "5")).toBe(again)
  })

  it.each([
    [
      "more than one",
      [web, admin],
      undefined,
      'LISTEN_FDS to "2": accepted is 1, or --listen-fd with one of 3 (web), 4',
    ],
    ["another", [web], "db", '--listen-fd to "db": accepted is one of 3 (web)'],
    ["two of one name", [web, again], "web", '--listen-fd to "web": accepted is one of 3 (web), 5 (web)'],
    ["none", [], "web", "and it has passed none"],
  ])("%s is not clear", (_, all, wanted, message) => expect(() => choose(all, wanted)).toThrow(message))
})

describe("the address of a descriptor", () => {
  const row = (local: string, inode: number, state = "0A"): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 00000000888a5b8c 100 0 0 10 0`
  const path = (text: string, inode: number): string =>
    `00000000d3c6b976: 00000002 00000000 00010000 0001 01 ${inode}${text}`
  const kernel: Kernel = {
    descriptor: (number) => number === 3 ? "/dev/null" : number === 4 ? undefined : `socket:[${number}00]`,
    table: (name) =>
      ({
        tcp: [
          "  sl  local_address",
          row("0100007F:2328", 1000),
          row("00000000:01BB", 1100),
          row("0100007F:2329", 1200, "01"),
        ],
        tcp6: [
          row("00000000000000000000000000000000:2328", 2000),
          row("00000000000000000000000001000000:2328", 2100),
          row("B80D0120000000000000000001000000:2328", 2200),
        ],
        unix: [path(" /run/any port.sock", 3000), path(" @anyport", 3100), path("", 3200)],
      })[name].join("\n"),
  }

  it.each([
    ["127.0.0.1:9000", 10, { _tag: "Tcp", host: "127.0.0.1", port: 9_000 }],
    ["0.0.0.0:443", 11, { _tag: "Tcp", host: "0.0.0.0", port: 443 }],
    ["[::]:9000", 20, { _tag: "Tcp", host: "::", port: 9_000 }],
    ["[::1]:9000", 21, { _tag: "Tcp", host: "::1", port: 9_000 }],
    ["[2001:db8::1]:9000", 22, { _tag: "Tcp", host: "2001:db8::1", port: 9_000 }],
    ["a path", 30, { _tag: "Unix", path: "/run/any port.sock" }],
    ["an abstract name", 31, { _tag: "Unix", path: "\0anyport" }],
    ["unknown of a Unix socket without a name", 32, undefined],
    ["unknown of a connection", 12, undefined],
    ["unknown of another network", 13, undefined],
    ["unknown of a file", 3, undefined],
    ["unknown of none", 4, undefined],
  ])("is %s", (_, descriptor, expected) => expect(addressOf(descriptor, kernel)).toEqual(expected))
})
