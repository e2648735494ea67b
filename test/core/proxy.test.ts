import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Address from "../../core/Address.ts"
import { ByteWriter } from "../../core/ByteWriter.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as ProxyHeader from "../../core/codecs/ProxyHeader.ts"
import type { Connection } from "../../core/Connection.ts"
import type { Admit, Peer, Tunables } from "../../core/Options.ts"
import * as Service from "../../core/Service.ts"
import { turns } from "./harness.ts"
import { echo, open, pass, type Visitor } from "./visitors.ts"

const lines = Lines.make({ maxLength: 65_536 })
const proxy = { trusted: ["10.0.0.0/8"] } as const
const balancer = { from: "10.0.0.1" }
const client = Address.tcp("203.0.113.7", 50_000)
const destination = Address.tcp("198.51.100.1", 443)

const encoded = (header: Partial<ProxyHeader.ProxyHeader>): Uint8Array => {
  const writer = new ByteWriter()
  const whole: ProxyHeader.ProxyHeader = {
    version: 2,
    command: "PROXY",
    source: client,
    destination,
    tlvs: {},
    ...header,
  }
  expect(ProxyHeader.make().encoder().encode([whole], writer)).toBeUndefined()
  return writer.bytes.slice(0, writer.length)
}

const v1 = encoded({ version: 1 })
const v2 = encoded({ tlvs: { uniqueId: new Uint8Array([1, 2, 3]), crc32c: true } })
const local = encoded({ command: "LOCAL", source: undefined, destination: undefined })
const unknown = new TextEncoder().encode("PROXY UNKNOWN\r\n")

const joined = (...parts: ReadonlyArray<Uint8Array | string>): Uint8Array =>
  new Uint8Array(parts.flatMap((part) => [...(typeof part === "string" ? new TextEncoder().encode(part) : part)]))

const served = (options: Tunables = {}) => open({ proxy, ...options })

