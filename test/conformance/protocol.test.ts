/** The protocol of docs/protocol.md is one short file, and does on every runtime what the page says. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterEach, describe, expect, it } from "vitest"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"

const file = readFileSync(join(root, "docs/protocol/devices.ts"), "utf8")

afterEach(killAll)

const command = (runtime: Runtime): ReadonlyArray<string> => [
  ...(runtime === "deno"
    ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1:0", "--allow-read=."]
    : [runtime]),
  "cli/main.ts",
  "serve",
  "./docs/protocol/devices.ts",
  "--port",
  "0",
]

/** Somebody who speaks JSON lines; `next` is undefined once the server has finished. */
const client = async (port: number) => {
  const socket = connect({ port, host: "127.0.0.1" })
  await once(socket, "connect")
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  return {
    say: (frame: unknown) => void socket.write(`${JSON.stringify(frame)}\n`),
    next: async (): Promise<unknown> => {
      const { value, done } = await lines.next()
      return done === true ? undefined : JSON.parse(value)
    },
    end: () => socket.end(),
  }
}

describe.each(runtimes)("the protocol on %s", (runtime) => {
  it("logs in, reports, is asked by id, and says goodbye", async () => {
    const server = new Child(command(runtime))
    const port = Number(await server.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1]))
    const device = await client(port)
    device.say({ type: "login", id: "device-1", token: "one" })
    // What is sent behind a login is read once it is known who it is.
    device.say({ type: "report", celsius: 21.5 })
    expect(await device.next()).toEqual({ type: "welcome" })
    await server.line("stderr", (line) => /device-1: 21.5 °C/.exec(line)?.[0])

    const stranger = await client(port)
    stranger.say({ type: "login", id: "device-1", token: "two" })
    expect([await stranger.next(), await stranger.next()]).toEqual([{ type: "refused" }, undefined])

    const operator = await client(port)
    operator.say({ type: "login", id: "olga", token: "three" })
    expect(await operator.next()).toEqual({ type: "welcome" })
    operator.say({ type: "order", device: "device-2", what: "reboot" })
    expect(await operator.next()).toMatchObject({ outcome: { _tag: "NotSent", why: "NotConnected" } })
    operator.say({ type: "order", device: "device-1", what: "reboot" })
    const asked = await device.next() as { readonly id: number } // as the page says
    expect(asked).toMatchObject({ type: "command", what: "reboot" })
    device.say({ type: "pong" })
    device.say({ type: "done", command: asked.id, result: "ok" })
    expect(await operator.next()).toMatchObject({ outcome: { _tag: "Answered", reply: "ok" } })
    operator.say({ type: "order", device: "device-1", what: "explode" })
    expect(await device.next()).toMatchObject({ what: "explode" })

    const again = await client(port)
    again.say({ type: "login", id: "device-1", token: "one" })
    expect(await again.next()).toEqual({ type: "welcome" })
    expect(await operator.next()).toMatchObject({ outcome: { _tag: "Unknown", why: "Disconnected" } })
    expect(await device.next()).toBeUndefined()

    server.signal("SIGTERM")
    for (const client of [operator, again]) {
      expect(await client.next()).toEqual({ type: "bye" })
      client.end()
    }
    device.end()
    stranger.end()
    expect((await server.ended).code).toBe(0)
  })

  it("refuses to be one of several processes", async () => {
    const { code, stderr } = await new Child([
      ...command(runtime).flatMap((word) =>
        word === "--allow-read=." ? [word, "--allow-env", "--allow-run=deno,cat"] : [word]
      ),
      "--workers",
      "2",
    ]).ended
    expect([code, stderr.includes("leave --workers out")]).toEqual([expect.any(Number), true])
    expect(code).not.toBe(0)
  })
})

it("the page shows the file, which has fewer than 80 lines", () => {
  const block = /```ts title="devices.ts"\n([\s\S]*?)```/.exec(readFileSync(join(root, "docs/protocol.md"), "utf8"))
    ?.[1]
  expect(block).toBe(file)
  expect(file.split("\n").length).toBeLessThan(80)
})
