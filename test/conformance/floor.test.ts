/** Below its floor a runtime is refused, by everything that listens or connects, with what was found and why. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { enforce, floors, isBelow } from "../../adapters/Floor.ts"
import * as Address from "../../core/Address.ts"
import type { Sockets } from "../../core/Sockets.ts"
import { Child, killAll, root, type Runtime, runtimes } from "./wire/child.ts"

afterAll(killAll)

describe("versions", () => {
  it.each([
    ["22.9.0", "22.19.0"],
    ["1.4.1", "1.4.2"],
    ["1.3.99", "1.4.2"],
    ["0.9.9", "1.4.2"],
    ["2.9.4", "2.9.5"],
    ["v20.20.2", "22.19.0"],
    ["1.4.2-canary.12+abcdef", "1.4.2"],
    ["2.9.5-rc.1", "2.9.5"],
    ["22.19.0-nightly20260101abcdef", "22.19.0"],
    ["nightly", "22.19.0"],
    ["22", "22.19.0"],
    ["", "22.19.0"],
  ])("%s is below %s", (found, wanted) => expect(isBelow(found, wanted)).toBe(true))

  it.each([
    ["22.19.0", "22.19.0"],
    ["22.100.0", "22.19.0"],
    ["100.0.0", "22.19.0"],
    ["v24.21.0", "22.19.0"],
    ["1.4.10", "1.4.2"],
    ["1.4.3-canary.1", "1.4.2"],
    ["2.9.5+abcdef-1", "2.9.5"],
    ["26.0.0-nightly20260101abcdef", "22.19.0"],
  ])("%s is not below %s", (found, wanted) => expect(isBelow(found, wanted)).toBe(false))
})

describe("enforce", () => {
  const capabilities = { runtime: "test" } as Sockets["Service"]["capabilities"] // nothing reads the others
  const sockets: Sockets["Service"] = { capabilities, listen: () => Effect.never, connect: () => Effect.never }
  const address = Address.tcp("127.0.0.1", 9)

  it("leaves the sockets as they are from the floor on", () => {
    expect(enforce(floors.bun, "1.4.2", sockets)).toBe(sockets)
  })

  it("refuses to listen and to connect below it, and still says what the runtime could", async () => {
    const refusing = enforce(floors.bun, "1.4.1", sockets)
    expect(refusing.capabilities).toBe(capabilities)
    const says = "this version of the runtime is too old (found is Bun 1.4.1, wanted is 1.4.2 or later, because " +
      floors.bun.reason + ")"
    const listening = await Effect.runPromise(Effect.flip(Effect.scoped(refusing.listen({ address }, () => {}))))
    expect(listening).toMatchObject({ _tag: "ListenError", problem: "UnsupportedRuntime" })
    expect(listening.message).toBe(`Cannot listen on 127.0.0.1:9: ${says}; upgrade it`)
    const connecting = await Effect.runPromise(Effect.flip(Effect.scoped(refusing.connect({ address }))))
    expect(connecting).toMatchObject({ _tag: "ConnectError", problem: "UnsupportedRuntime" })
    expect(connecting.message).toBe(`Cannot connect to 127.0.0.1:9: ${says}`)
  })
})

describe.each(runtimes)("anyport serve on an old %s", (runtime) => {
  const { name, version, reason } = floors[runtime]
  const run = (faked: string, runtime: Runtime): Child => {
    const command = runtime === "deno"
      ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1:0"]
      : [runtime]
    return new Child([...command, join(import.meta.dirname, "floor.main.ts"), faked, "serve", "--port", "0"])
  }

  it("is one line that names both versions and the reason, and 2", async () => {
    const older = version.replace(/\.\d+$/, ".0-rc.1")
    expect(await run(older, runtime).ended).toEqual({
      code: 2,
      stdout: "",
      stderr:
        `anyport: Cannot listen on 127.0.0.1:0: this version of the runtime is too old (found is ${name} ${older}, ` +
        `wanted is ${version} or later, because ${reason}); upgrade it\n`,
    })
  })

  it("is served at the floor itself", async () => {
    const child = run(version, runtime)
    await child.line("stderr", (line) => line.includes('"message":"listening"') || undefined)
    await child.kill()
  })
})

it("what npm is told of Node is its floor", () => {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  expect(engines.node).toBe(`>=${floors.node.version}`)
})
