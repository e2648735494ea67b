/**
 * Contenders by turns, as real processes: only one of them runs at a time, and whatever happens to one is its own affair.
 */
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import type { Program } from "../../bench/Contenders.ts"
import type { Generator } from "../../bench/Generator.ts"
import type { Loaded } from "../../bench/Load.ts"
import type { Tools } from "../../bench/trials/Trial.ts"
import { turns } from "../../bench/trials/turns.ts"
import { Random } from "../../load/Random.ts"

const hand: Program = {
  id: "hand-node",
  title: "Hand-written on Node",
  family: "hand",
  runtime: "node",
  command: "node bench/contenders/hand-node.ts",
  argv: ["node", "bench/contenders/hand-node.ts"],
  framing: "lines",
  prefix: "echo: ",
}
const none: Program = { ...hand, id: "none", argv: ["node", "-e", "process.exit(3)"] }

const cell = {
  id: "echo-lines-64-50x1",
  scenario: "echo",
  title: "",
  framing: "lines",
  size: 64,
  connections: 2,
  inFlight: 1,
  trials: 1,
  contenders: [],
} as const

const percentiles = { mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 }
const loaded = (messages: number): Loaded => ({
  messages,
  seconds: 1,
  generatorCpu: 0,
  errors: 0,
  sent: messages,
  replies: messages,
  response: percentiles,
  service: percentiles,
})

/** Whether a process is stopped (proc_pid_stat(5), field 3), or has ended. */
const isStopped = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2)[0] === "T"
  } catch {
    return true
  }
}

/** Whether of some processes only one goes on; a signal takes a moment. */
const isAlone = async (pid: number, pids: ReadonlyArray<number>): Promise<boolean> => {
  for (let look = 0; look < 100; look++) {
    if (pids.every((one) => isStopped(one) !== (one === pid))) return true
    await sleep(10)
  }
  return false
}

/** A generator that loads nobody, and notes whose turn it is and who is stopped then. */
const watching = (count: number, part: (pid: number, part: number) => void | Promise<void> = () => {}) => {
  const pids: Array<number> = []
  const played: Array<number> = []
  const alone: Array<boolean> = []
  const generator: Generator = {
    id: "c",
    title: "none",
    run: () => Promise.reject(new Error("nobody is loaded in one piece")),
    parts: ({ server }) => {
      const { pid } = server!
      pids.push(pid)
      let made = 0
      return Promise.resolve({
        count,
        next: async () => {
          played.push(pid)
          alone.push(await isAlone(pid, pids))
          await part(pid, made)
          return ++made === count ? loaded(made) : undefined
        },
        stop: () => Promise.resolve(),
      })
    },
  }
  const tools: Tools = {
    main: "cli/main.ts",
    generator,
    programs: new Map(),
    simulators: new Map(),
    pong: [],
    client: undefined,
    allowed: [],
    cpus: undefined,
  }
  return { alone, played, pids, tools }
}

const ask = (program: Program) => ({ cell, program, warmup: 0, seconds: 1, highest: undefined })
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("turns", () => {
  it("each contender has all of its parts, and all others are stopped meanwhile", async () => {
    const { alone, played, pids, tools } = watching(4)
    const outcomes = await turns([ask(hand), ask(hand), ask(hand)], tools, new Random(7))
    expect(outcomes.map((outcome) => outcome.status === "fulfilled" && outcome.value.measures["messages"])).toEqual(
      [4, 4, 4],
    )
    expect(alone).toEqual(played.map(() => true))
    for (const pid of pids) expect(played.filter((one) => one === pid)).toHaveLength(4)
    // By turns: nobody begins a part before all have made the one before.
    for (let turn = 0; turn < 4; turn++) expect(new Set(played.slice(3 * turn, 3 * turn + 3)).size).toBe(3)
    expect(pids.filter(isAlive)).toEqual([])
  })

  it("one that does not start is told apart from those that do", async () => {
    const { tools } = watching(2)
    const [first, second] = await turns([ask(none), ask(hand)], tools, new Random(7))
    expect(first).toMatchObject({ status: "rejected", reason: { message: expect.stringContaining("it ended with 3") } })
    expect(second).toMatchObject({ status: "fulfilled" })
  })

  it("one whose load fails, or whose server dies, has no more turns, and is not left behind", async () => {
    const { pids, played, tools } = watching(3, (pid, part) => {
      if (part === 1 && pid === pids[0]) throw new Error("connection lost")
      if (part === 2 && pid === pids[1]) process.kill(pid, "SIGKILL")
      return sleep(100)
    })
    const [first, second, third] = await turns([ask(hand), ask(hand), ask(hand)], tools, new Random(7))
    expect(first).toMatchObject({ status: "rejected", reason: { message: "connection lost" } })
    expect(played.filter((pid) => pid === pids[0])).toHaveLength(2)
    expect(second).toMatchObject({ status: "fulfilled", value: { problems: ["the server ended with SIGKILL"] } })
    expect(third).toMatchObject({ status: "fulfilled", value: { problems: [] } })
    expect(pids.filter(isAlive)).toEqual([])
  })
})
