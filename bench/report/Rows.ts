/**
 * A chart of rows as inline SVG: a name and its figure on one line, and below it, on an axis from 0, a bar or a point with
 * its interval and every trial as a dot. It needs no script; what a dot is shows when a pointer rests on it.
 */
import { coordinate, escape } from "../../load/report/Markup.ts"
import type { Scale } from "../../load/report/Scale.ts"
import type { Interval } from "../Statistics.ts"

/** One row. */
export interface Row {
  readonly name: string
  /** Its colour, from 1. */
  readonly style: number
  /** Undefined where there is no figure; `text` then says why. */
  readonly figure: Interval | undefined
  readonly text: string
  readonly dots: ReadonlyArray<Dot>
}

/** A trial. */
export interface Dot {
  readonly value: number
  /** What it is, in words. */
  readonly title: string
  /** It does not count, and is grey. */
  readonly isVoid: boolean
}

/** A chart. */
export interface RowChart {
  readonly title: string
  /** In words, for who does not see it. */
  readonly description: string
  /** A bar from 0, or a point. */
  readonly mark: "bar" | "point"
  /** What is measured, with the unit unless the ticks have it. */
  readonly label: string
  /** From 0. */
  readonly scale: Scale
  readonly format: (value: number) => string
  readonly groups: ReadonlyArray<{ readonly name: string; readonly rows: ReadonlyArray<Row> }>
  /** A vertical line, such as at 1. */
  readonly line?: { readonly value: number; readonly name: string }
}

// In units of the drawing, which is scaled to its column.
const width = 460
const [left, right, top, bottom] = [10, 14, 8, 42]
const heading = 27
const rowHeight = 35

/** A figure with the chart and its title. */
export const rowChart = (chart: RowChart): string => {
  const { title, description, groups } = chart
  const x = (value: number): number => left + chart.scale.at(value) * (width - left - right)
  let y = top
  const drawn = groups.map(({ name, rows }) => {
    const head = name === ""
      ? ""
      : `<text class="group" x="${left}" y="${coordinate((y += heading) - 8)}">${escape(name)}</text>`
    return head + rows.map((row) => {
      const lines = one(row, chart.mark, x, y)
      y += rowHeight
      return lines
    }).join("\n")
  })
  const height = y + bottom
  return `<figure class="rows">
<figcaption>${escape(title)}</figcaption>
<svg viewBox="0 0 ${width} ${coordinate(height)}" role="img" aria-label="${escape(title)}"><desc>${
    escape(description)
  }</desc>
${axis(chart, x, y)}
${drawn.join("\n")}
</svg>
</figure>`
}

type Place = (value: number) => number

const one = ({ name, style, figure, text, dots }: Row, mark: RowChart["mark"], x: Place, y: number): string =>
  `<text class="name" x="${left}" y="${coordinate(y + 14)}">${escape(name)}</text>` +
  `<text class="end" x="${width - right}" y="${coordinate(y + 14)}">${escape(text)}</text>` +
  marks({ style, figure, dots }, mark, x, y + 25, 10)

/** The bar or point of a row, its interval and its trials, around a middle line. */
export const marks = (
  { style, figure, dots }: Pick<Row, "style" | "figure" | "dots">,
  mark: RowChart["mark"],
  x: Place,
  y: number,
  thick: number,
): string => {
  const half = thick / 2
  const spots = dots.map(({ value, title, isVoid }) =>
    `<circle class="${isVoid ? "void" : `d${style} dot`}" cx="${coordinate(x(value))}" cy="${coordinate(y)}" r="2.4">` +
    `<title>${escape(title)}</title></circle>`
  ).join("")
  if (figure === undefined) return spots
  const [median, low, high] = [figure.median, figure.low, figure.high].map((value) => coordinate(x(value)))
  const from = coordinate(x(0))
  const drawn = mark === "point" ? "" : `<rect class="b${style} bar" x="${from}" y="${coordinate(y - half)}" width="${
    // What is something is seen.
    coordinate(Math.max(1, x(figure.median) - x(0)))}" height="${coordinate(thick)}"/>`
  const line = (at: string, size: number): string =>
    `<line class="whisker" x1="${at}" y1="${coordinate(y - size)}" x2="${at}" y2="${coordinate(y + size)}"/>`
  const whole = `<line class="whisker" x1="${low}" y1="${coordinate(y)}" x2="${high}" y2="${coordinate(y)}"/>`
  const middle = mark === "point"
    ? `<line class="middle-mark m${style}" x1="${median}" y1="${coordinate(y - half)}" x2="${median}" y2="${
      coordinate(y + half)
    }"/>`
    : ""
  return drawn + whole + line(low!, half * 0.6) + line(high!, half * 0.6) + middle + spots
}

const axis = ({ scale, format, label, line }: RowChart, x: Place, bottomOfRows: number): string => {
  const end = coordinate(bottomOfRows)
  const ticks = scale.ticks.map((tick) => {
    const at = coordinate(x(tick))
    // The last one has the border beside it.
    const align = tick === scale.ticks.at(-1) ? "end" : tick === 0 ? "" : "middle"
    return `<line class="grid" x1="${at}" y1="${top}" x2="${at}" y2="${end}"/>` +
      `<text class="tick ${align}" x="${at}" y="${coordinate(bottomOfRows + 17)}">${escape(format(tick))}</text>`
  })
  const at = line === undefined ? "" : coordinate(x(line.value))
  return [
    ...ticks,
    ...line === undefined ? [] : [
      `<line class="reference" x1="${at}" y1="${top}" x2="${at}" y2="${end}"><title>${
        escape(line.name)
      }</title></line>`,
    ],
    `<text class="label end" x="${width - right}" y="${coordinate(bottomOfRows + 36)}">${escape(label)}</text>`,
  ].join("\n")
}
