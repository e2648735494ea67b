import { describe, expect, it } from "vitest"
import * as Address from "../../core/Address.ts"
import { Admission } from "../../core/Admission.ts"
import type { LimitOptions } from "../../core/Options.ts"
import { resolve } from "../../core/Settings.ts"

const from = (host: string) => Address.fromPeer(host, 40_000)
const admission = (limits: LimitOptions) => new Admission(resolve({ limits }, true).limits, 0)

describe("networkKey", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:0:0:ffff::1", "2001:db8:0:0::/64"],
    ["2001:0DB8:0000:0000:0001:0002:0003:0004", "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8:1::6", "2001:db8:1:0::/64"],
    ["1::2:3:4:5:6:7", "1:0:2:3::/64"],
    ["::2:3:4:5:6:7:8", "0:2:3:4::/64"],
    ["::1", "0:0:0:0::/64"],
    ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::%eth0/64"],
  ])("of %s is %s", (host, key) => expect(Address.networkKey(from(host))).toBe(key))

  it("of a Unix socket is nothing", () => expect(Address.networkKey(Address.unix("/run/a.sock"))).toBe(undefined))
})

describe("admission", () => {
  it("lets everybody in when nothing is limited", () => {
    const open = admission({})
    for (let index = 0; index < 1_000; index++) expect(open.admit(from("192.0.2.1"), 0)).toBe(undefined)
  })

  it("9: bounds the connections of one address, and nobody else's", () => {
    const limited = admission({ maxConnectionsPerAddress: 2 })
    const admit = (host: string) => limited.admit(from(host), 0)
    expect([admit("192.0.2.1"), admit("::ffff:192.0.2.1"), admit("192.0.2.1")]).toEqual([
      undefined,
      undefined,
      "maxConnectionsPerAddress",
    ])
    expect([admit("192.0.2.2"), admit("2001:db8::1"), admit("2001:db8::ffff"), admit("2001:db8::2")]).toEqual([
      undefined,
      undefined,
      undefined,
      "maxConnectionsPerAddress",
    ])
    expect([1, 2, 3].map(() => limited.admit(undefined, 0))).toEqual([undefined, undefined, undefined])
    limited.release(from("2001:db8::9"))
    expect([admit("2001:db8::3"), admit("2001:db8::4")]).toEqual([undefined, "maxConnectionsPerAddress"])
    expect(admit("192.0.2.1")).toBe("maxConnectionsPerAddress")
    for (let index = 0; index < 2; index++) limited.release(from("192.0.2.1"))
    expect([1, 2, 3].map(() => admit("192.0.2.1"))).toEqual([undefined, undefined, "maxConnectionsPerAddress"])
  })

  it("bounds how many enter in a time, and how many of one address", () => {
    const limited = admission({
      acceptRate: { perSecond: 100, burst: 5 },
      acceptRatePerAddress: { perSecond: 1, burst: 2 },
    })
    const admit = (host: string, now: number) => limited.admit(from(host), now)
    expect([1, 2, 3].map(() => admit("192.0.2.1", 0))).toEqual([undefined, undefined, "acceptRatePerAddress"])
    // Who was refused for their own rate has taken nothing from the others.
    expect([2, 3, 4].map((last) => admit(`192.0.2.${last}`, 0))).toEqual([undefined, undefined, undefined])
    expect(admit("192.0.2.9", 0)).toBe("acceptRate")
    expect(admit("192.0.2.9", 10)).toBe(undefined)
    expect([admit("192.0.2.1", 999), admit("192.0.2.1", 1_000)]).toEqual(["acceptRatePerAddress", undefined])
  })

  it("lets in whom allow names, and never whom deny names", () => {
    const limited = admission({ allow: ["10.0.0.0/8", "2001:db8::/32"], deny: ["10.1.0.0/16"] })
    const admit = (host: string) => limited.admit(from(host), 0)
    expect(["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"].map(admit)).toEqual([undefined, undefined, undefined])
    expect(["10.1.2.3", "11.0.0.1", "2001:db9::1"].map(admit)).toEqual(["deny", "allow", "allow"])
    expect(limited.admit(undefined, 0)).toBe("allow")
    expect(admission({ deny: ["fe80::/10"] }).admit(Address.tcp("fe80::1%eth0", 1), 0)).toBe("deny")
    expect(admission({ deny: ["fe80::/10"] }).admit(undefined, 0)).toBe(undefined)
  })

  it.each<[LimitOptions, string]>([
    [{ allow: ["10.0.0.0/33"] }, 'limits.allow to "10.0.0.0/33": accepted is a network such as 10.0.0.0/8'],
    [{ deny: ["nobody"] }, 'limits.deny to "nobody"'],
    [{ maxConnectionsPerAddress: 0 }, "limits.maxConnectionsPerAddress to 0: accepted is an integer from 1"],
    [
      { acceptRate: { perSecond: 0, burst: 1 } },
      'limits.acceptRate to {"perSecond":0,"burst":1}: accepted is { perSecond',
    ],
    [{ acceptRatePerAddress: { perSecond: 1, burst: 0.5 } }, "limits.acceptRatePerAddress to"],
  ])("refuses %j", (options, says) => expect(() => admission(options)).toThrow(says))
})