describe("a connection behind a proxy", () => {
  it.effect.each([["version 1", v1], ["version 2", v2]] as const)(
    "47: is its client's: %s",
    ([, header]) =>
      Effect.gen(function* () {
        const seen: Array<Connection> = []
        const service = Service.respond(lines, (line, connection) => {
          seen.push(connection)
          return Effect.succeed(line)
        })
        const { town, of, events } = yield* open({ proxy, listeners: [{ address: "127.0.0.1:9000", service }] })
        const visitor = town.come(balancer)
        visitor.send(joined(header, "hello\n"))
        yield* turns
        expect(visitor.received).toBe("hello\n")
        expect(seen[0]).toMatchObject({ remoteAddress: client, localAddress: destination })
        expect(seen[0]?.proxyHeader).toMatchObject({ source: client, destination })
        expect(of("Opened")[0]).toMatchObject({ remoteAddress: client, localAddress: destination })
        visitor.fin()
        yield* turns
        // Bytes of the header are the proxy's.
        expect(of("Closed")[0]).toMatchObject({
          remoteAddress: client,
          counters: { bytesReceived: 6, framesReceived: 1 },
        })
        expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "Opened", "Closed"])
        expect(visitor.ended).toBe("Finished")
      }),
  )

  it.effect("47: version 2 says what else the proxy said", () =>
    Effect.gen(function* () {
      const { town, server } = yield* served()
      const visitor = town.come(balancer)
      visitor.send(v2)
      yield* turns
      const [connection] = server.connections.values()
      expect(connection?.proxyHeader?.tlvs).toEqual({ uniqueId: new Uint8Array([1, 2, 3]), crc32c: true })
    }))

  it.effect.each([["version 1", v1], ["version 2", v2]] as const)(
    "47: wherever its bytes are split, header and requests are the same: %s",
    ([, header]) =>
      Effect.gen(function* () {
        const { town, of, server } = yield* served()
        const bytes = joined(header, "one\ntwo\n")
        const come = (...parts: ReadonlyArray<Uint8Array>): Visitor => {
          const visitor = town.come(balancer)
          for (const part of parts) visitor.send(part)
          return visitor
        }
        const visitors = [come(...[...bytes].map((byte) => new Uint8Array([byte])))]
        for (let at = 0; at <= bytes.length; at++) visitors.push(come(bytes.subarray(0, at), bytes.subarray(at)))
        yield* turns
        expect(new Set(visitors.map(({ received }) => received))).toEqual(new Set(["one\ntwo\n"]))
        expect(new Set(of("Opened").map(({ remoteAddress }) => Address.format(remoteAddress!)))).toEqual(
          new Set(["203.0.113.7:50000"]),
        )
        expect(server.connections.size).toBe(visitors.length)
      }),
  )

  it.effect("47: split with turns between, too, and not one byte is answered before the header is whole", () =>
    Effect.gen(function* () {
      const { town, events } = yield* served()
      const visitor = town.come(balancer)
      for (const byte of v2) {
        expect(events.length).toBe(1)
        visitor.send(new Uint8Array([byte]))
        yield* turns
      }
      visitor.send("x\n")
      expect(visitor.received).toBe("x\n")
    }))

  it.effect.each([["LOCAL", local], ["UNKNOWN", unknown]] as const)(
    "47: %s is the proxy's own",
    ([, header]) =>
      Effect.gen(function* () {
        const { town, of, limits } = yield* served({ limits: { maxConnectionsPerAddress: 1 } })
        const visitor = town.come(balancer)
        visitor.send(joined(header, "x\n"))
        const second = town.come(balancer)
        second.send(header)
        yield* turns
        expect(visitor.received).toBe("x\n")
        expect(of("Opened").map(({ remoteAddress }) => remoteAddress)).toEqual([visitor.transport.remoteAddress])
        expect(limits()).toEqual(["maxConnectionsPerAddress"])
      }),
  )

  it.effect("9: limits of an address are those of the true client, not of the proxy", () =>
    Effect.gen(function* () {
      const { town, server, of } = yield* served({ limits: { maxConnectionsPerAddress: 2, deny: ["192.0.2.0/24"] } })
      const come = (host: string): Visitor => {
        const visitor = town.come(balancer)
        visitor.send(encoded({ source: Address.tcp(host, 1) }))
        return visitor
      }
      const visitors = ["203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "192.0.2.9"].map(come)
      yield* turns
      expect(server.connections.size).toBe(3)
      expect(of("Refused")).toMatchObject([
        { limit: "maxConnectionsPerAddress", remoteAddress: { host: "203.0.113.1" } },
        { limit: "deny", remoteAddress: { host: "192.0.2.9" } },
      ])
      visitors[0]!.reset()
      yield* turns
      come("203.0.113.1")
      yield* turns
      expect(server.connections.size).toBe(3)
    }))

  it.effect("its places are those of the server from the first moment on", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* served({ limits: { maxConnections: 1 } })
      const silent = town.come(balancer)
      town.come(balancer)
      expect(limits()).toEqual(["maxConnections"])
      yield* turns
      silent.reset()
      yield* turns
      const next = town.come(balancer)
      next.send(joined(v1, "x\n"))
      yield* turns
      expect(next.received).toBe("x\n")
    }))

  it.effect("it can be paused and resumed: what is not read stays where it is", () =>
    Effect.gen(function* () {
      const gate: Array<(exit: Exit.Exit<string>) => void> = []
      const service = Service.respond(lines, () => Effect.callback<string>((resume) => void gate.push(resume)))
      const { town } = yield* open({ proxy, listeners: [{ address: "127.0.0.1:9000", service }] })
      const visitor = town.come(balancer)
      visitor.send(joined(v1, "first\n"))
      yield* turns
      expect(visitor.paused).toBe(false)
      visitor.send("second\n") // one more may come before it is paused
      expect(visitor.paused).toBe(true)
      visitor.send("third\n")
      for (const reply of ["1", "2", "3"]) {
        gate.shift()?.(Exit.succeed(reply))
        yield* turns
      }
      expect(visitor.received).toBe("1\n2\n3\n")
      expect(visitor.paused).toBe(false)
    }))

  it.effect("what it does not take at once is sent when there is room", () =>
    Effect.gen(function* () {
      const { town } = yield* served()
      const visitor = town.come(balancer)
      visitor.room = 4
      visitor.send(joined(v1, "hello world\n"))
      yield* turns
      expect(visitor.received).toBe("hell")
      visitor.drain()
      expect(visitor.received).toBe("hello world\n")
    }))

  it.effect("a session behind a proxy ends as its peer does", () =>
    Effect.gen(function* () {
      const service = Service.session(lines, (connection) =>
        Effect.gen(function* () {
          for (let line = yield* connection.receive; line !== undefined; line = yield* connection.receive) {
            yield* connection.send(line)
          }
        }))
      const { town, of } = yield* open({ proxy, listeners: [{ address: "127.0.0.1:9000", service }] })
      const visitor = town.come(balancer)
      visitor.send(joined(v2, "a\nb\n"))
      visitor.fin()
      yield* turns
      expect([visitor.received, visitor.ended]).toEqual(["a\nb\n", "Finished"])
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerClosed"])
    }))
})

