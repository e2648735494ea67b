/**
 * What is asked of whom: the cells of the comparison as a table, and by which part of its name a contender is in one.
 * Nothing here knows in which order they come or what they take.
 */
import type { Cell, Contender } from "./Result.ts"

/** A cell before it is known who is there. */
export interface Draft {
  readonly cell: Omit<Cell, "trials" | "contenders">
  readonly takes: (contender: Contender) => boolean
  /** A bar stands on it, so that it gets more trials. */
  readonly bar: boolean
}

/** What a contender is without its runtime: `anyport-session` of `anyport-session-bun@1.3`. */
export const roleOf = ({ id, runtime }: Contender): string =>
  runtime === undefined ? id : id.replace(new RegExp(`-${runtime}(@.*)?$`), "")

const by = (...roles: ReadonlyArray<string>) => (contender: Contender): boolean => roles.includes(roleOf(contender))

/** Who does not answer lines, or is there to be compared in one scenario only. */
const elsewhere = by("anyport-length", "hand-length", "anyport-unpooled", "anyport-file", "empty", "service")

const linesAll = (contender: Contender): boolean => contender.family !== "generator" && !elsewhere(contender)

const kib = (bytes: number): string => bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KiB`

const many = (connections: number): string =>
  connections === 1 ? "1 connection" : `${connections.toLocaleString("en-US")} connections`

const echo = (
  framing: "lines" | "length",
  size: number,
  connections: number,
  inFlight: number,
  takes: Draft["takes"],
  bar: boolean,
): Draft => ({
  cell: {
    id: `echo-${framing}-${size}-${connections}x${inFlight}`,
    scenario: "echo",
    title: `${kib(size)} ${framing === "lines" ? "lines" : "with a length in front"}, ${many(connections)}, ` +
      `${inFlight} in flight`,
    framing,
    size,
    connections,
    inFlight,
  },
  takes,
  bar,
})

/** Whose highest rate the schedules of `latency` and `frozen` are shares of, as the id of a cell. */
export const highest = "echo-lines-64-50x1"

/** By which share of the connections of a `frozen` cell nothing is ever read. */
export const frozenShare = 0.01

const open = (scenario: "latency" | "frozen", share: number, connections: number): Draft => ({
  cell: {
    id: `${scenario}-${share * 100}`,
    scenario,
    title: scenario === "latency"
      ? `Response time at ${share * 100} % of the highest rate`
      : `Response time at ${share * 100} % of the highest rate, while 1 % of the connections never read`,
    framing: "lines",
    size: 64,
    connections,
    inFlight: 1,
    share,
  },
  takes: by("anyport", "hand"),
  bar: false,
})

const idle = (connections: number): Draft => ({
  cell: { id: `idle-${connections}`, scenario: "idle", title: `Memory of ${many(connections)} at rest`, connections },
  takes: by("anyport", "anyport-session", "hand"),
  bar: false,
})

const allocation = (inFlight: number): Draft => ({
  cell: {
    id: `allocation-50x${inFlight}`,
    scenario: "allocation",
    title: `Garbage of 64 B lines, 50 connections, ${inFlight} in flight`,
    framing: "lines",
    size: 64,
    connections: 50,
    inFlight,
  },
  takes: by("anyport", "anyport-unpooled", "hand"),
  bar: false,
})

const workers = (count: number): Draft => ({
  cell: {
    id: `workers-${count}`,
    scenario: "workers",
    title: `64 B lines, 50 connections, 16 in flight, ${count === 1 ? "1 worker" : `${count} workers`}`,
    framing: "lines",
    size: 64,
    connections: 50,
    inFlight: 16,
  },
  takes: by("anyport"),
  bar: false,
})

/** Of a cell of `workers`, how many there are. */
export const workersOf = (cell: Pick<Cell, "id">): number => Number(/^workers-(\d+)$/.exec(cell.id)?.[1] ?? 1)

const start: Draft = {
  cell: { id: "start", scenario: "start", title: "From the start of a process to its ready line" },
  takes: by("anyport", "anyport-file", "empty"),
  bar: false,
}

const grid: ReadonlyArray<Draft> = [64, 1_024, 16_384].flatMap((size) =>
  [1, 50, 1_000].flatMap((connections) =>
    [1, 16].map((inFlight) => {
      const everybody = size === 64 && connections === 50
      return echo("lines", size, connections, inFlight, everybody ? linesAll : by("anyport", "hand"), everybody)
    })
  )
)

/** The whole comparison. `cores`: how many CPUs servers may have beside the one of the generator. */
export const all = (cores: number): ReadonlyArray<Draft> => [
  ...grid,
  ...[1, 16].map((inFlight) => echo("length", 64, 50, inFlight, by("anyport-length", "hand-length"), false)),
  churn,
  ...[1, 16].map(allocation),
  ...cores < 2 ? [] : [1, 2].map(workers),
  ...[1_000, 10_000].map(idle),
  start,
  ...[0.25, 0.5, 0.75].map((share) => open("latency", share, 50)),
  open("frozen", 0.25, 100),
]

const churn: Draft = {
  cell: {
    id: "churn-50",
    scenario: "churn",
    title: "Connect, one 64 B line, close; 50 at a time",
    framing: "lines",
    size: 64,
    connections: 50,
    inFlight: 1,
  },
  takes: by("anyport", "hand"),
  bar: false,
}

/** Which cells `--quick` has, and who of them must be there; others come as time allows, in the order of {@link guests}. */
export const quick: { readonly cells: ReadonlyArray<string>; readonly roles: ReadonlyArray<string> } = {
  cells: ["echo-lines-64-50x1", "echo-lines-64-50x16", "idle-1000", "start"],
  roles: ["anyport", "hand", "anyport-file", "empty"],
}

/** Roles that are welcome in `--quick`, the most telling first. */
export const guests: ReadonlyArray<string> = ["custom", "c", "go", "anyport-session", "anyport-suspend", "effect"]

/** One's own service under one's own client. */
export const own = (service: string, client: string): Draft => ({
  cell: {
    id: "service",
    scenario: "echo",
    title: `${service} under ${client}`,
    framing: "own",
  },
  takes: by("service"),
  bar: false,
})

/** The simulators against each other, before one server: few sessions, and as many as one process is to hold. */
export const generators: ReadonlyArray<Draft> = [50, 2_000].map((sessions) => ({
  cell: {
    id: `generators-${sessions}`,
    scenario: "generator",
    title: `Who makes the load: ${sessions.toLocaleString("en-US")} sessions that ask and wait`,
    framing: "lines",
    connections: sessions,
    inFlight: 1,
  },
  takes: ({ family }) => family === "generator",
  bar: false,
}))
