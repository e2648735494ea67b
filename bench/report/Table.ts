/** A result as text for a terminal: of each cell who took part and what came of it, the verdict, and the bars. */
import { printable } from "../../load/Text.ts"
import { bars, byTitle } from "../Bars.ts"
import {
  estimated,
  type Figure,
  type Figures,
  figures as figuresOf,
  grouped,
  main,
  named,
  throughput,
  toHand,
} from "../Figures.ts"
import type { Result } from "../Result.ts"
import { choices, headline } from "../Verdict.ts"
import { amount, intervalOf, runtimeNames } from "../Words.ts"
import { outcomeOf } from "./Tables.ts"

type Lines = ReadonlyArray<string>

/** The text of a result. It ends with a line break. */
export const table = (result: Result): string => {
  const figures = figuresOf(result)
  return [
    ...[...grouped(figures.all, ({ cell }) => cell.id).values()].map((all) => cellLines(figures, all)),
    verdict(figures),
    barLines(figures),
    titled("Missing", result.missing.map(({ name, reason }) => `  ${name}: ${reason}`)),
  ].filter((lines) => lines.length > 0).map((lines) => lines.map((line) => `${printable(line)}\n`).join("")).join("\n")
}

const cellLines = (figures: Figures, all: ReadonlyArray<Figure>): Lines => {
  const { cell } = all[0]! // a group has one
  const { title, unit, of } = main(cell)
  const isLatency = cell.scenario === "latency" || cell.scenario === "frozen"
  const rows = all.map((figure) => {
    const [found, compared] = [estimated(figure, of), toHand(figures, figure)]
    // A reason may be long, and is the last of its line.
    if (found === undefined) return [`  ${figure.contender.title}`, "–", "", figure.blank ?? "not told"]
    return [
      `  ${figure.contender.title}`,
      intervalOf(found, unit),
      compared === undefined ? "" : intervalOf(compared, "times"),
      [isLatency ? latency(figure) : rate(figure), figure.warning ?? ""].filter((word) => word !== "").join("; "),
    ]
  })
  return [cell.title, ...aligned([["", title, "hand-written ÷ it", isLatency ? "p50, p99" : ""], ...rows])]
}

const latency = (figure: Figure): string =>
  ["p50", "p99"].map((name) => estimated(figure, named(name)))
    .map((found) => found === undefined ? "–" : amount(found.median, "micros")).join(", ")

const rate = (figure: Figure): string => {
  const found = throughput(figure)
  return found === undefined ? "" : typeof found === "string" ? found : amount(found.median, "rate")
}

const verdict = (figures: Figures): Lines =>
  titled("Verdict", [
    ...headline(figures).map((sentence) => `  ${sentence}`),
    ...choices(figures).map(({ subject, answer }) => `  ${subject}: ${answer}`),
  ])

const barLines = (figures: Figures): Lines => {
  const told = bars(figures).filter(({ outcome }) => outcome._tag !== "NotMeasured")
  const lines = [...byTitle(told)].flatMap(([title, bars]) => [
    `  ${title}`,
    ...bars.map((bar) => `    ${runtimeNames[bar.runtime].padEnd(5)} ${outcomeOf(bar)}${wanted(bar)}`),
  ])
  return titled("Bars", lines)
}

const wanted = ({ wanted, most, unit }: ReturnType<typeof bars>[number]): string =>
  wanted === undefined ? "" : `, wanted ${most ? "≤" : "≥"} ${amount(wanted, unit)}`

const titled = (title: string, lines: Lines): Lines => lines.length === 0 ? [] : [title, ...lines]

/** Rows as lines: the first column to the left, the last as it is. */
const aligned = (rows: ReadonlyArray<Lines>): Lines => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : column === row.length - 1 ? cell : cell.padStart(widths[column]!)
    ).join("  ").trimEnd()
  )
}
