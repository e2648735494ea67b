/**
 * A drain over the wire, through the program itself, on every runtime: what clients get who do not stop asking, who are
 * within a frame, who are still in the backlog; what is left of their sockets; and that it ends, whatever hangs. Numbers
 * are those of the faults.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { killAll, runtimes } from "./child.ts"
import { type Client, connect, connectUnix, disconnectAll } from "./client.ts"
import { Load } from "./drain/Load.ts"
import { Program } from "./drain/Program.ts"
import { eventually } from "./harness.ts"
import { endsIn } from "./sockets.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-drain-"))

afterEach(disconnectAll)
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true })
})

type Signal = "SIGTERM" | "SIGINT"

const module = (name: string): string => `test/conformance/wire/drain/${name}.ts`

/** Everything until the server's half ends, then closes this one; and how it ended. */
const farewell = async (client: Client): Promise<string> => {
  const rest = await client.rest()
  client.finish()
  return `${client.ending}: ${rest}`
}

/** Connects, asks and leaves; how that went. */
const visit = async (port: number): Promise<"served" | "sent away" | "reset" | "refused"> => {
  const client = await connect(port).catch((error: { readonly code?: string }) => error.code)
  if (typeof client !== "object") return client === "ECONNREFUSED" ? "refused" : "reset"
  await client.send("hello\n")
  client.finish()
  const answer = await client.rest()
  if (client.ending === "reset") return "reset"
  return answer.toString() === "echo: hello\n" ? "served" : "sent away"
}

/** So many who visit it one after the other until they are refused; how often what happened to them. */
const storm = async (port: number, visitors: number) => {
  const seen = { served: 0, "sent away": 0, reset: 0, refused: 0 }
  await Promise.all(Array.from({ length: visitors }, async () => {
    for (;;) {
      const how = await visit(port)
      seen[how]++
      if (how === "refused") return
    }
  }))
  return seen
}

