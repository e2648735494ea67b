/**
 * The picture of a README: CPU time a message of all who take part, one and 16 requests in flight, side by side. One SVG
 * that needs nothing else, with a ground of its own, so that it can be read on a light and on a dark page.
 */
import { coordinate, escape } from "../../load/report/Markup.ts"
import * as Scale from "../../load/report/Scale.ts"
import { cellOf, common, cpu, estimated, type Figure, type Figures, figures as figuresOf, parts } from "../Figures.ts"
import type { Contender, Result } from "../Result.ts"
import { amount, short, tick } from "../Words.ts"
import { colours, inCell, inOrder, styleOf } from "./Charts.ts"
import { marks } from "./Rows.ts"

const width = 820
const margin = 16
/** Where the names end. */
const names = 178
const gap = 22
const panelWidth = (width - margin - names - gap) / 2
/** Room behind the longest bar for its figure. */
const room = 60
const [top, rowHeight, groupGap, bottom] = [78, 19, 10, 62]

/** Someone in a picture, and where. */
interface Place {
  readonly contender: Contender
  readonly y: number
}

/** The picture of a result. */
export const picture = (result: Result): string => {
  const figures = figuresOf(result)
  const labels: Array<string> = []
  const places: Array<Place> = []
  let y = top
  for (const [name, group] of inOrder(takingPart(figures))) {
    labels.push(text("group", margin, y + 13, name))
    for (const { contender } of group) {
      labels.push(text("name end", names - 8, y + 13, short(contender)))
      places.push({ contender, y })
      y += rowHeight
    }
    y += groupGap
  }
  const end = y - groupGap
  const height = coordinate(end + bottom)
  const title = "CPU time a message"
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${title}"><title>${title}</title>
<style>${style}</style>
<rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${coordinate(end + bottom - 1)}" rx="8"/>
${text("title", margin, 30, title)}
${text("end", width - margin, 30, "64-byte lines, 50 connections; medians, less is better")}
${labels.join("\n")}
${
    [1, 16].map((inFlight, index) => panel(figures, inFlight, names + index * (panelWidth + gap), places, end)).join(
      "\n",
    )
  }
${legend(end + bottom - 16)}
</svg>
`
}

/** Contenders of one kind each; what else a service can do stands in the page. */
const takingPart = (figures: Figures): ReadonlyArray<Figure> => {
  const all = [1, 16].flatMap((inFlight) => inCell(figures, cellOf(figures, common(inFlight))))
    .filter(({ contender }) => !leftOut.includes(parts(contender)[0]))
  return [...new Map(all.map((figure) => [figure.contender.id, figure])).values()]
}

const leftOut = ["anyport-plain", "anyport-suspend", "anyport-policies", "effect-suspend"]

const panel = (figures: Figures, inFlight: number, left: number, places: ReadonlyArray<Place>, end: number): string => {
  const cell = cellOf(figures, common(inFlight))
  const found = places.map(({ contender, y }) => {
    const figure = cell === undefined ? undefined : figures.of(cell.id, contender.id)
    return { contender, y, figure: estimated(figure, cpu) }
  })
  const scale = Scale.linear(Math.max(0, ...found.map(({ figure }) => figure?.high ?? 0)), 0, 4)
  const x = (value: number): number => left + scale.at(value) * (panelWidth - room)
  const grid = scale.ticks.map((at) =>
    `<line class="grid" x1="${coordinate(x(at))}" y1="${top - 4}" x2="${coordinate(x(at))}" y2="${coordinate(end)}"/>` +
    text(at === 0 ? "" : "middle", x(at), end + 16, tick(at, "micros"))
  )
  const rows = found.map(({ contender, y, figure }) => {
    if (figure === undefined) return text("", left + 4, y + 13, "not measured")
    const mark = marks({ style: styleOf(contender), figure, dots: [] }, "bar", x, y + 9, 11)
    return mark + text("figure", x(Math.max(figure.median, figure.high)) + 6, y + 13, amount(figure.median, "micros"))
  })
  const heading = inFlight === 1 ? "one request in flight" : `${inFlight} requests in flight`
  return [text("group", left, top - 14, heading), ...grid, ...rows].join("\n")
}

const legend = (y: number): string => {
  let x = margin
  return colours.map((name, index) => {
    const swatch = `<rect class="b${index + 1} bar" x="${coordinate(x)}" y="${
      coordinate(y - 9)
    }" width="14" height="9"/>`
    const word = text("", x + 19, y, name)
    x += 19 + name.length * 6.6 + 18
    return swatch + word
  }).join("")
}

const text = (name: string, x: number, y: number, words: string): string =>
  `<text${name === "" ? "" : ` class="${name}"`} x="${coordinate(x)}" y="${coordinate(y)}">${escape(words)}</text>`

const style = `
text { font: 12.5px system-ui, "Segoe UI", sans-serif; fill: #59636e; font-variant-numeric: tabular-nums; }
.title { font-size: 17px; font-weight: 600; }
.group { font-weight: 600; }
.title, .group, .name, .figure { fill: #1b1f24; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.paper { fill: #fff; stroke: #d9dde2; } .grid { stroke: #e7eaee; } .whisker { stroke: #1b1f24; stroke-width: 1.2; }
.b1 { fill: #0072b2; } .b2 { fill: #d55e00; } .b3 { fill: #00845f; } .b4 { fill: #a6498a; } .b5 { fill: #7a828c; }
.bar { fill-opacity: .8; }
@media (prefers-color-scheme: dark) {
  text { fill: #a3adb8; }
  .title, .group, .name, .figure { fill: #e8ebef; }
  .paper { fill: #1a1e24; stroke: #343b44; } .grid { stroke: #2a3038; } .whisker { stroke: #e8ebef; }
  .b1 { fill: #56b4e9; } .b2 { fill: #f08c3a; } .b3 { fill: #2bc59b; } .b4 { fill: #e495c3; } .b5 { fill: #98a2ad; }
}
`
