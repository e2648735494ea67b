/**
 * How long people wait: response times at shares of what each server can do at most, as curves and as a table.
 */
import { chart, type Series } from "../../load/report/Chart.ts"
import { table } from "../../load/report/Markup.ts"
import * as Scale from "../../load/report/Scale.ts"
import * as Units from "../../load/Units.ts"
import { runtimes } from "../Bars.ts"
import { cellOf, estimated, type Figure, type Figures, named } from "../Figures.ts"
import type { Cell, RuntimeName } from "../Result.ts"
import { amount, intervalOf, runtimeNames } from "../Words.ts"

/** A chart for each runtime, of Anyport and of the hand-written server. */
export const curves = (figures: Figures): string =>
  runtimes.map((runtime) => curve(figures, runtime)).filter((chart) => chart !== "").join("\n")

const curve = (figures: Figures, runtime: RuntimeName): string => {
  const cells = latencyCells(figures)
  const series = [["", `anyport-${runtime}`], ["by hand ", `hand-${runtime}`]].flatMap(([name, id], who) =>
    (["p50", "p99"] as const).map((percentile, which): Series => ({
      name: `${name}${percentile}`,
      // The same colour for the same server.
      style: [[1, 4], [3, 2]][who]![which]!, // two of two
      values: cells.map((cell) => estimated(figures.of(cell.id, id!), named(percentile))?.median),
    }))
  ).filter(({ values }) => values.some((value) => value !== undefined))
  if (series.length === 0) return ""
  const shares = cells.map(({ share = 0 }) => share)
  const most = Math.max(...series.flatMap(({ values }) => values.filter((value) => value !== undefined)))
  const title = `Response time on ${runtimeNames[runtime]}`
  return chart({
    title,
    description: `${title}: medians of the trials, from the moment at which a request was due.`,
    x: {
      label: "of the highest rate of each server",
      scale: { at: (share) => Math.min(1, Math.max(0, share)), ticks: [0, ...shares, 1] },
      format: (share) => `${Math.round(share * 100)} %`,
    },
    y: {
      label: "medians of the trials",
      scale: Scale.linear(most),
      format: (micros) => micros === 0 ? "0" : Units.latency(micros),
    },
    places: shares,
    series,
  })
}

const latencyCells = ({ result }: Figures): ReadonlyArray<Cell> =>
  result.cells.filter(({ scenario, share }) => scenario === "latency" && share !== undefined)
    .toSorted((one, other) => one.share! - other.share!) // those that have one

/** The same in figures, and while some never read. */
export const latencies = (figures: Figures): string => {
  const frozen = cellOf(figures, { scenario: "frozen" })
  const cells = [...latencyCells(figures), ...frozen === undefined ? [] : [frozen]]
  const rows = figures.all.filter(({ cell }) => cells.includes(cell)).map((figure) => [
    figure.contender.title,
    `${Math.round((figure.cell.share ?? 0) * 100)} %${figure.cell === frozen ? ", 1 % never read" : ""}`,
    ...figure.blank === undefined ? percentiles(figure) : [figure.blank, "", "", "", "", "", ""],
  ])
  if (rows.length === 0) return ""
  const head = ["", "load", "requests", "p50", "p90", "p99", "p99.9", "longest", "service p99"]
  return table(head, rows, "llrrrrrrr")
}

const percentiles = (figure: Figure): ReadonlyArray<string> => [
  spell(figure, "achieved", "rate"),
  ...["p50", "p90"].map((name) => spell(figure, name, "micros")),
  interval(figure, "p99"),
  ...["p999", "max", "serviceP99"].map((name) => spell(figure, name, "micros")),
]

const spell = (figure: Figure, name: string, unit: "rate" | "micros"): string => {
  const found = estimated(figure, named(name))
  return found === undefined ? "–" : amount(found.median, unit)
}

const interval = (figure: Figure, name: string): string => {
  const found = estimated(figure, named(name))
  return found === undefined ? "–" : intervalOf(found, "micros")
}