describe("admit behind a proxy", () => {
  const waiting = (options: Tunables = {}) =>
    Effect.gen(function* () {
      const verdicts: Array<(exit: Exit.Exit<Admit>) => void> = []
      const peers: Array<Peer> = []
      const harness = yield* served({
        ...options,
        admit: (peer) => {
          peers.push(peer)
          return Effect.callback<Admit>((resume) => void verdicts.push(resume))
        },
      })
      return { ...harness, peers, decide: (verdict: Admit) => verdicts.shift()!(Exit.succeed(verdict)) }
    })

  it.effect("47: is asked of the client; nothing is read meanwhile and nothing is lost", () =>
    Effect.gen(function* () {
      const { town, peers, decide } = yield* waiting()
      const visitor = town.come(balancer)
      visitor.send(joined(v2, "with the header\n"))
      yield* turns
      expect(visitor.paused).toBe(true)
      visitor.send("after it\n")
      expect(peers).toMatchObject([{ remoteAddress: client, localAddress: destination, proxyHeader: { version: 2 } }])
      yield* turns
      decide("admit")
      yield* turns
      expect(visitor.received).toBe("with the header\nafter it\n")
      expect(visitor.paused).toBe(false)
    }))

  it.effect("one more chunk that comes although it is paused is not lost either", () =>
    Effect.gen(function* () {
      const { town, decide } = yield* waiting()
      const visitor = town.come(balancer)
      visitor.send(joined(v1, "one\n"))
      yield* turns
      visitor.paused = false // as a runtime that had read already
      visitor.send("two\n")
      visitor.fin()
      decide("admit")
      yield* turns
      expect([visitor.received, visitor.ended]).toEqual(["one\ntwo\n", "Finished"])
    }))

  it.effect("who has finished or gone meanwhile ends when it is let in", () =>
    Effect.gen(function* () {
      const { town, of, decide, server } = yield* waiting()
      const [finished, gone] = [town.come(balancer), town.come(balancer)]
      finished.send(joined(v1, "last words\n"))
      gone.send(v1)
      yield* turns
      finished.fin()
      gone.reset()
      yield* turns
      decide("admit")
      decide("admit")
      yield* turns
      expect([finished.received, finished.ended, gone.ended]).toEqual(["last words\n", "Finished", "Reset"])
      expect(of("Closed").map(({ reason }) => reason._tag)).toEqual(["PeerReset", "PeerClosed"])
      expect(server.usage).toMatchObject({ connections: 0 })
    }))

  it.effect.each(["refuse", "reset"] as const)(
    "%s gives the place and the address's back",
    (verdict) =>
      Effect.gen(function* () {
        const { town, decide, of, server } = yield* waiting({
          limits: { maxConnections: 1, maxConnectionsPerAddress: 1, busy: "busy\n" },
        })
        const visitor = town.come(balancer)
        visitor.send(joined(v1, "x\n"))
        yield* turns
        decide(verdict)
        yield* turns
        expect(visitor.received).toBe(verdict === "refuse" ? "busy\n" : "")
        expect(visitor.calls.at(-1)).toBe(verdict === "refuse" ? "resume" : "abort")
        expect(of("Refused")).toMatchObject([{ limit: "admit", remoteAddress: client }])
        visitor.fin()
        yield* turns
        expect(visitor.ended).toBe(verdict === "refuse" ? "Finished" : "Aborted")
        const next = town.come(balancer)
        next.send(v1)
        yield* turns
        decide("admit")
        expect(server.usage).toMatchObject({ connections: 1, refusing: 0 })
      }),
  )
})

