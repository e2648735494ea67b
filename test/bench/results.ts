/** Results of comparisons as they might have been, for the tests of what is made of them: seeded, and without a run. */
import { type Cell, type Contender, format, type Result, type Trial, version } from "../../bench/Result.ts"
import { randomFrom } from "../core/random.ts"

const runtimes = ["node", "bun", "deno"] as const
type On = typeof runtimes[number]

const names: Record<On, string> = { node: "Node", bun: "Bun", deno: "Deno" }

/** CPU time a message of the hand-written servers, in microseconds, one in flight and 16. */
const hand: Record<On, readonly [number, number]> = { node: [6.4, 0.52], bun: [5.1, 0.47], deno: [6.3, 0.53] }

/** How much of it others need, one in flight and 16. */
const factors: Record<string, readonly [number, number]> = {
  "hand": [1, 1],
  "hand-length": [0.95, 0.8],
  "naive": [1.05, 7.5],
  "anyport": [1.04, 1.08],
  "anyport-plain": [1.05, 1.09],
  "anyport-session": [1.5, 1.55],
  "anyport-suspend": [1.6, 2.7],
  "anyport-policies": [1.06, 1.1],
  "anyport-unpooled": [1.1, 1.3],
  "anyport-length": [1, 0.9],
  "effect": [1.4, 1.9],
  "effect-suspend": [2.5, 4.5],
  "net": [1.6, 1.5],
}

const others: Record<string, readonly [number, number]> = {
  "go-seed": [9.8, 9.4],
  "go": [9.5, 9.1],
  "go-buffered": [9.3, 0.9],
  "c": [4.6, 0.41],
}

const titles: Record<string, string> = {
  "hand": "Hand-written on",
  "hand-length": "Hand-written, lengths, on",
  "naive": "A write a line on",
  "anyport": "Anyport on",
  "anyport-plain": "Anyport, plain functions, on",
  "anyport-session": "Anyport, a session, on",
  "anyport-suspend": "Anyport, a handler that suspends, on",
  "anyport-policies": "Anyport, all policies, on",
  "anyport-unpooled": "Anyport, without reuse, on",
  "anyport-length": "Anyport, lengths, on",
  "anyport-file": "Anyport, the one file, on",
  "empty": "An empty program on",
  "effect": "Effect's socket server on",
  "effect-suspend": "Effect's socket server, suspending, on",
  "net": "node:net under",
}

const family = (what: string): Contender["family"] => {
  if (what.startsWith("anyport")) return "anyport"
  if (what.startsWith("hand")) return "hand"
  if (what.startsWith("effect")) return "effect"
  if (what === "empty") return "hand" // it serves nobody
  return what === "naive" ? "naive" : what === "net" ? "node:net" : "custom"
}

const ours = Object.keys(titles).flatMap((what) =>
  runtimes.filter((on) => what !== "net" || on !== "node").map((on): Contender => ({
    id: `${what}-${on}`,
    title: `${titles[what]} ${names[on]}`,
    family: family(what),
    runtime: on,
    command: `${on} ${what}.ts`,
  }))
)

const foreign: ReadonlyArray<Contender> = [
  { id: "go-seed", title: "Go, as it is taught", family: "go", command: "go-seed {port}" },
  { id: "go", title: "Go, without the log line", family: "go", command: "go {port}" },
  { id: "go-buffered", title: "Go, one write a chunk", family: "go", command: "go-buffered {port}" },
  { id: "c", title: "C with epoll", family: "c", command: "echo {port}" },
]

const simulators: ReadonlyArray<Contender> = ["c-client", "load-node", "load-bun", "load-deno", "simulator", "redis"]
  .map((id) => ({ id, title: `Simulator ${id}`, family: "generator", command: id }))

