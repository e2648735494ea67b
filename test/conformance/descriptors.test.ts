/** Running out of descriptors [d5-10, F5]: a listener with 64 of them and 200 clients neither spins nor dies. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as net from "node:net"
import { join } from "node:path"
import process from "node:process"
import * as readline from "node:readline"
import { setTimeout as delay } from "node:timers/promises"
import { describe, expect, it } from "vitest"

const script = join(import.meta.dirname, "descriptors.main.ts")

/** Each runtime's command, and whether its adapter learns of a failed accept (libuv closes such a client silently). */
const runtimes = {
  node: { command: ["node"], reports: false },
  bun: { command: ["bun"], reports: true },
  deno: { command: ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1"], reports: true },
}

const connect = (port: number): net.Socket => net.connect(port, "127.0.0.1").on("error", () => {})

/** Whether a byte sent comes back before the connection ends. */
const isServed = (client: net.Socket): Promise<boolean> =>
  new Promise((resolve) => {
    client.once("data", () => resolve(true))
    client.once("close", () => resolve(false))
    client.write("x")
  })

/** User and system time that a process has used, in milliseconds. */
const cpuTime = ({ pid }: ChildProcess): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

// `prlimit` and `/proc` are Linux's.
describe.runIf(process.platform === "linux")("out of descriptors", () => {
  for (const [name, { command, reports }] of Object.entries(runtimes)) {
    it(`${name} neither spins nor dies, and serves again once some are free`, async () => {
      const child = spawn("prlimit", ["--nofile=64", ...command, script], { stdio: ["ignore", "pipe", "inherit"] })
      const clients: Array<net.Socket> = []
      try {
        let failures = 0
        const lines = readline.createInterface(child.stdout)
        lines.on("line", (line) => failures = JSON.parse(line).failures ?? failures)
        const [ready] = await once(lines, "line")
        const { port } = JSON.parse(ready).address
        const first = connect(port)
        clients.push(first)
        expect(await isServed(first)).toBe(true)
        for (let count = 0; count < 200; count++) clients.push(connect(port))
        await delay(500) // until whoever can be has been accepted, or nearly

        const before = cpuTime(child)
        await delay(2_000)
        const used = cpuTime(child) - before
        expect(used, "CPU time in 2 s at the limit").toBeLessThan(400)
        expect(child.exitCode).toBe(null)
        expect(failures > 0).toBe(reports)
        expect(await isServed(first)).toBe(true)

        for (const client of clients.slice(1)) client.destroy()
        let attempts = 0
        while (attempts < 100) {
          const client = connect(port)
          clients.push(client)
          if (await isServed(client)) break
          attempts++
          await delay(50)
        }
        expect(attempts).toBeLessThan(100)
      } finally {
        child.kill("SIGKILL")
        for (const client of clients) client.destroy()
      }
    })
  }
})