describe("what is no header", () => {
  const bad: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["a line over 107 bytes", joined(`PROXY UNKNOWN ${"x".repeat(100)}\r\n`)],
    ["a request", joined("GET / HTTP/1.1\r\n\r\n")],
    ["a line without CR", joined("PROXY TCP4 203.0.113.7 198.51.100.1 50000 443\n")],
    ["addresses that are none", joined("PROXY TCP4 203.0.113.777 198.51.100.1 50000 443\r\n")],
    ["a signature that is wrong", joined(v2.subarray(0, 11), "x", v2.subarray(12))],
    ["a version that is wrong", joined(v2.subarray(0, 12), new Uint8Array([0x31]), v2.subarray(13))],
    ["a length that is wrong", joined(v2.subarray(0, 14), new Uint8Array([0, 3]), v2.subarray(16))],
    ["a length beyond all bounds", joined(v2.subarray(0, 14), new Uint8Array([255, 255]))],
    ["a checksum that is wrong", joined(v2.subarray(0, -1), new Uint8Array([v2.at(-1)! ^ 1]))],
  ]

  it.effect.each(bad)(
    "47: %s is refused with what is wrong, and is no connection",
    ([, bytes]) =>
      Effect.gen(function* () {
        const { town, events, of, server } = yield* served({ limits: { busy: "busy\n" } })
        const visitor = town.come(balancer)
        for (const byte of bytes) visitor.send(new Uint8Array([byte]))
        yield* turns
        expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "Refused"])
        expect(of("Refused")[0]).toMatchObject({
          limit: "proxy.header",
          remoteAddress: visitor.transport.remoteAddress,
          error: { message: expect.stringMatching(/\w{3}/) },
        })
        expect([visitor.received, visitor.gotFin]).toEqual(["", true])
        expect(server.usage).toMatchObject({ connections: 0, refusing: 1 })
        visitor.fin()
        yield* turns
        expect(visitor.ended).toBe("Finished")
        expect(server.usage.refusing).toBe(0)
      }),
  )

  it.effect("47: a header that is late is refused, however slowly it comes", () =>
    Effect.gen(function* () {
      const { town, events, limits } = yield* served()
      const [silent, slow] = [town.come(balancer), town.come(balancer)]
      for (let second = 0; second < 5; second++) {
        slow.send(v1.subarray(second, second + 1))
        expect(limits()).toEqual([])
        yield* pass(second < 4 ? 1_000 : 900)
      }
      expect(limits()).toEqual([])
      yield* pass(200)
      expect(limits()).toEqual(["proxy.timeout", "proxy.timeout"])
      slow.send(v1.subarray(5))
      slow.send("hello\n")
      yield* pass(3_000)
      expect([silent.ended, slow.ended, slow.received]).toEqual(["Aborted", "Aborted", ""])
      expect(events.map(({ _tag }) => _tag)).toEqual(["Listening", "Refused", "Refused"])
    }))

  it.effect("once the header is there, its deadline is over", () =>
    Effect.gen(function* () {
      const { town, limits } = yield* served()
      const visitor = town.come(balancer)
      visitor.send(v1)
      yield* pass(20_000)
      visitor.send("x\n")
      expect([visitor.received, limits()]).toEqual(["x\n", []])
    }))

  it.effect("47: whoever is no proxy is refused before a byte is read", () =>
    Effect.gen(function* () {
      const { town, of } = yield* served({ limits: { busy: "busy\n" } })
      const visitor = town.come({ from: "192.0.2.1" })
      expect(of("Refused")).toEqual([
        { _tag: "Refused", remoteAddress: visitor.transport.remoteAddress, limit: "proxy.trusted" },
      ])
      visitor.send(joined(v1, "x\n"))
      expect([visitor.received, visitor.gotFin]).toEqual(["", true])
    }))

  it.effect("47: it is reset where limits.atLimit says so", () =>
    Effect.gen(function* () {
      const { town, limits, server } = yield* served({ limits: { atLimit: "reset" } })
      const visitor = town.come(balancer)
      visitor.send("junk")
      yield* turns
      expect([visitor.ended, limits(), server.usage.refusing]).toEqual(["Aborted", ["proxy.header"], 0])
    }))
})

