/**
 * A firmware of 4 MiB to a device that reads slowly, on each runtime: as much as the kernel would swallow at once, and
 * then neither heartbeat nor command would come through in time. The same at 10 KB/s in virtual time: firmware.test.ts of
 * core.
 */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { Child, killAll, type Runtime, runtimes } from "./child.ts"

const size = 4 * 1024 * 1024
const whole = createHash("sha256").update(
  new Uint8Array(size).map((_, index) => 97 + (index * 7 + (index >> 9)) % 26),
).digest("hex")

afterEach(killAll)

const command = (runtime: Runtime): ReadonlyArray<string> => {
  const main = join(import.meta.dirname, "firmware.main.ts")
  if (runtime !== "deno") return [runtime, main]
  return ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1:0", "--allow-read=.", main]
}

/** A device that takes 32 KiB in 20 ms. */
class Device {
  next = 0
  pings = 0
  readonly #arrived = createHash("sha256")
  #socket: Socket | undefined

  /** Connects, and says from where it goes on. Resolves once it has as much as that, or the connection has ended. */
  async take(port: number, until: number): Promise<void> {
    const socket = connect({ port, host: "127.0.0.1" })
    this.#socket = socket
    await once(socket, "connect")
    let unread = ""
    let over = false
    socket.on("close", () => over = true).on("error", () => {})
    socket.write(`hello ${this.next}\n`)
    while (this.next < until && !over) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      const chunk: Buffer | null = socket.read(Math.min(32 * 1024, socket.readableLength))
      if (chunk === null) continue
      const lines = (unread + chunk.toString("latin1")).split("\n")
      unread = lines.pop()!
      for (const line of lines) this.#told(line)
    }
  }

  /** The network goes, with whatever was on its way. */
  cut(): void {
    this.#socket!.resetAndDestroy()
  }

  get digest(): string {
    return this.#arrived.digest("hex")
  }

  #told(line: string): void {
    const [verb, value, content = ""] = line.split(" ")
    if (verb === "ping") {
      this.pings++
      this.#socket!.write("pong\n")
    } else if (verb === "ask") this.#socket!.write(`answer ${value}\n`)
    else {
      expect(Number(value)).toBe(this.next)
      this.#arrived.update(content, "latin1")
      this.next += content.length
      this.#socket!.write(`ack ${this.next}\n`)
    }
  }
}

describe.each(runtimes)("a firmware on %s", (runtime) => {
  it("arrives whole over a reset, and holds up neither heartbeats nor commands", async () => {
    const server = new Child(command(runtime))
    const port = Number(await server.line("stdout", (line) => line))
    const device = new Device()
    await device.take(port, size / 2)
    device.cut()
    await device.take(port, size)
    expect([device.next, device.digest]).toEqual([size, whole])
    expect(device.pings).toBeGreaterThan(0)
    device.cut()
    server.signal("SIGTERM")
    const { stdout } = await server.ended
    const { reasons, outcomes } = JSON.parse(stdout.trim().split("\n").at(-1)!)
    // Whose reset the server sees, and when, is the system's: a lost heartbeat would say so.
    expect(reasons).not.toContain("HeartbeatLost")
    expect(outcomes.Answered).toBeGreaterThan(3)
    // Those that were on their way when the connection was cut nobody knows of, and none is late.
    expect(outcomes.Unknown ?? 0).toBeLessThanOrEqual(4)
  })
})
