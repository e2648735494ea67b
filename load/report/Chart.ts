/**
 * A chart as inline SVG. It needs no script: the figures of a place show when a pointer is over it, by style alone.
 */
import { coordinate, escape } from "./Markup.ts"
import type { Scale } from "./Scale.ts"

/** What an axis shows. */
export interface Axis {
  /** With the unit, unless the ticks have it. */
  readonly label: string
  readonly scale: Scale
  readonly format: (value: number) => string
}

/** A line, or bars. */
export interface Series {
  readonly name: string
  /** Its colour and dash, from 1: the same one for the same thing in all charts. */
  readonly style: number
  readonly bars?: boolean
  /** One for each place; undefined where there is no value. */
  readonly values: ReadonlyArray<number | undefined>
}

/** A chart. */
export interface Chart {
  readonly title: string
  /** In words, for who does not see it. */
  readonly description: string
  readonly x: Axis
  readonly y: Axis
  /** Of the values, on the axis of x. */
  readonly places: ReadonlyArray<number>
  readonly series: ReadonlyArray<Series>
  /** A horizontal line, of a limit. */
  readonly limit?: { readonly value: number; readonly name: string }
}

// In units of the drawing, which is scaled to its column.
const width = 460
const height = 274
const left = 66
const right = 14
const top = 26
const bottom = 50
/** About, and with the larger letters of a phone. */
const characterWidth = 10

/** A figure with the chart, its title and its legend. */
export const chart = (chart: Chart): string => {
  const { title, description, x, y, places, series } = chart
  const h = (value: number): number => left + x.scale.at(value) * (width - left - right)
  const v = (value: number): number => height - bottom - y.scale.at(value) * (height - top - bottom)
  return `<figure>
<figcaption>${escape(title)}</figcaption>
${legend(series)}
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}"><desc>${escape(description)}</desc>
${grid(chart, h, v)}
${series.map((one) => one.bars === true ? bars(one, places, h, v) : line(one, places, h, v)).join("\n")}
${limit(chart, v)}${hovers(chart, h, v)}
</svg>
</figure>`
}

type Place = (value: number) => number

const legend = (series: ReadonlyArray<Series>): string => {
  const items = series.map(({ name, style, bars }) => {
    const mark = bars === true
      ? `<rect class="b${style}" x="4" y="1" width="14" height="8"/>`
      : `<line class="s${style}" x1="0" y1="5" x2="22" y2="5"/>`
    return `<li><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true">${mark}</svg>${escape(name)}</li>`
  })
  return `<ul class="legend">${items.join("")}</ul>`
}

const grid = ({ x, y }: Chart, h: Place, v: Place): string => {
  const [x1, x2, y1, y2] = [left, width - right, top, height - bottom].map(coordinate)
  const rows = y.scale.ticks.map((tick) => {
    const at = coordinate(v(tick))
    return `<line class="grid" x1="${x1}" y1="${at}" x2="${x2}" y2="${at}"/>` +
      `<text class="tick end" x="${coordinate(left - 7)}" y="${coordinate(v(tick) + 4)}">${
        escape(y.format(tick))
      }</text>`
  })
  let taken = 0
  const columns = x.scale.ticks.map((tick) => {
    const at = h(tick)
    const text = x.format(tick)
    const half = (text.length * characterWidth) / 2
    // Beside the right border there is no room for half of it.
    const middle = Math.min(at, width - half)
    const drawn = `<line class="grid" x1="${coordinate(at)}" y1="${y1}" x2="${coordinate(at)}" y2="${y2}"/>`
    if (middle - half < taken) return drawn
    taken = middle + half
    return `${drawn}<text class="tick middle" x="${coordinate(middle)}" y="${coordinate(height - bottom + 21)}">` +
      `${escape(text)}</text>`
  })
  const labels = [
    `<text class="label middle" x="${coordinate((left + width - right) / 2)}" y="${coordinate(height - 8)}">` +
    `${escape(x.label)}</text>`,
    `<text class="label end above" x="${coordinate(width - right)}" y="${coordinate(top - 10)}">${
      escape(y.label)
    }</text>`,
  ]
  return [...rows, ...columns, `<line class="axis" x1="${x1}" y1="${y2}" x2="${x2}" y2="${y2}"/>`, ...labels].join("\n")
}

const line = ({ style, values }: Series, places: ReadonlyArray<number>, h: Place, v: Place): string => {
  let path = ""
  const alone: Array<string> = []
  for (const [index, place] of places.entries()) {
    const value = values[index]
    if (value === undefined) continue
    const [x, y] = [coordinate(h(place)), coordinate(v(value))]
    const begins = values[index - 1] === undefined
    path += `${begins ? "M" : "L"}${x} ${y}`
    if (begins && values[index + 1] === undefined) alone.push(`<circle class="d${style}" cx="${x}" cy="${y}" r="3"/>`)
  }
  return `<path class="s${style}" d="${path}"/>${alone.join("")}`
}

const bars = ({ style, values }: Series, places: ReadonlyArray<number>, h: Place, v: Place): string => {
  const bottom = v(0)
  return places.map((place, index) => {
    const value = values[index]
    if (value === undefined || value === 0) return ""
    const from = h(places[index - 1] ?? 0)
    // What is something is seen.
    const y = Math.min(v(value), bottom - 1)
    const wide = Math.max(1, (h(place) - from) * 0.8)
    return `<rect class="b${style}" x="${coordinate(h(place) - wide)}" y="${coordinate(y)}" width="${
      coordinate(wide)
    }" height="${coordinate(bottom - y)}"/>`
  }).join("")
}

const limit = ({ limit }: Chart, v: Place): string => {
  if (limit === undefined) return ""
  const y = coordinate(v(limit.value))
  return `<line class="limit" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/>` +
    `<text class="tick" x="${left + 5}" y="${coordinate(v(limit.value) - 5)}">${escape(limit.name)}</text>\n`
}

/** One for each place: where the pointer has to be, and what shows then. */
const hovers = ({ x, y, places, series }: Chart, h: Place, v: Place): string =>
  places.map((place, index) => {
    const at = h(place)
    const from = index === 0 ? left : (h(places[index - 1] ?? place) + at) / 2
    const to = index === places.length - 1 ? width - right : (at + h(places[index + 1] ?? place)) / 2
    const said = series.flatMap(({ name, values }) => {
      const value = values[index]
      return value === undefined ? [] : [`${name} ${y.format(value)}`]
    })
    const dots = series.flatMap(({ style, values }) => {
      const value = values[index]
      if (value === undefined) return []
      return [`<circle class="d${style}" cx="${coordinate(at)}" cy="${coordinate(v(value))}" r="3"/>`]
    })
    return `<g class="at"><rect x="${coordinate(from)}" y="${top}" width="${
      coordinate(Math.max(0, to - from))
    }" height="${height - top - bottom}"/><line x1="${coordinate(at)}" y1="${top}" x2="${coordinate(at)}" y2="${
      height - bottom
    }"/>${dots.join("")}` +
      `<text x="0" y="${top - 10}">${escape([x.format(place), ...said].join(" · "))}</text></g>`
  }).join("\n")