describe("who leaves before the header", () => {
  it.effect("1: who finishes without a byte is a probe", () =>
    Effect.gen(function* () {
      const { town, server, events } = yield* served()
      const visitor = town.come(balancer)
      visitor.fin()
      yield* turns
      expect(events.slice(1)).toEqual([{ _tag: "Probed", remoteAddress: visitor.transport.remoteAddress }])
      expect([visitor.received, visitor.ended]).toEqual(["", "Finished"])
      expect(server.usage).toMatchObject({ probes: 1, connections: 0, refusing: 0 })
    }))

  it.effect("3: who resets without a byte is a probe, also when it is gone before it can be asked who it is", () =>
    Effect.gen(function* () {
      const { town, server, events } = yield* served({ limits: { maxConnections: 1 } })
      const visitor = town.come(balancer)
      visitor.reset()
      yield* turns
      const nobody = town.come({ from: null })
      yield* turns
      expect(events.slice(1).map(({ _tag }) => _tag)).toEqual(["Probed", "Probed"])
      expect([visitor.ended, nobody.ended]).toEqual(["Reset", "Aborted"])
      expect(server.usage).toMatchObject({ probes: 2, connections: 0, refusing: 0 })
      const next = town.come(balancer)
      next.send(joined(v1, "x\n"))
      yield* turns
      expect(next.received).toBe("x\n")
    }))

  it.effect.each(["fin", "reset"] as const)(
    "47: %s in the middle of a header is a bad header",
    (end) =>
      Effect.gen(function* () {
        const { town, server, of, events } = yield* served()
        const visitor = town.come(balancer)
        visitor.send(v2.subarray(0, 20))
        yield* turns
        visitor[end]()
        yield* turns
        expect(events.slice(1).map(({ _tag }) => _tag)).toEqual(["Refused"])
        expect(of("Refused")[0]).toMatchObject({
          limit: "proxy.header",
          error: { _tag: "InvalidFrame", message: "Cannot decode PROXY header: the stream ends after 20 bytes of it" },
        })
        expect(visitor.ended).toBe(end === "fin" ? "Finished" : "Reset")
        expect(server.usage).toMatchObject({ probes: 0, connections: 0, refusing: 0 })
      }),
  )
})

