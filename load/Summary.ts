/**
 * A result as text for a terminal, at most about a hundred columns wide.
 */
import type { Distribution } from "./Distribution.ts"
import { histograms } from "./Recorder.ts"
import { remedy } from "./Remedy.ts"
import type { Result, Search } from "./Result.ts"
import { printable } from "./Text.ts"
import * as Units from "./Units.ts"

/** The text of a result. It ends with a line break. */
export const summary = (result: Result): string =>
  [
    title(result),
    verdict(result),
    rates(result),
    latencies(result),
    errors(result),
    thresholds(result.thresholds),
    result.search === undefined ? [] : search(result.search),
    generator(result),
  ].filter((lines) => lines.length > 0).map((lines) => lines.map((line) => `${line}\n`).join("")).join("\n")

type Lines = ReadonlyArray<string>

const title = ({ plan, measured, cut }: Result): Lines => {
  const connections = `${Units.count(plan.connections)} connection${plan.connections === 1 ? "" : "s"}`
  const deep = { closed: `, ${plan.inFlight} in flight on each`, open: `, up to ${plan.inFlight} in flight on each` }
  const of = plan.mode === "closed" || plan.mode === "open" ? deep[plan.mode] : ""
  const length = cut
    ? `ended early: ${Units.time(measured)} of ${Units.time(plan.duration)}`
    : `${Units.time(measured)} measured`
  return [printable(`${plan.target}  ${plan.mode}, ${connections}${of}, ${plan.framing}, ${length}`)]
}

/** What keeps a result from being believed, and what a reader ought to know. */
export const verdict = ({ valid, invalid, generatorBound, warnings }: Result): Lines => [
  ...valid ? [] : [
    "INVALID: the generator missed its schedule, so that this says nothing of the server",
    ...invalid.map((reason) => printable(`  ${reason}`)),
  ],
  ...generatorBound
    ? ["WARNING: the generator was the limit, not the server: a stronger one would measure more (--processes)"]
    : [],
  ...warnings.map((warning) => printable(`WARNING: ${warning}`)),
]

const rates = ({ rates, counts, measured, plan }: Result): Lines => {
  const each = (bytes: number): string => measured === 0 ? "" : `, ${Units.bytes((bytes * 1_000) / measured)}/s`
  const target = rates.target === undefined ? [] : [["target", Units.rate(rates.target), ""]]
  const unsent = counts.unsent === 0 ? "" : `, ${Units.count(counts.unsent)} never sent`
  return table([
    ...target,
    [
      "achieved",
      Units.rate(rates.achieved),
      `${Units.count(counts.replies)} replies, ${Units.bytes(counts.bytesReceived)}${each(counts.bytesReceived)}`,
    ],
    [
      "sent",
      Units.rate(rates.sent),
      `${Units.count(counts.sent)} requests, ${Units.bytes(counts.bytesSent)}${each(counts.bytesSent)}${unsent}`,
    ],
    [
      "connections",
      Units.count(counts.connections),
      [
        plan.mode === "churn"
          ? `${Units.count(plan.connections)} at once`
          : `${Units.count(counts.connected)} of ${Units.count(plan.connections)} when sending began`,
        ...counts.reconnects === 0 ? [] : [`${Units.count(counts.reconnects)} made again`],
        ...counts.heartbeats === 0 ? [] : [`${Units.count(counts.heartbeats)} heartbeats`],
      ].join(", "),
    ],
  ], "lrl")
}

/** Columns of the latency table, and how each is read. */
export const columns: ReadonlyArray<readonly [name: string, of: (distribution: Distribution) => number]> = [
  ["min", ({ min }) => min],
  ["mean", ({ mean }) => mean],
  ["p50", ({ p50 }) => p50],
  ["p90", ({ p90 }) => p90],
  ["p95", ({ p95 }) => p95],
  ["p99", ({ p99 }) => p99],
  ["p99.9", (distribution) => distribution["p99.9"]],
  ["p99.99", (distribution) => distribution["p99.99"]],
  ["max", ({ max }) => max],
]

