/**
 * Which rows a page shows: of a cell its contenders, grouped by what they run on, with every trial as a dot. How a chart
 * is drawn stands in `Rows.ts`.
 */
import * as Scale from "../../load/report/Scale.ts"
import {
  cellOf,
  common,
  counts,
  cpu,
  estimated,
  type Figure,
  type Figures,
  grouped,
  type Measure,
  named,
  parts,
  rate,
  throughput,
  toHand,
  trialToHand,
  type Unit,
} from "../Figures.ts"
import type { Cell, Contender, Trial } from "../Result.ts"
import type { Interval } from "../Statistics.ts"
import { amount, intervalOf, place, short, tick } from "../Words.ts"
import { type Row, type RowChart, rowChart } from "./Rows.ts"

/** The colour of a contender, from 1. */
export const styleOf = (contender: Contender): number => styles[kindOf(contender)] ?? 5

/** Its family; a program that does nothing is of none. */
const kindOf = (contender: Contender): string => parts(contender)[0] === "empty" ? "empty" : contender.family

const styles: Readonly<Record<string, number>> = { anyport: 1, go: 2, c: 2, hand: 3, effect: 4 }

/** What the colours mean, in their order. */
export const colours: ReadonlyArray<string> = [
  "Anyport",
  "Go and C",
  "hand-written on the same runtime",
  "Effect's own socket server",
  "others",
]

/** All figures of a cell. */
export const inCell = (figures: Figures, cell: Cell | undefined): ReadonlyArray<Figure> =>
  figures.all.filter((figure) => figure.cell === cell)

/** How much of the hand-written servers' CPU time the others need, in the cell that all do. */
export const toHandWritten = (figures: Figures, inFlight: number): string => {
  const cell = cellOf(figures, common(inFlight))
  const compared = inCell(figures, cell).filter(({ contender }) =>
    figures.of(cell!.id, handId(contender)) !== undefined
  )
  const rows = compared.filter(({ contender }) => contender.family !== "hand").map((figure) =>
    row(figure, toHand(figures, figure), "times", (trial) => trialToHand(figures, figure, trial))
  )
  return chart({
    title: `Against the hand-written server, ${flight(inFlight)}`,
    description: "Hand-written CPU time over this one's, of the same round: 1 is equal, above is better.",
    mark: "point",
    label: "hand-written CPU time ÷ its own: 1 is equal, more is better",
    unit: "times",
    least: 1.1,
    line: { value: 1, name: "as the hand-written server" },
  }, rows)
}

const handId = ({ runtime }: Contender): string => `hand-${runtime}`

const flight = (inFlight: number): string => inFlight === 1 ? "one in flight" : `${inFlight} in flight`

/** CPU time a message of all contenders. */
export const cpuTimes = (figures: Figures, inFlight: number): string =>
  measured(inCell(figures, cellOf(figures, common(inFlight))), cpu, "micros", {
    title: `CPU time a message, ${flight(inFlight)}`,
    description: "CPU time of the server's process for each message; less is better.",
    label: "64-byte lines, 50 connections; less is better",
  })

/** Messages a second of all contenders, of those whose core was busy. */
export const throughputs = (figures: Figures, inFlight: number): string => {
  const rows = inCell(figures, cellOf(figures, common(inFlight))).map((figure): Named => {
    const found = throughput(figure)
    if (found === "generator-bound") return { ...row(figure, undefined, "rate", () => undefined), text: found }
    return row(figure, found, "rate", rate)
  })
  return chart({
    title: `Messages a second, ${flight(inFlight)}`,
    description: "Only of servers whose core was at least 95 % busy in the median trial; more is better.",
    mark: "bar",
    label: "64-byte lines, 50 connections; more is better",
    unit: "rate",
  }, rows)
}

/** Memory of idle connections. */
export const memory = (figures: Figures, connections: number): string =>
  measured(inCell(figures, cellOf(figures, { scenario: "idle", connections })), named("rss"), "bytes", {
    title: `Memory of an idle connection, of ${connections.toLocaleString("en-US")}`,
    description: "How much resident memory of the server's process grew by for each connection; less is better.",
    label: "resident memory for each; less is better",
  })