// On a machine that has much else to do, each of them takes ten times as long as alone.
describe.each(runtimes)("%s", { timeout: 60_000 }, (runtime) => {
  it.each<readonly [string, string | undefined]>([
    ["requests", undefined],
    ["slow requests", module("slow")],
    ["a session", module("session")],
  ])(
    "55: under steady load of %s, SIGTERM loses no answer, and the report is what clients counted",
    async (_, service) => {
      const program = new Program(runtime, { service, args: ["--drain-timeout", "40s", "--log-level", "debug"] })
      const { child } = program
      const port = await program.port()
      const load = await Load.start(port, 200, 16)
      // Within a frame, so that the server is still there to be looked at when the others have gone.
      const last = await connect(port)
      await last.send("the ")
      const before = load.moment
      child.signal("SIGTERM")
      await load.ended()
      expect(load.losses(before)).toEqual([])
      expect(before.waiting).toBeGreaterThan(500)
      expect(endsIn("CLOSE_WAIT").filter(({ local }) => local === port)).toEqual([])
      await last.send("last\n")
      expect(await farewell(last)).toBe("fin: echo: the last\n")
      expect((await child.ended).code).toBe(0)
      expect(endsIn("CLOSE_WAIT").filter(({ remote }) => remote === port)).toEqual([])
      expect(await program.said("drained")).toMatchObject({ served: 0, drained: 201, forced: 0, unsent: 0 })
      const closed = program.log.filter(({ message }) => message === "closed")
      expect(closed.length).toBe(201)
      expect(new Set(closed.map(({ reason }) => reason))).toEqual(new Set(["drained"]))
      expect(closed.reduce((sum, { framesSent }) => sum + Number(framesSent), 0)).toBe(load.answered + 1)
    },
  )

  it("55: during --drain-delay clients come, are served and leave as ever", async () => {
    const program = new Program(runtime, { args: ["--drain-delay", "3s"] })
    const port = await program.port()
    const load = await Load.start(port, 20, 4)
    program.child.signal("SIGTERM")
    await program.said("draining", "announced")
    const leaving = load.askers.slice(0, 5)
    for (const asker of leaving) asker.leave()
    await Promise.all(leaving.map(({ ended }) => ended))
    expect(await visit(port)).toBe("served")
    expect(program.log.filter(({ phase }) => phase === "closing")).toEqual([])
    const before = load.moment
    await load.ended()
    expect(load.losses(before)).toEqual([])
    expect((await program.child.ended).code).toBe(0)
    expect(await program.said("drained")).toMatchObject({ served: 6, drained: 15, forced: 0, unsent: 0 })
  })

  it("55: clients that heed the goodbye lose nothing, close first, and TIME_WAIT is theirs", async () => {
    const end = async (service?: string) => {
      const program = new Program(runtime, { service })
      const port = await program.port()
      const load = await Load.start(port, 20, 16)
      const clients = await Promise.all(Array.from({ length: 50 }, () => connect(port)))
      const before = load.moment
      program.child.signal("SIGTERM")
      const said = await Promise.all(clients.map(async (client) => {
        const last = service === undefined ? await client.ended() : await client.line()
        client.finish()
        await client.ended()
        return last
      }))
      await load.ended()
      expect(load.losses(before)).toEqual([])
      expect((await program.child.ended).code).toBe(0)
      // The system lists one twice when the list changes meanwhile.
      const waiting = new Set(endsIn("TIME_WAIT").filter(({ local }) => local === port).map(({ remote }) => remote))
      const theServers = clients.filter((client) => waiting.has(client.port)).length
      return { said: new Set(said), theServers, ...await program.said("drained") }
    }
    const polite = await end(module("polite"))
    expect(polite).toMatchObject({ said: new Set(["bye"]), forced: 0, unsent: 0 })
    expect(polite.theServers).toBeLessThan(5)
    const silent = await end()
    expect(silent).toMatchObject({ said: new Set(["fin"]), drained: 70, forced: 0, unsent: 0 })
    expect(silent.theServers).toBeGreaterThan(45)
  })

  it("16, 55: 100 clients that are within a frame finish it during the drain, and are answered", async () => {
    const program = new Program(runtime)
    const port = await program.port()
    const clients = await Promise.all(Array.from({ length: 100 }, () => connect(port)))
    await Promise.all(clients.map((client) => client.send("half a frame of ")))
    program.child.signal("SIGTERM")
    await program.said("draining", "ending")
    await sleep(1_500) // in which others would be found to have nothing to do, or not to stop
    expect(clients.map(({ ending }) => ending)).toEqual(clients.map(() => undefined))
    await Promise.all(clients.map((client, index) => client.send(`${index}\n`)))
    const answers = await Promise.all(clients.map(farewell))
    expect(answers).toEqual(clients.map((_, index) => `fin: echo: half a frame of ${index}\n`))
    expect((await program.child.ended).code).toBe(0)
    expect(await program.said("drained")).toMatchObject({ served: 0, drained: 100, forced: 0, unsent: 0 })
  })

  it.each([
    ["that is idle", 0, 300],
    ["under load", 200, 300],
  ])(
    "55: who waits in the backlog of a server %s is served, whatever storm comes behind",
    async (_, askers, waiting) => {
      const program = new Program(runtime, { args: ["--drain-timeout", "60s"] })
      const { child } = program
      const port = await program.port()
      const load = await Load.start(port, askers, 16)
      // Connected and asked, all before the signal, and nobody has accepted them.
      child.signal("SIGSTOP")
      const clients = await Promise.all(Array.from({ length: waiting }, () => connect(port)))
      await Promise.all(clients.map((client, index) => client.send(`hello ${index}\n`)))
      const before = load.moment
      child.signal("SIGTERM")
      child.signal("SIGCONT")
      const coming = storm(port, 10)
      expect(await Promise.all(clients.map(farewell))).toEqual(clients.map((_, index) => `fin: echo: hello ${index}\n`))
      await load.ended()
      expect(load.losses(before)).toEqual([])
      const seen = await coming
      expect((await child.ended).code).toBe(0)
      const { served, drained, forced, unsent } = await program.said("drained")
      expect({ forced, unsent }).toEqual({ forced: 0, unsent: 0 })
      // Who came after the signal was served as well; or sent away or reset when the listener closed, or refused.
      const others = Number(served) + Number(drained) - askers - waiting
      expect(others).toBeGreaterThanOrEqual(seen.served)
      expect(others).toBeLessThanOrEqual(seen.served + seen["sent away"])
    },
  )

  it("62: a kill leaves a Unix socket that the next start takes over; a live one is not stolen, however busy", async () => {
    const path = join(directory, `${runtime}.sock`)
    const permissions = [`--allow-net=unix:${path}`, `--allow-read=${path}`, `--allow-write=${path}`]
    const start = () => new Program(runtime, { address: ["--unix", path], permissions })
    const killed = start()
    await killed.said("listening")
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectUnix(path)))
    for (const client of clients) expect(await client.ask("one")).toBe("echo: one")
    await killed.child.kill()
    for (const client of clients) await client.ended()
    disconnectAll()

    const live = start()
    await live.said("listening")
    const client = await connectUnix(path)
    expect(await client.ask("two")).toBe("echo: two")
    // Stopped, with a backlog that is full: it cannot answer anybody, and lives.
    live.child.signal("SIGSTOP")
    await Promise.all(Array.from({ length: 600 }, () => connectUnix(path).catch(() => {})))
    const { code, stderr } = await start().child.ended
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        `anyport: Cannot listen on unix:${path}: another process is listening there; end it, or choose another address\n`,
    })
    live.child.signal("SIGCONT")
    expect(await client.ask("three")).toBe("echo: three")
    disconnectAll()
    const late = await eventually(() => connectUnix(path).catch(() => undefined))
    expect(await late.ask("four")).toBe("echo: four")
    disconnectAll()
    live.child.signal("SIGTERM")
    expect((await live.child.ended).code).toBe(0)
  })
})

