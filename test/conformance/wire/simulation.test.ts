/** The simulated clients of docs/load/sim.ts against the server of docs/protocol/devices.ts, on each runtime. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { command, serve } from "../../../scripts/child.ts"
import { Child, killAll, root, runtimes } from "./child.ts"
import type { Measured } from "./simulation.main.ts"

const module = join(root, "docs/load/sim.ts")

afterEach(killAll)

describe.each(runtimes)("on %s", { timeout: 60_000 }, (runtime) => {
  const start = async (): Promise<{ readonly server: Child; readonly clients: Child }> => {
    const server = new Child(serve(runtime, "./docs/protocol/devices.ts"))
    const port = await server.line("stderr", (line) => /"listening".*:(\d+)"/.exec(line)?.[1])
    const main = "test/conformance/wire/simulation.main.ts"
    return { server, clients: new Child(command(runtime, main, pathToFileURL(module).href, port)) }
  }
  const measured = async (clients: Child): Promise<Measured> => {
    const { code, stdout, stderr } = await clients.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    return JSON.parse(stdout.trim().split("\n").at(-1)!)
  }

  it("two hundred of them log in, and every order is answered", async () => {
    const { clients, server } = await start()
    const result = await measured(clients)
    expect(result).toMatchObject({ failures: {}, cut: false, problem: null, connected: 200, connections: 200 })
    expect(result.replies).toBe(result.sent)
    expect(result.replies).toBeGreaterThan(1_000)
    // A login is not measured, but what it says is.
    expect(result.bytesSent).toBeGreaterThan(result.sent * 50)
    expect(result.bytesReceived).toBeGreaterThan(result.replies * 50)
    expect(result.response).toBeLessThan(1_000)
    server.signal("SIGTERM")
    expect((await server.ended).code).toBe(0)
  })

  it("a server that is killed half-way is missed, and what was measured until then is there", async () => {
    const { clients, server } = await start()
    await clients.line("stdout", (line) => line === "measuring" || undefined)
    server.signal("SIGKILL")
    const result = await measured(clients)
    expect(result).toMatchObject({ cut: false, problem: null, connected: 200 })
    expect(result.replies).toBeGreaterThan(100)
    const { "connect-refused": refused = 0, "reply-lost": lost = 0, "reply-timeout": late = 0, ...ends } =
      result.failures
    expect(refused).toBeGreaterThanOrEqual(200)
    expect(result.replies + lost + late + (ends["request-unsent"] ?? 0)).toBeGreaterThanOrEqual(result.sent)
    const ended = (ends["reset"] ?? 0) + (ends["closed-by-server"] ?? 0)
    expect(ended).toBe(200)
  })
})

it("the module has fewer than 40 lines", () => {
  expect(readFileSync(module, "utf8").split("\n").length).toBeLessThan(40)
})
