/** What `anyport load` does to a server in its hostile modes, to both services at once. */
import { strict as assert } from "node:assert"
import type { Endings } from "../../../../../load/hostile/Hostile.ts"
import type { Scenario } from "../Scenario.ts"
import type { Target } from "../Target.ts"
import { type Attack, unleash } from "../unleash.ts"
import { only } from "./common.ts"

/** What came of so many of them at each service. */
const both = async (target: Target, attack: Omit<Attack, "service">) => {
  const outcomes = await Promise.all([
    unleash(target, { ...attack, service: "respond" }),
    unleash(target, { ...attack, service: "session" }),
  ])
  const sum = (of: (outcome: typeof outcomes[number]) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return {
    connections: sum(({ connections }) => connections),
    bytesSent: sum(({ bytesSent }) => bytesSent),
    bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    ended: (how: keyof Endings): number => sum(({ endings }) => endings[how]),
  }
}

/** Why the server's connections ended, once all of the attack have; the well-behaved clients that came along have left. */
const reasons = async (target: Target): Promise<Readonly<Record<string, number>>> =>
  (await target.reports(({ connections }) => connections === 1)).closed

/** The two that the attack brings along. */
const decent = 2

export const torn: Scenario = {
  name: "torn-frames",
  title: "F16, F17: frames cut at each place are answered, and half a frame behind them is a truncated one",
  act: async (target) => {
    const message = "cut me into two"
    const { connections, ended, bytesReceived } = await both(target, {
      mode: "torn-frames",
      connections: 10,
      duration: 2_000,
      message,
    })
    const closed = await reasons(target)
    only(closed, "truncated_frame", "peer_reset", "peer_closed")
    const whole = ended("finished")
    assert.ok(whole > 0, "none was cut at each place")
    assert.ok(closed["truncated_frame"]! >= whole, `${closed["truncated_frame"]} were truncated of ${whole}`)
    // One answer for each place but the first and the last, of each that the time was long enough for.
    const answers = whole * message.length * `echo: ${message}\n`.length
    assert.ok(bytesReceived >= answers, `${bytesReceived} bytes were answered, and not ${answers}`)
    return `${connections} cut at each place, ${closed["truncated_frame"]} truncated`
  },
}

export const garbage: Scenario = {
  name: "garbage",
  title: "F26: bytes by chance are lines like any others, or the end of their own connection",
  act: async (target) => {
    const { bytesSent, bytesReceived } = await both(target, { mode: "garbage", connections: 10, duration: 2_000 })
    const { handlerFailed, closed } = await target.reports(({ connections }) => connections === 1)
    // Within a frame, at the end: Bun takes some resets for FIN.
    only(closed, "peer_reset", "peer_closed", "truncated_frame", "decode_failed")
    assert.equal(handlerFailed, 0)
    assert.ok(bytesReceived > bytesSent / 2, `${bytesReceived} bytes were answered to ${bytesSent}`)
    return `${(bytesSent / 2 ** 20).toFixed(0)} MiB of garbage`
  },
}

export const oversize: Scenario = {
  name: "oversize",
  title: "F24: a line that never ends is cut at the longest, and whoever goes on sending is not read for ever",
  act: async (target) => {
    const { connections, ended } = await both(target, { mode: "oversize", connections: 4, duration: 2_000 })
    const closed = await reasons(target)
    // Those of the last moment had not sent enough.
    only(closed, "decode_failed", "peer_reset", "peer_closed", "truncated_frame")
    const cut = ended("finished") + ended("reset")
    assert.ok(cut > 0, "the server has ended none")
    assert.ok(closed["decode_failed"]! >= cut, `${closed["decode_failed"]} were cut, and not ${cut}`)
    return `${closed["decode_failed"]} of ${connections} cut`
  },
}

export const slowReading: Scenario = {
  name: "slow-reader",
  title: "F36: 10 that ask for as much as they can and read for a millisecond each second hold nobody up",
  // The system discards a reset that comes while nothing more can be received, and nobody may learn of it for long.
  server: { deadlines: { writeStall: "3 seconds" } },
  memory: 256, // of 640 MiB that are asked, what a collector leaves lying for a while
  act: async (target) => {
    const { bytesSent } = await both(target, { mode: "slow-reader", connections: 5, duration: 2_500 })
    only(await reasons(target), "peer_reset", "peer_closed", "truncated_frame", "write_stalled")
    return `${(bytesSent / 2 ** 20).toFixed(0)} MiB of requests`
  },
}

export const halfOpen: Scenario = {
  name: "half-open",
  title: "F12: 100 that are never heard of again, and answer no FIN, are ended by the idle deadline",
  server: { deadlines: { idle: "700 millis", linger: "200 millis" } },
  act: async (target) => {
    const { ended } = await both(target, { mode: "half-open", connections: 50, duration: 3_000 })
    const closed = await reasons(target)
    assert.deepEqual(closed, { idle_timeout: 100, peer_closed: decent })
    assert.equal(ended("survived"), 0)
    return "100 ended by idle_timeout"
  },
}

export const resets: Scenario = {
  name: "reset-storm",
  title: "F3, F40: thousands that ask, reset and come again leave nothing behind",
  act: async (target) => {
    const { connections } = await both(target, { mode: "reset-storm", connections: 10, duration: 2_000 })
    const all = connections + decent
    // Some runtimes do not know the connection of a client that has reset, only that there was one. Those that were cut
    // off while they connected are not counted as connected here.
    const { acceptFailed, closed, handlerFailed } = await target.reports(({ connections, opened, probed }) =>
      connections === 1 && opened - 1 + probed >= all
    )
    only(closed, "peer_closed", "peer_reset")
    assert.deepEqual({ acceptFailed, handlerFailed }, { acceptFailed: 0, handlerFailed: 0 })
    assert.ok(connections > 100, `only ${connections} came`)
    return `${connections} came and went`
  },
}