/** What a latency is from and to. */
export const names: { readonly [N in typeof histograms[number]]: string } = {
  response: "response",
  service: "service",
  connect: "connect",
  firstByte: "first byte",
  lateness: "sent late",
}

const latencies = ({ latency, plan }: Result): Lines => {
  const rows = histograms.flatMap((name) => {
    const distribution = latency[name]
    if (distribution === undefined) return []
    return [[names[name], ...columns.map(([, of]) => Units.latency(of(distribution)))]]
  })
  if (rows.length === 0) return ["No latency was measured"]
  const note = plan.mode === "open"
    ? ["response: from the moment a request was due; service: from when it was sent"]
    : []
  return [...table([["latency", ...columns.map(([name]) => name)], ...rows], `l${"r".repeat(columns.length)}`), ...note]
}

const errors = ({ errors }: Result): Lines => {
  if (errors.total === 0) return ["No errors"]
  const kinds = Object.entries(errors.byKind).sort(([, one], [, other]) => other - one)
  const width = Math.max(...kinds.map(([, count]) => Units.count(count).length))
  return [
    `${Units.count(errors.total)} error${errors.total === 1 ? "" : "s"}, ${Units.share(errors.share)}`,
    ...kinds.flatMap(([kind, count]) => {
      const { meaning, remedy: advice } = remedy(kind)
      return [
        printable(`  ${Units.count(count).padStart(width)}  ${kind}: ${meaning}`),
        `  ${" ".repeat(width)}  → ${advice}`,
      ]
    }),
  ]
}

const thresholds = (thresholds: Result["thresholds"]): Lines =>
  table(thresholds.map(({ text, ok, actual }) => [ok ? "✓" : "✗", printable(text), printable(actual)]), "lll")

const limits: { readonly [L in Search["limit"]]: string } = {
  server: "above it thresholds failed",
  generator: "above it the generator was late: the server may well do more",
  ceiling: "which is the highest that was to be tried",
  runs: "the runs allowed were used up before it was known better",
  cut: "the search was ended early",
}

/** What a search has found, in a line. */
export const finding = ({ rate, limit, thresholds }: Search): string =>
  rate === undefined
    ? `No rate was found and confirmed at which ${thresholds} holds${limit === "server" ? "" : `: ${unfound[limit]}`}`
    : `Highest rate at which ${thresholds} holds: ${Units.rate(rate)}, confirmed; ${limits[limit]}`

const unfound: { readonly [L in Exclude<Search["limit"], "server">]: string } = {
  generator: "the generator was late, so that this says nothing of the server",
  ceiling: "the confirmation failed",
  runs: "the runs allowed were used up",
  cut: "the search was ended early",
}

const search = (search: Search): Lines => [
  printable(finding(search)),
  ...table(
    search.trials.map(({ rate, duration, confirmation, outcome, thresholds }) => [
      "",
      Units.rate(rate),
      Units.time(duration),
      outcome === "generator" ? "generator late" : outcome,
      printable(thresholds.map(({ text, actual }) => `${text}: ${actual}`).join(", ")),
      confirmation ? "confirmation" : "",
    ]),
    "lrrlll",
  ),
]

const generator = ({ generator, generators }: Result): Lines => {
  const { processes, cpuShare, cpuMillis, lagMax, latenessP99 } = generator
  const late = latenessP99 === undefined ? "" : `, p99 of lateness ${Units.latency(latenessP99)}`
  const on = new Set(
    generators.map(({ runtime, versions, platform, cpus }) =>
      `${runtime} ${versions[runtime] ?? ""}, ${platform}, ${cpus} CPUs`
    ),
  )
  return [
    `generator: ${processes === 1 ? "" : `${processes} processes, the busiest with `}${
      Units.share(cpuShare)
    } of a core` +
    ` (${Units.time(cpuMillis)} of CPU), tick late by up to ${Units.time(lagMax)}${late}`,
    ...[...on].map((one) => printable(`           ${one}`)),
  ]
}

/** Rows as lines, columns aligned to the left or to the right. */
const table = (rows: ReadonlyArray<ReadonlyArray<string>>, align: string): Lines => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows.map((row) =>
    row.map((cell, column) => align[column] === "r" ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))
      .join("  ").trimEnd()
  )
}
