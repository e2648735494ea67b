/** Two thousand devices on each runtime: they log in, beat, are sent commands, and some of them lose the network. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { Child, killAll, type Runtime, runtimes } from "./child.ts"

const fleet = 2_000

afterEach(killAll)

const command = (runtime: Runtime): ReadonlyArray<string> => {
  const main = join(import.meta.dirname, "fleet.main.ts")
  if (runtime !== "deno") return [runtime, main]
  return ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1:0", "--allow-read=.", main]
}

/** A device, which does nothing twice that it is told under one correlation id. */
class Device {
  /** What it has done, and how often. */
  readonly done = new Map<string, number>()
  /** Commands that came again under an id that it had seen. */
  repeated = 0
  readonly #id: string
  readonly #port: number
  readonly #seen = new Set<string>()
  readonly #lost: Array<Socket> = []
  #socket: Socket | undefined

  constructor(id: string, port: number) {
    this.#id = id
    this.#port = port
  }

  async login(): Promise<void> {
    const socket = connect({ port: this.#port, host: "127.0.0.1" })
    this.#socket = socket
    // What the server does to a connection that was lost is no concern of the device any more.
    socket.on("error", () => {})
    socket.setEncoding("utf8").write(`login ${this.#id}\n`)
    let unread = ""
    const welcome = new Promise<void>((resolve) => {
      socket.on("data", (text: string) => {
        const lines = (unread + text).split("\n")
        unread = lines.pop()!
        for (const line of lines) {
          if (line === "welcome") resolve()
          else this.#told(socket, line)
        }
      })
    })
    await welcome
  }

  /** The network is gone: nothing is read any more, nothing sent, and nobody is told. */
  lose(): void {
    const socket = this.#socket!
    socket.pause().removeAllListeners("data")
    this.#lost.push(socket)
  }

  leave(): void {
    for (const socket of [...this.#lost, this.#socket!]) socket.destroy()
  }

  #told(socket: Socket, line: string): void {
    if (line === "ping") return void socket.write("pong\n")
    const [, correlation, what] = line.split(" ")
    if (this.#seen.has(correlation!)) this.repeated++
    else {
      this.#seen.add(correlation!)
      this.done.set(what!, (this.done.get(what!) ?? 0) + 1)
    }
    // Some answers are on their way when the network goes.
    socket.write(`done ${correlation}\n`)
  }
}

describe.each(runtimes)("10,000 strangers on %s", (runtime) => {
  it("2: who say nothing keep no device out, and most are gone again", async () => {
    const server = new Child(command(runtime))
    const port = Number(await server.line("stdout", (line) => line))
    const strangers: Array<Socket> = []
    let gone = 0
    for (let wave = 0; wave < 20; wave++) {
      const sockets = Array.from({ length: 500 }, () => {
        const socket = connect({ port, host: "127.0.0.1" })
        socket.on("error", () => {}).on("close", () => gone++).resume()
        return socket
      })
      strangers.push(...sockets)
      await Promise.all(sockets.map((socket) => socket.connecting ? once(socket, "connect") : undefined))
      const device = new Device("d1", port)
      // It is let in while those who came before are there; nothing on a loopback takes seconds.
      const began = performance.now()
      await device.login()
      expect(performance.now() - began).toBeLessThan(5_000)
      device.leave()
    }
    while (gone < 9_000) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(strangers.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(1_000)
    for (const socket of strangers) socket.destroy()
    server.signal("SIGTERM")
    const { stdout } = await server.ended
    const { reasons } = JSON.parse(stdout.trim().split("\n").at(-1)!)
    expect(reasons.Refused).toBeGreaterThanOrEqual(9_000)
  }, 60_000)
})

describe.each(runtimes)("2,000 devices on %s", (runtime) => {
  it(
    "34: every command ends in one of three ways, is done once, and those who lost the network come back",
    async () => {
      const server = new Child(command(runtime))
      const port = Number(await server.line("stdout", (line) => line))
      const devices = Array.from({ length: fleet }, (_, index) => new Device(`d${index}`, port))
      for (let from = 0; from < fleet; from += 200) {
        await Promise.all(devices.slice(from, from + 200).map((device) => device.login()))
      }
      const operator = connect({ port, host: "127.0.0.1" })
      let answers = ""
      operator.setEncoding("utf8").on("data", (text: string) => answers += text)
      operator.write("login operator\n")

      for (const name of ["first", "second", "third"]) {
        operator.write(`order ${name}\n`)
        // A tenth of them goes while commands are on their way, and comes back by another connection.
        const losing = devices.filter((_, index) => index % 10 === name.length % 10)
        for (const device of losing) device.lose()
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        await Promise.all(losing.map((device) => device.login()))
        while (!answers.includes(`"${name}"`)) await once(operator, "data")
        const outcome = answers.split("\n").find((line) => line.includes(`"${name}"`))!
        const { done, Answered, NotSent, Unknown } = JSON.parse(outcome)
        expect([done, Answered]).toEqual([fleet, fleet])
        // Nothing else became of any of them.
        expect(NotSent + Unknown).toBeGreaterThan(0)
      }
      for (const [index, { done }] of devices.entries()) {
        const names = ["first", "second", "third"].map((name) => `${name}-d${index}`)
        expect([...done].sort()).toEqual(names.sort().map((name) => [name, 1]))
      }
      for (const device of devices) device.leave()
      operator.destroy()
      server.signal("SIGTERM")
      const { code, stdout } = await server.ended
      const { forced, reasons } = JSON.parse(stdout.trim().split("\n").at(-1)!)
      expect([code, forced]).toEqual([0, 0])
      // Who came back took the place of who was lost, or the heartbeat had found it first.
      expect((reasons.Superseded ?? 0) + (reasons.HeartbeatLost ?? 0)).toBe(3 * fleet / 10)
    },
    60_000,
  )
})