// At the same time on all runtimes, because most of it is waiting.
it("56: whatever hangs, a signal ends it in time, and a second one at once", { timeout: 60_000 }, async () => {
  /** Waits until the program is so far, signals it, once more when it has said something, and waits for its end. */
  const end = async (
    program: Program,
    isSoFar: (program: Program) => Promise<unknown>,
    signal: Signal,
    ...again: ReadonlyArray<string>
  ): Promise<number | string> => {
    await isSoFar(program)
    program.child.signal(signal)
    for (const message of again) {
      await program.said(message)
      program.child.signal(signal)
    }
    return (await program.child.ended).code
  }
  const waits = ({ child }: Program) => child.line("stdout", (line) => line === "waiting" ? line : undefined)
  const listens = (program: Program) => program.said("listening")
  const isAsked = async (program: Program) => (await connect(await program.port())).send("hello\n")
  const notStarted = "stopped before it had started"
  const codes = await Promise.all(runtimes.map(async (runtime) => {
    const serve = (service: string, ...args: ReadonlyArray<string>): Program => new Program(runtime, { service, args })
    const stubborn = serve(module("stubborn"), "--drain-timeout", "1s")
    const ends = await Promise.all([
      end(serve(module("unloaded")), waits, "SIGTERM"),
      end(serve(module("unstartable")), waits, "SIGTERM"),
      end(serve(module("unstartable")), waits, "SIGINT", notStarted),
      end(serve("echo", "--drain-delay", "1h"), listens, "SIGTERM", "draining"),
      end(stubborn, isAsked, "SIGTERM"),
    ])
    return [runtime, ...ends, (await stubborn.said("drained"))["forced"]]
  }))
  expect(codes).toEqual(runtimes.map((runtime) => [runtime, 0, 1, 130, 143, 1, 1]))
})
