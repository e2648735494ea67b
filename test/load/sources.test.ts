/** Addresses to connect from: how they are written, and that connections take turns. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { layer } from "../../adapters/memory.ts"
import * as Address from "../../core/Address.ts"
import { Sockets } from "../../core/Sockets.ts"
import * as Connector from "../../load/Connector.ts"
import { isProblem } from "../../load/Problem.ts"
import * as Sources from "../../load/Sources.ts"

describe("sources", () => {
  it.each([
    ["127.0.0.2", ["127.0.0.2"]],
    ["127.0.0.2-127.0.0.4", ["127.0.0.2", "127.0.0.3", "127.0.0.4"]],
    ["127.0.0.255-127.0.1.1", ["127.0.0.255", "127.0.1.0", "127.0.1.1"]],
    ["255.255.255.254-255.255.255.255", ["255.255.255.254", "255.255.255.255"]],
    ["127.0.0.9, 127.0.0.2-127.0.0.3,127.0.0.3", ["127.0.0.9", "127.0.0.2", "127.0.0.3"]],
    ["::1,fe80::2", ["::1", "fe80::2"]],
  ])("%s", (text, addresses) => expect(Sources.parse(text)).toEqual(addresses))

  it.each([
    ["", "got nothing"],
    ["127.0.0.2,", "got 127.0.0.2,"],
    ["here", "such as 127.0.0.2-127.0.0.9"],
    ["127.0.0.2-9", "such as 127.0.0.2-127.0.0.9"],
    ["127.0.0.2-127.0.0.3-127.0.0.4", "such as"],
    ["127.0.0.9-127.0.0.2", "from the lower address to the higher"],
    ["::1-::5", "name IPv6 ones singly"],
    ["10.0.0.0-10.255.255.255", "at most 1024"],
    ["10.0.0.1-10.0.3.255,10.1.0.1-10.1.0.9", "at most 1024"],
  ])("%j are none, and it is said why", (text, why) => {
    const found = Sources.parse(text)
    expect(isProblem(found) && found.problem).toContain(why)
  })

  it("are of the target's family, and of no Unix socket", () => {
    const target = (address: Address.Address) => ({ url: "u", address, webSocket: undefined })
    expect(Sources.wrong(["127.0.0.2"], target(Address.tcp("127.0.0.1", 1)))).toBe(undefined)
    expect(Sources.wrong(["127.0.0.2"], target(Address.tcp("localhost", 1)))).toBe(undefined)
    expect(Sources.wrong([], target(Address.unix("/a")))).toBe(undefined)
    expect(Sources.wrong(["127.0.0.2"], target(Address.tcp("::1", 1)))).toContain("is IPv6")
    expect(Sources.wrong(["127.0.0.2", "::1"], target(Address.tcp("127.0.0.1", 1)))).toContain("from ::1")
    expect(Sources.wrong(["127.0.0.2"], target(Address.unix("/a")))).toContain("Unix socket")
  })

  it("are taken by turns, also by a connection that is made again and again", async () => {
    const seen = await Effect.runPromise(
      Effect.scoped(Effect.gen(function* () {
        const { listen } = yield* Sockets
        const seen: Array<string> = []
        const listener = yield* listen({ address: Address.tcp("127.0.0.1", 0) }, ({ remoteAddress }) => {
          if (remoteAddress?._tag === "Tcp") seen.push(remoteAddress.host)
        })
        const target = { url: "", address: listener.address, webSocket: undefined }
        const connect = yield* Connector.make({ target, sources: ["127.0.0.2", "127.0.0.3"] })
        for (let count = 0; count < 5; count++) yield* connect(7)
        while (seen.length < 5) yield* Effect.yieldNow
        return seen
      })).pipe(Effect.provide(layer())),
    )
    expect(seen).toEqual(["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3", "127.0.0.2"])
  })
})