describe("listeners", () => {
  it.effect("a Unix listener wants a header of everybody where unix is trusted, and refuses all where it is not", () =>
    Effect.gen(function* () {
      const listeners = [{ address: "unix:/run/a.sock", service: echo }]
      const { town, of, server } = yield* open({
        listeners,
        proxy: { trusted: ["unix"] },
        limits: { maxConnectionsPerAddress: 1 },
      })
      const come = (): Visitor => {
        const visitor = town.come({ from: null })
        visitor.send(joined(v2, "x\n"))
        return visitor
      }
      const visitors = [come(), come()]
      yield* turns
      expect(visitors.map(({ received }) => received)).toEqual(["x\n", ""])
      expect(of("Opened").map(({ remoteAddress }) => remoteAddress)).toEqual([client])
      expect(of("Refused")).toMatchObject([{ limit: "maxConnectionsPerAddress", remoteAddress: client }])
      yield* server.update({ proxy: { trusted: ["10.0.0.0/8"] } })
      come()
      expect(of("Refused").map(({ limit }) => limit)).toEqual(["maxConnectionsPerAddress", "proxy.trusted"])
    }))

  it.effect("a header that names a Unix client leaves it without an address to count", () =>
    Effect.gen(function* () {
      const { town, of } = yield* served({ limits: { maxConnectionsPerAddress: 1 } })
      const header = encoded({ source: Address.unix("/run/c"), destination: Address.unix("/run/d") })
      for (let count = 0; count < 2; count++) town.come(balancer).send(header)
      yield* turns
      expect(of("Opened").map(({ remoteAddress }) => remoteAddress)).toEqual([
        Address.unix("/run/c"),
        Address.unix("/run/c"),
      ])
    }))

  it.effect("one whose clients come by themselves reads no header and trusts nobody's", () =>
    Effect.gen(function* () {
      const { town, of } = yield* open({
        proxy,
        listeners: [
          { address: "127.0.0.1:9000", service: echo },
          { address: "127.0.0.1:9001", service: echo, proxied: false },
        ],
      })
      const stranger = town.come({ from: "192.0.2.1", to: "127.0.0.1:9001" })
      stranger.send(joined(v1, "x\n"))
      yield* turns
      expect(stranger.received).toContain("PROXY TCP4")
      expect(of("Opened").map(({ remoteAddress }) => remoteAddress)).toEqual([stranger.transport.remoteAddress])
      town.come({ from: "192.0.2.1", to: "127.0.0.1:9000" })
      expect(of("Refused").map(({ limit }) => limit)).toEqual(["proxy.trusted"])
    }))

  it.effect("who waited for a place is trusted as the settings are when it gets one", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* open({
        limits: { maxConnections: 1, atLimit: { queue: 2, timeout: "1 minute" } },
      })
      const inside = town.come()
      const [stranger, balanced] = [town.come(), town.come(balancer)]
      yield* server.update({ proxy })
      yield* turns
      inside.reset()
      yield* turns
      expect([stranger.gotFin, limits()]).toEqual([true, ["proxy.trusted"]])
      balanced.send(joined(v1, "x\n"))
      yield* turns
      expect(balanced.received).toBe("x\n")
    }))
})

describe("looks like a proxy", () => {
  it.effect("is not said of a proxy that is one, and is of a listener that has none", () =>
    Effect.gen(function* () {
      const { town, of } = yield* open({
        preset: "behind-proxy",
        proxy,
        listeners: [
          { address: "127.0.0.1:9000", service: echo },
          { address: "127.0.0.1:9001", service: echo, proxied: false },
        ],
      })
      const said = () => of("Advised").filter(({ setting }) => setting === "proxy.trusted").length
      for (let count = 0; count < 60; count++) town.come(balancer).send(unknown)
      yield* turns
      expect([of("Opened").length, said()]).toEqual([60, 0])
      for (let count = 0; count < 70; count++) town.come({ from: "192.0.2.1", to: "127.0.0.1:9001" })
      expect(said()).toBe(1)
    }))
})

describe("a drain", () => {
  it.effect("55: a request behind a header that comes meanwhile is answered", () =>
    Effect.gen(function* () {
      const { town, server } = yield* served()
      const visitor = town.come(balancer)
      visitor.send(v1.subarray(0, 10))
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(1_000)
      expect(visitor.sentAway).toBe(false)
      visitor.send(joined(v1.subarray(10), "x\n"))
      yield* pass(500)
      expect([visitor.received, visitor.gotFin]).toEqual(["x\n", true])
      visitor.fin()
      yield* pass(100)
      expect(yield* Fiber.join(draining)).toMatchObject({ served: 0, drained: 1, forced: 0, unsent: 0 })
    }))

  it.effect("56: a header that never comes holds it up no longer than its deadline", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* served()
      town.come(balancer)
      const draining = yield* Effect.forkChild(server.drain)
      yield* pass(4_800)
      expect(server.state).toBe("Draining")
      yield* pass(400)
      expect(server.state).toBe("Stopped")
      expect(limits()).toEqual(["proxy.timeout"])
      yield* Fiber.join(draining)
    }))

  it.effect("56: an abort ends who is about to say who it is by a reset", () =>
    Effect.gen(function* () {
      const { town, server, limits } = yield* served()
      const visitor = town.come(balancer)
      visitor.send("PRO")
      server.abort()
      expect(visitor.calls).toEqual(["abort"])
      visitor.send("XY UNKNOWN\r\n")
      yield* turns
      expect([visitor.ended, limits(), server.connections.size]).toEqual(["Aborted", ["draining"], 0])
    }))
})
