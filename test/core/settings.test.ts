import { describe, expect, it } from "vitest"
import * as Address from "../../core/Address.ts"
import * as Networks from "../../core/Networks.ts"
import type { Tunables } from "../../core/Options.ts"
import * as Server from "../../core/Server.ts"
import { merge, resolve, type Settings } from "../../core/Settings.ts"

const proxy = { trusted: ["10.0.0.0/8"] }
/** A value that its type does not allow: a program in JavaScript, or a file, may still have it. */
const wrong = (value: unknown): never => value as never

const said = (options: Tunables): string => {
  try {
    resolve(options, true)
  } catch (error) {
    expect(error).toBeInstanceOf(Server.SettingsError)
    return (error as Server.SettingsError).message // as was expected above
  }
  return "nothing"
}

describe("a value that cannot be", () => {
  const network = "accepted is a network such as 10.0.0.0/8 or 2001:db8::/32, an address"
  const rate = 'accepted is { perSecond: above 0, burst: from 1 }, or "off"'
  const time = 'accepted is milliseconds, a duration such as "30 seconds", or Infinity'
  const some = "accepted is more than 0, Infinity for no bound"

  it.each<[Tunables, string]>([
    [{ preset: wrong("lan") }, 'preset to "lan": accepted is one of local, internal, behind-proxy, internet, edge'],
    [{ limits: { maxConnections: -1 } }, "limits.maxConnections to -1: accepted is an integer from 0, or Infinity"],
    [{ limits: { maxConnections: 1.5 } }, "limits.maxConnections to 1.5: accepted is an integer from 0, or Infinity"],
    [{ limits: { maxConnections: NaN } }, "limits.maxConnections to NaN: accepted is an integer from 0, or Infinity"],
    [
      { limits: { maxConnections: wrong("5") } },
      'limits.maxConnections to "5": accepted is an integer from 0, or Infinity',
    ],
    [
      { limits: { maxConnectionsPerAddress: 0 } },
      "limits.maxConnectionsPerAddress to 0: accepted is an integer from 1, or Infinity",
    ],
    [{ limits: { maxRefusing: -1 } }, "limits.maxRefusing to -1: accepted is an integer from 0, or Infinity"],
    [{ limits: { acceptRate: { perSecond: 0, burst: 1 } } }, `limits.acceptRate to {"perSecond":0,"burst":1}: ${rate}`],
    [{ limits: { acceptRatePerAddress: wrong(5) } }, `limits.acceptRatePerAddress to 5: ${rate}`],
    [{ limits: { frameRate: wrong("on") } }, `limits.frameRate to "on": ${rate}`],
    [{ limits: { byteRate: wrong(null) } }, `limits.byteRate to null: ${rate}`],
    [{ limits: { frameRatePerAddress: wrong({}) } }, `limits.frameRatePerAddress to {}: ${rate}`],
    [{ limits: { byteRatePerAddress: wrong([]) } }, `limits.byteRatePerAddress to []: ${rate}`],
    [{ limits: { allow: ["10.0.0.0/33"] } }, `limits.allow to "10.0.0.0/33": ${network}`],
    [{ limits: { allow: ["10.0.0.1/8"] } }, `limits.allow to "10.0.0.1/8": ${network}`],
    [{ limits: { allow: ["unix"] } }, `limits.allow to "unix": ${network}`],
    [{ limits: { deny: ["localhost"] } }, `limits.deny to "localhost": ${network}`],
    [
      { limits: { deny: wrong("10.0.0.0/8") } },
      'limits.deny to "10.0.0.0/8": accepted is a list; of each, a network such as 10.0.0.0/8 or ' +
      "2001:db8::/32, an address",
    ],
    [
      { limits: { atLimit: wrong("wait") } },
      'limits.atLimit to "wait": accepted is "refuse", "reset", "backlog" or { queue: 100, timeout: "5 seconds" }',
    ],
    [
      { limits: { atLimit: { queue: Infinity, timeout: 1 } } },
      'limits.atLimit to {"queue":null,"timeout":1}: accepted is "refuse", "reset", "backlog" or { queue: 100, ' +
      'timeout: "5 seconds" }',
    ],
    [
      { limits: { atLimit: { queue: 0, timeout: 1 } } },
      "limits.atLimit.queue to 0: accepted is an integer from 1, or Infinity",
    ],
    [{ limits: { atLimit: { queue: 5, timeout: 0 } } }, `limits.atLimit.timeout to 0: ${some}`],
    [{ limits: { busy: "x".repeat(513) } }, 'limits.busy to "513 bytes": accepted is at most 512 bytes'],
    [{ limits: { busy: wrong(5) } }, "limits.busy to 5: accepted is text or bytes"],
    [{ limits: { outboxHigh: -1 } }, "limits.outboxHigh to -1: accepted is an integer from 0, or Infinity"],
    [
      { limits: { outboxLow: 11, outboxHigh: 10 } },
      "limits.outboxLow to 11: accepted is at most limits.outboxHigh, 10",
    ],
    [{ limits: { maxFrame: 0 } }, "limits.maxFrame to 0: accepted is an integer from 1, or Infinity"],
    [{ limits: { memory: 0 } }, "limits.memory to 0: accepted is an integer from 1, or Infinity"],
    [{ limits: { maxInFlight: 0 } }, "limits.maxInFlight to 0: accepted is an integer from 1, or Infinity"],
    [{ limits: { overRate: wrong("slow") } }, 'limits.overRate to "slow": accepted is one of wait, close'],
    [{ limits: { minRate: -1 } }, "limits.minRate to -1: accepted is bytes a second, from 0"],
    [{ limits: { minRate: Infinity } }, "limits.minRate to Infinity: accepted is bytes a second, from 0"],
    [{ limits: wrong({ maxConnection: 5 }) }, "limits.maxConnection to 5: accepted is one of maxConnections, "],
    [{ limits: wrong(5) }, "limits to 5: accepted is a group of options"],
    [{ limits: wrong(null) }, "limits to null: accepted is a group of options"],
    [{ deadlines: { idle: 0 } }, `deadlines.idle to 0: ${some}`],
    [{ deadlines: { idle: NaN } }, `deadlines.idle to NaN: ${time}`],
    [{ deadlines: { idle: "-1 seconds" } }, `deadlines.idle to "-1 seconds": ${time}`],
    [{ deadlines: { firstFrame: wrong("10") } }, `deadlines.firstFrame to "10": ${time}`],
    [{ deadlines: { frame: wrong(null) } }, `deadlines.frame to null: ${time}`],
    [{ deadlines: { readIdle: 0 } }, `deadlines.readIdle to 0: ${some}`],
    [{ deadlines: { writeIdle: 0 } }, `deadlines.writeIdle to 0: ${some}`],
    [{ deadlines: { writeStall: 0 } }, `deadlines.writeStall to 0: ${some}`],
    [{ deadlines: { maxAge: 0 } }, `deadlines.maxAge to 0: ${some}`],
    [{ deadlines: { admit: 0 } }, `deadlines.admit to 0: ${some}`],
    [{ drain: { delay: -1 } }, `drain.delay to -1: ${time}`],
    [{ drain: { spread: NaN } }, `drain.spread to NaN: ${time}`],
    [{ drain: { timeout: -1 } }, `drain.timeout to -1: ${time}`],
    [{ deadlines: { close: -1 } }, `deadlines.close to -1: ${time}`],
    [{ deadlines: { linger: -1 } }, `deadlines.linger to -1: ${time}`],
    [{ deadlines: { grace: -1 } }, `deadlines.grace to -1: ${time}`],
    [{ deadlines: wrong({ idel: 5 }) }, "deadlines.idel to 5: accepted is one of close, linger, "],
    [{ heartbeat: { interval: 0 } }, `heartbeat.interval to 0: ${some}`],
    [{ heartbeat: { missed: 0 } }, "heartbeat.missed to 0: accepted is an integer from 1, or Infinity"],
    [{ heartbeat: { suspectAt: NaN } }, "heartbeat.suspectAt to NaN: accepted is a number"],
    [{ heartbeat: { loseAt: wrong("8") } }, 'heartbeat.loseAt to "8": accepted is a number'],
    [{ overload: { lag: 0 } }, `overload.lag to 0: ${some}`],
    [{ proxy: { trusted: [] } }, 'proxy.trusted to []: accepted is networks of proxies, or "unix"'],
    [
      { proxy: { trusted: ["all"] } },
      'proxy.trusted to "all": accepted is a network such as 10.0.0.0/8 or 2001:db8::/32, an address, or "unix"',
    ],
    [{ proxy: { trusted: wrong("unix") } }, 'proxy.trusted to "unix": accepted is a list; of each, a network such as'],
    [{ proxy: { ...proxy, timeout: 0 } }, `proxy.timeout to 0: ${some}`],
    [{ proxy: wrong({ trust: ["10.0.0.0/8"] }) }, "proxy.trust to"],
    [{ proxy: wrong(true) }, "proxy to true: accepted is a group of options"],
    [
      { preset: "behind-proxy" },
      'proxy to undefined: accepted is { trusted: ["10.0.0.0/8"] } or the like, with preset',
    ],
    [{ alarms: wrong({}) }, 'alarms to {}: accepted is a list such as [{ of: "memory", at: 0.9 }]'],
    [{ alarms: [wrong(5)] }, "alarms to 5: accepted is a group of options"],
    [{ alarms: [{ of: wrong("cpu"), at: 0.5 }] }, 'alarms.of to "cpu": accepted is one of maxConnections, memory'],
    [{ alarms: [{ of: "memory", at: 90 }] }, "alarms.at to 90: accepted is a share above 0 and up to 1"],
    [{ alarms: [{ of: "memory", at: 0.9, cooldown: NaN }] }, `alarms.cooldown to NaN: ${time}`],
    [{ admit: wrong("everybody") }, 'admit to "everybody": accepted is a function of a peer'],
    [wrong({ maxConnections: 5 }), "maxConnections to 5: accepted is one of preset, limits, deadlines, "],
  ])("%j is refused with its name, its value and what is accepted", (options, says) => {
    expect(said(options)).toContain(`Cannot set ${says}`)
  })

  it("names the setting for programs", () => {
    const error = new Server.SettingsError("limits.memory", -1, "an integer from 1")
    expect([error._tag, error.setting]).toEqual(["SettingsError", "limits.memory"])
  })
})

