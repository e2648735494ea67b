/** What a target is, and which ones only this machine can be behind. */
import { describe, expect, it } from "vitest"
import * as Address from "../../core/Address.ts"
import { isProblem } from "../../load/Problem.ts"
import * as Target from "../../load/Target.ts"

const parsed = (text: string): Target.Target => {
  const target = Target.parse(text)
  if (isProblem(target)) throw new Error(target.problem)
  return target
}

describe("a target", () => {
  it.each([
    ["tcp://127.0.0.1:9000", Address.tcp("127.0.0.1", 9000), "tcp://127.0.0.1:9000"],
    ["TCP://db.example:1/", Address.tcp("db.example", 1), "tcp://db.example:1"],
    ["tcp://[::1]:9000", Address.tcp("::1", 9000), "tcp://[::1]:9000"],
    ["tcp://[fe80::1%eth0]:9000", Address.tcp("fe80::1%eth0", 9000), "tcp://[fe80::1%eth0]:9000"],
    ["unix:/run/a.sock", Address.unix("/run/a.sock"), "unix:/run/a.sock"],
    ["unix:///run/a.sock", Address.unix("/run/a.sock"), "unix:/run/a.sock"],
    ["unix:./a.sock", Address.unix("./a.sock"), "unix:./a.sock"],
    ["unix:@name", Address.unix("\0name"), "unix:@name"],
  ])("%s is a stream of bytes", (text, address, url) => {
    expect(parsed(text)).toEqual({ url, address, webSocket: undefined })
  })

  it.each([
    ["ws://127.0.0.1:9000/a?b=c", "127.0.0.1", 9000, "ws://127.0.0.1:9000/a?b=c"],
    ["ws://example.org", "example.org", 80, "ws://example.org/"],
    ["ws://[::1]:9000?x", "::1", 9000, "ws://[::1]:9000/?x"],
  ])("%s is a WebSocket", (text, host, port, url) => {
    expect(parsed(text)).toEqual({ url, address: Address.tcp(host, port), webSocket: url })
  })

  it.each([
    ["", "got nothing"],
    ["127.0.0.1:9000", "(write tcp://127.0.0.1:9000)"],
    ["localhost:9000", "(write tcp://localhost:9000)"],
    ["http://a:1/x", "(for a WebSocket write ws://a:1/x)"],
    ["udp://a:1", "got udp://a:1"],
    ["tls://a:1", "tls:// is not there yet"],
    ["wss://a:1/", "wss:// is not there yet"],
    ["tcp:a:1", "got tcp:a:1"],
    ["tcp://a", "the port is missing"],
    ["tcp://a:", "the port is missing"],
    ["tcp://a:0", "the port is 0, wanted 1 to 65535"],
    ["tcp://a:65536", "the port is 65536"],
    ["tcp://a:x", "the port is x"],
    ["tcp://:9", "the host is missing"],
    ["tcp://::1:9000", "IPv6 stands in brackets"],
    ["tcp://[::g]:9000", "::g is no IPv6 address"],
    ["tcp://999.1.1.1:9", "999.1.1.1 is no IPv4 address"],
    ["tcp://127.1:9", "127.1 is no IPv4 address"],
    ["tcp://a b:9", "a b is no host"],
    ["tcp://me:secret@a:9", "not to hold a user or a password"],
    ["tcp://a:9/path", "it ends with the port"],
    ["unix:", "got unix:"],
    ["unix://host/a", "a Unix socket has no host"],
    [`unix:/${"a".repeat(107)}`, "at most 107 bytes, got one of 108"],
    ["ws://a:1/#b", "has no fragment"],
    ["ws://a:1/b c", "has no spaces"],
    ["ws:///x", "the host is missing"],
  ])("%j is none, and it is said why", (text, why) => {
    const found = Target.parse(text)
    expect(isProblem(found) && found.problem).toContain(why)
  })

  it.each([
    "tcp://127.0.0.1:1",
    "tcp://127.255.3.4:1",
    "tcp://[::1]:1",
    "tcp://[0:0:0:0:0:0:0:1]:1",
    "tcp://[::ffff:127.0.0.1]:1",
    "tcp://LocalHost:1",
    "ws://127.0.0.1:1/",
    "unix:/a",
    "unix:@a",
  ])("%s is on this machine", (text) => expect(Target.isLoopback(parsed(text))).toBe(true))

  it.each([
    "tcp://128.0.0.1:1",
    "tcp://0.0.0.0:1",
    "tcp://[::]:1",
    "tcp://10.0.0.1:1",
    "tcp://[::ffff:10.0.0.1]:1",
    "tcp://localhost.example:1",
    "tcp://127.0.0.1.example:1",
    "ws://example.org/",
  ])("%s may be elsewhere", (text) => expect(Target.isLoopback(parsed(text))).toBe(false))
})