/** CPU time of a service of one's own, on each runtime. */
export const ownService = (figures: Figures): string => {
  const cell = cellOf(figures, { framing: "own" })
  return measured(inCell(figures, cell), cpu, "micros", {
    title: cell?.title ?? "",
    description: "CPU time of the server's process for each request; less is better.",
    label: "CPU time a request; less is better",
  })
}

/** What all trials of the first cell of a scenario measured. */
export const ofScenario = (
  figures: Figures,
  where: Parameters<typeof cellOf>[1],
  measure: Measure,
  unit: Unit,
  words: Words,
): string => measured(inCell(figures, cellOf(figures, where)), measure, unit, words)

interface Words {
  readonly title: string
  readonly description: string
  readonly label: string
}

const measured = (figures: ReadonlyArray<Figure>, measure: Measure, unit: Unit, words: Words): string =>
  chart(
    { ...words, mark: "bar", unit },
    figures.flatMap((figure) => {
      const isTold = figure.trials.some((trial) => measure(trial) !== undefined)
      return isTold || figure.trials.length === 0 ? [row(figure, estimated(figure, measure), unit, measure)] : []
    }),
  )

/** A row that knows its contender. */
type Named = Row & { readonly contender: Contender }

const row = (figure: Figure, found: Interval | undefined, unit: Unit, measure: Measure): Named => ({
  contender: figure.contender,
  name: fitting(short(figure.contender)),
  style: styleOf(figure.contender),
  figure: found,
  text: found === undefined ? "not shown, see below" : intervalOf(found, unit),
  dots: figure.trials.flatMap((trial) => {
    const value = measure(trial)
    return value === undefined ? [] : [{ value, title: said(trial, amount(value, unit)), isVoid: !counts(trial) }]
  }),
})

const said = (trial: Trial, value: string): string =>
  `round ${trial.round}: ${value}${counts(trial) ? "" : `; void: ${trial.void.join("; ")}`}`

const longest = 30

const fitting = (name: string): string => name.length <= longest ? name : `${name.slice(0, longest - 1)}…`

interface Look extends Words, Pick<RowChart, "mark"> {
  readonly unit: Unit
  /** What is on the axis at least. */
  readonly least?: number
  readonly line?: NonNullable<RowChart["line"]>
}

/** Nothing for no rows. */
const chart = ({ unit, least = 0, ...look }: Look, rows: ReadonlyArray<Named>): string => {
  if (rows.length === 0) return ""
  // A trial that does not count may lie anywhere; it does not decide how long the axis is.
  const values = rows.flatMap(({ figure, dots }) => [
    ...figure === undefined ? [] : [figure.high],
    ...dots.flatMap(({ isVoid, value }) => isVoid ? [] : [value]),
  ])
  const groups = inOrder(rows).map(([name, rows]) => ({ name, rows }))
  const found = rows.map(({ contender, text }) => `${contender.title}: ${text}`).join(". ")
  return rowChart({
    ...look,
    description: `${look.description} ${found}.`,
    scale: scaleOf(Math.max(least, 0, ...values), unit),
    format: (value) => tick(value, unit),
    groups,
  })
}

const scaleOf = (most: number, unit: Unit): Scale.Scale => {
  // Round numbers are round in the unit that is written.
  const one = unit === "bytes" && most >= 100_000 ? 2 ** 20 : 1
  const { at, ticks } = Scale.linear(most / one, 0, 4)
  return { at: (value) => at(value / one), ticks: ticks.map((tick) => tick * one) }
}

/** By what they run on, the three runtimes first, and within it ours first and then who it is to be compared with. */
export const inOrder = <A extends { readonly contender: Contender }>(
  all: ReadonlyArray<A>,
): ReadonlyArray<readonly [place: string, ReadonlyArray<A>]> =>
  [...grouped(all, ({ contender }) => place(contender))]
    .map(([name, group]) => [name, group.toSorted(by(families, ({ contender }) => kindOf(contender)))] as const)
    .toSorted(by(places, ([name]) => name))

const families: ReadonlyArray<string> = ["anyport", "hand", "naive", "node:net", "effect", "go", "c"]
const places: ReadonlyArray<string> = ["Node", "Bun", "Deno"]

/** What is not named in an order comes last. */
const by = <A>(order: ReadonlyArray<string>, nameOf: (value: A) => string) => (one: A, other: A): number => {
  const [first, second] = [one, other].map((value) => order.indexOf(nameOf(value)))
    .map((at) => at === -1 ? order.length : at)
  return first! - second!
}