describe("networks", () => {
  const allows = (text: string, host: string): boolean =>
    Networks.includes(resolve({ limits: { allow: [text] } }, true).limits.allow!, Address.fromPeer(host, 1))

  it.each([
    ["10.0.0.0/8", "10.255.0.1", "11.0.0.1"],
    ["192.0.2.1", "192.0.2.1", "192.0.2.2"],
    ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"],
    ["::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"],
    ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1", "2001:db8::2"],
    ["2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"],
    ["0.0.0.0/0", "192.0.2.1", "2001:db8::1"],
    ["::/0", "2001:db8::1", "192.0.2.1"],
    ["fe80::/10", "fe80::1%eth0", "fec0::1%eth0"],
  ])("%s includes %s and not %s", (text, inside, outside) => {
    expect([allows(text, inside), allows(text, outside)]).toEqual([true, false])
  })

  it("nobody is in one without an address, and only Unix sockets are in unix", () => {
    const { trusted } = resolve({ proxy: { trusted: ["unix"] } }, true).proxy!
    const who = [undefined, Address.unix("/run/a.sock"), Address.tcp("127.0.0.1", 1)]
    expect(who.map((address) => Networks.includes(trusted, address))).toEqual([false, true, false])
  })
})

describe("presets", () => {
  it.each<[Tunables, boolean, Settings["preset"]]>([
    [{}, true, "local"],
    [{}, false, "internet"],
    [{ preset: "internal" }, true, "internal"],
    [{ preset: "behind-proxy", proxy }, true, "behind-proxy"],
  ])("%j, with only loopbacks: %s, is %s", (options, local, preset) => {
    expect(resolve(options, local).preset).toBe(preset)
  })

  it("all resolve, and no deadline is shorter than another one needs", () => {
    for (const preset of ["local", "internal", "behind-proxy", "internet", "edge"] as const) {
      const { deadlines, limits } = resolve({ preset, proxy }, false)
      expect(deadlines.frame).toBeLessThanOrEqual(
        deadlines.idle === Infinity ? Infinity : Math.max(deadlines.idle, deadlines.frame),
      )
      expect(limits.outboxLow).toBeLessThan(limits.outboxHigh)
      expect(limits.maxConnections).toBe(10_000)
      expect(limits.atLimit).toBe("refuse")
      expect(limits.maxRefusing).toBe(64)
    }
  })

  it("local surprises nobody who types: no rates, no cap per address, no first frame, idle 10 minutes", () => {
    const { limits, deadlines, overload } = resolve({}, true)
    expect(limits).toMatchObject({ acceptRate: undefined, maxConnectionsPerAddress: Infinity, rates: undefined })
    expect(deadlines).toMatchObject({ firstFrame: Infinity, frame: Infinity, idle: 600_000 })
    expect(overload.lag).toBe(Infinity)
  })

  it("internal is local with a first frame", () => {
    const { limits, deadlines } = resolve({ preset: "internal" }, false)
    expect(limits.maxConnectionsPerAddress).toBe(Infinity)
    expect(deadlines.firstFrame).toBe(30_000)
  })

  it("internet, behind-proxy and edge bound strangers", () => {
    for (const preset of ["internet", "behind-proxy", "edge"] as const) {
      const { limits, deadlines } = resolve({ preset, proxy }, false)
      expect(limits).toMatchObject({
        maxConnectionsPerAddress: 100,
        acceptRate: { perSecond: 1_000, burst: 2_000 },
        minRate: 240,
      })
      expect(deadlines).toMatchObject({ firstFrame: 10_000, frame: 30_000, idle: 300_000, writeStall: 30_000 })
    }
  })

  it("edge has 64 KiB frames, 256 KiB outboxes and 16 MiB in all", () => {
    expect(resolve({ preset: "edge" }, false).limits).toMatchObject({
      maxFrame: 65_536,
      outboxHigh: 262_144,
      memory: 16_777_216,
    })
  })

  it("are only defaults: what is said holds, and an option that is undefined is not said", () => {
    const options: Tunables = { preset: "edge", limits: { maxFrame: 10, memory: wrong(undefined) } }
    expect(resolve(options, false).limits).toMatchObject({ maxFrame: 10, memory: 16_777_216, outboxHigh: 262_144 })
  })

  it("whoever only says what is much unsent has not said what is little", () => {
    expect(resolve({ limits: { outboxHigh: 1_000 } }, true).limits.outboxLow).toBe(250)
  })
})

describe("what is said later", () => {
  it("stands in the place of what was said before, option by option", () => {
    const before: Tunables = { limits: { maxConnections: 1, maxRefusing: 2 }, deadlines: { idle: 5 }, proxy }
    const now: Tunables = { limits: { maxConnections: 3 }, proxy: { trusted: ["unix"] } }
    expect(merge(before, now)).toEqual({
      limits: { maxConnections: 3, maxRefusing: 2 },
      deadlines: { idle: 5 },
      proxy: { trusted: ["unix"] },
    })
  })
})