/** What a made-up comparison was like. */
export interface Story {
  readonly seed?: number
  /** Only these contenders. Default all. */
  readonly takes?: (id: string) => boolean
  /** Only these cells. Default all. */
  readonly cells?: (id: string) => boolean
  /** All CPU times are so often what they would have been. Default 1. */
  readonly slower?: (contender: string) => number
  /** The noise of a trial, as a share. Default 0.015. */
  readonly noise?: number
  /** How often, of a hundred trials, one is void. Default 3. */
  readonly voids?: number
  /** Trials of a cell. Default 7 where all take part, else 5. */
  readonly trials?: number
}

/** A finished comparison. */
export const result = (story: Story = {}): Result => {
  const { seed = 1, takes = () => true, cells: wanted = () => true, noise = 0.015, voids = 3 } = story
  const draw = randomFrom(seed)
  const uniform = (): number => (draw(1_000_000) + 0.5) / 1_000_000
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  const around = (value: number, share = noise): number => value * Math.exp(share * normal())
  const contenders = [...ours, ...foreign, ...simulators].filter(({ id }) => takes(id))
  const is = (...whats: ReadonlyArray<string>) => (id: string): boolean =>
    whats.some((what) => runtimes.some((on) => id === `${what}-${on}`))
  const cell = (one: Omit<Cell, "trials" | "contenders">, of: (id: string) => boolean, trials = 5): Cell => ({
    ...one,
    trials: story.trials ?? trials,
    contenders: contenders.filter(({ id }) => of(id)).map(({ id }) => id),
  })
  const lines = (id: string): boolean =>
    !is("hand-length", "anyport-length", "anyport-unpooled", "anyport-file", "empty")(id) &&
    !simulators.some((one) => one.id === id)
  const grid = [64, 1_024, 16_384].flatMap((size) =>
    [1, 50, 1_000].flatMap((connections) =>
      [1, 16].map((inFlight) =>
        cell(
          {
            id: `echo-lines-${size}-${connections}x${inFlight}`,
            scenario: "echo",
            title: `${size < 1_024 ? `${size} B` : `${size / 1_024} KiB`} lines, ${
              connections === 1 ? "1 connection" : `${connections.toLocaleString("en-US")} connections`
            }, ${inFlight} in flight`,
            framing: "lines",
            size,
            connections,
            inFlight,
          },
          size === 64 && connections === 50 ? lines : is("anyport", "hand"),
          size === 64 && connections === 50 ? 7 : 5,
        )
      )
    )
  )
  const small = { framing: "lines", size: 64, connections: 50, inFlight: 1 } as const
  const response = "Response time at"
  const cells = [
    ...grid,
    ...[1, 16].map((inFlight) =>
      cell({
        ...small,
        inFlight,
        id: `echo-length-64-50x${inFlight}`,
        scenario: "echo",
        title: `64 B with a length in front, 50 connections, ${inFlight} in flight`,
        framing: "length",
      }, is("anyport-length", "hand-length"))
    ),
    cell(
      { ...small, id: "churn-50", scenario: "churn", title: "Connect, one 64 B line, close; 50 at a time" },
      is("anyport", "hand"),
    ),
    ...[1, 16].map((inFlight) =>
      cell({
        ...small,
        inFlight,
        id: `allocation-50x${inFlight}`,
        scenario: "allocation",
        title: `Garbage of 64 B lines, 50 connections, ${inFlight} in flight`,
      }, is("anyport", "anyport-unpooled", "hand"))
    ),
    ...[1_000, 10_000].map((connections) =>
      cell({
        id: `idle-${connections}`,
        scenario: "idle",
        title: `Memory of ${connections.toLocaleString("en-US")} connections at rest`,
        connections,
      }, is("anyport", "anyport-session", "hand"))
    ),
    cell(
      { id: "start", scenario: "start", title: "From the start of a process to its ready line" },
      is("anyport", "anyport-file", "empty"),
    ),
    ...[0.25, 0.5, 0.75].map((share) =>
      cell({
        ...small,
        id: `latency-${share * 100}`,
        scenario: "latency",
        title: `${response} ${share * 100} % of the highest rate`,
        share,
      }, is("anyport", "hand"))
    ),
    cell({
      ...small,
      connections: 100,
      id: "frozen-25",
      scenario: "frozen",
      title: `${response} 25 % of the highest rate, while 1 % of the connections never read`,
      share: 0.25,
    }, is("anyport", "hand")),
    cell({
      id: "generators-50",
      scenario: "generator",
      title: "Who makes the load: 50 sessions that ask and wait",
      framing: "lines",
      connections: 50,
      inFlight: 1,
    }, (id) => simulators.some((one) => one.id === id)),
  ].filter(({ id, contenders }) => wanted(id) && contenders.length > 0)

  const byId = new Map(contenders.map((contender) => [contender.id, contender]))
  const cost = (id: string, { inFlight = 1, size = 64, connections = 50 }: Cell): number => {
    const deep = inFlight === 16 ? 1 : 0
    const runtime = byId.get(id)?.runtime
    const base = runtime === undefined
      ? (others[id] ?? [8, 8])[deep]!
      : hand[runtime][deep]! * (factors[id.slice(0, id.lastIndexOf("-"))] ?? [1, 1])[deep]!
    const many = connections === 1_000 ? 1.18 : connections === 1 ? 1.3 : 1
    return base * many * (1 + (size - 64) / (deep === 1 ? 900 : 6_000)) * (story.slower?.(id) ?? 1)
  }

  const measured = (cell: Cell, id: string): Record<string, number> => {
    const { scenario, connections = 50 } = cell
    const on = byId.get(id)?.runtime ?? "node"
    const at = runtimes.indexOf(on)
    if (scenario === "idle") {
      const base = [7_400, 6_900, 12_900][at]! * (id.includes("session") ? 1.5 : id.startsWith("hand") ? 1.1 : 1)
      const rss = around(base * (connections === 1_000 ? 1.2 : 1), 0.03)
      return { rss, heap: rss * 0.4, external: rss * 0.1 }
    }
    if (scenario === "start") {
      const kind = id.startsWith("empty") ? 0 : id.includes("file") ? 1 : 2
      const seconds = [[0.032, 0.149, 0.31], [0.022, 0.113, 0.19], [0.037, 0.175, 0.4]][at]![kind]!
      const mib = [[46, 64, 83], [30, 53, 74], [40, 59, 80]][at]![kind]!
      return { seconds: around(seconds, 0.02), rss: around(mib * 2 ** 20, 0.005) }
    }
    const seconds = around(2, 0.001)
    if (scenario === "generator") {
      const fine = id === "c-client" ? 60 : id === "simulator" ? 900 : 140
      const messages = Math.round(seconds * (id === "simulator" ? 21_000 : id === "c-client" ? 98_000 : 60_000))
      const sessions = 50
      return {
        ...{ messages, seconds, serverCpu: messages * 6e-6, generatorCpu: messages * around(fine / 10) * 1e-6 },
        ...{ sessions, mean: around(fine), p99: around(fine * 3), errors: id === "redis" ? 2 : 0 },
      }
    }
    const each = around(cost(id, cell)) * (scenario === "churn" ? 14 : 1) * 1e-6
    const generator = around(cell.inFlight === 16 ? 0.35 : 5.4) * (scenario === "churn" ? 10 : 1) * 1e-6
    const share = cell.share ?? 1
    const rate = share < 1 ? share / each : Math.min(0.985 / each, 0.97 / generator)
    const messages = Math.round(rate * seconds)
    const base = {
      ...{ messages, seconds, serverCpu: messages * each, generatorCpu: messages * generator },
      ...{ elsewhere: 0.004, stolen: 0.001 },
    }
    if (scenario === "allocation") {
      const heap = (id.includes("unpooled") ? 720 : id.startsWith("hand") ? 420 : 460) *
        (cell.inFlight === 16 ? 0.8 : 1)
      return on === "bun" ? base : {
        ...base,
        ...{ heapPerMessage: around(heap), collecting: around(0.013, 0.1), collections: 30 },
      }
    }
    if (share === 1) return base
    const p50 = around(60 / (1 - share), 0.05)
    const p99 = around(p50 * [3.1, 2.4, 4.2][at]!, 0.08)
    return {
      ...base,
      ...{ target: rate, achieved: around(rate * 0.998, 0.0005), p50, p90: p50 * 1.7, p99, p999: p99 * 2.6 },
      ...{ max: around(p99 * 8, 0.5), serviceP50: p50 * 0.8, serviceP99: p99 * 0.7 },
    }
  }

  const rounds = Math.max(0, ...cells.map(({ trials }) => trials))
  let clock = Date.UTC(2026, 10, 25, 9, 30)
  const now = (): string => new Date(clock += 3_700).toISOString()
  const make = (cell: Cell, id: string, round: number, reasons: ReadonlyArray<string>): Trial => {
    const measures = measured(cell, id)
    const bound = ["echo", "churn"].includes(cell.scenario) &&
      measures["serverCpu"]! / measures["seconds"]! < 0.95
    const spoilt = reasons.length > 0 && measures["serverCpu"] !== undefined
      ? { ...measures, serverCpu: measures["serverCpu"] * 1.12, elsewhere: 0.19 }
      : measures
    return {
      ...{ cell: cell.id, contender: id, round, startedAt: now(), void: reasons },
      ...{ notes: bound ? ["generator-bound"] : [], measures: spoilt },
    }
  }
  const trials: Array<Trial> = []
  const again: Array<() => Trial> = []
  for (let round = 1; round <= rounds; round++) {
    for (const cell of cells.filter(({ trials }) => round <= trials)) {
      for (const id of cell.contenders) {
        const isVoid = uniform() * 100 < voids
        trials.push(make(cell, id, round, isVoid ? ["others took 9.4 % of the server's core, allowed is 5.0 %"] : []))
        if (isVoid) again.push(() => make(cell, id, round, []))
      }
    }
  }
  trials.push(...again.map((repeat) => repeat()))

  return {
    format,
    version,
    startedAt: "2026-11-25T09:30:00.000Z",
    finishedAt: now(),
    command: "anyport bench --seed 17",
    seed: 17,
    quick: false,
    generator: "C client (gcc 12.2.0)",
    machine: {
      ...{ CPU: "Intel(R) Xeon(R) Processor @ 2.80GHz", cores: "2, of which this process may use 2" },
      ...{ memory: "7.8 GiB", "swap in use": "there is none", kernel: "Linux 6.8.0 x64", container: "no limits" },
      ...{ OS: "Debian GNU/Linux 12", virtualization: "a virtual machine", descriptors: "1048576" },
      ...{ "net.core.somaxconn": "4096", network: "loopback", placement: "server on CPU 0, generator on CPU 1" },
      trial: "1 s of load before, 2 s measured",
    },
    versions: {
      ...{ anyport: "0.1.0", commit: "0123456789abcdef", node: "24.21.0", bun: "1.4.5", deno: "2.9.5" },
      ...{ effect: "4.1.0", gcc: "12.2.0", go: "1.19.8" },
    },
    missing: [{ name: "workers 1 and 2", reason: "the machine has two cores, and the generator needs one" }],
    contenders,
    cells,
    trials,
  }
}

/** The common cells of these contenders, one in flight and 16, without noise and without void trials. */
export const quiet = (...ids: ReadonlyArray<string>): Result =>
  result({
    takes: (id) => ids.includes(id),
    cells: (id) => id.startsWith("echo-lines-64-50x"),
    noise: 0,
    voids: 0,
  })

/** The result with some of its trials changed: what is given back replaces a trial, and undefined removes it. */
export const altered = (result: Result, change: (trial: Trial) => Trial | undefined): Result => ({
  ...result,
  trials: result.trials.flatMap((trial) => change(trial) ?? []),
})

/** The trial with its server's CPU time multiplied. */
export const slowed = (trial: Trial, factor: number): Trial => ({
  ...trial,
  measures: { ...trial.measures, serverCpu: trial.measures["serverCpu"]! * factor },
})
