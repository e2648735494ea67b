/**
 * What of a comparison is best read as a table: the bars, other sizes and numbers of connections, the simulators, what is
 * missing, which trials do not count, and all figures.
 */
import { escape, table } from "../../load/report/Markup.ts"
import * as Units from "../../load/Units.ts"
import { type Bar, bars, byTitle, runtimes } from "../Bars.ts"
import {
  counts,
  cpu,
  estimated,
  type Figure,
  type Figures,
  generatorCpu,
  grouped,
  load,
  main,
  named,
  plural,
  rate,
  throughput,
  toHand,
} from "../Figures.ts"
import { amount, intervalOf, runtimeNames } from "../Words.ts"

const names = runtimes.map((runtime) => runtimeNames[runtime])

/** What is to be reached, and whether it is. */
export const barTable = (figures: Figures): string =>
  table(
    ["", "wanted", ...names],
    [...byTitle(bars(figures))].map(([title, bars]) => [
      title,
      wantedOf(bars),
      ...runtimes.map((on) => {
        const bar = bars.find(({ runtime }) => runtime === on)
        return bar === undefined ? "" : outcomeOf(bar)
      }),
    ]),
    "lllll",
  )

/** What is wanted on the runtimes, and of those that are not like the first one what of them. */
const wantedOf = (bars: ReadonlyArray<Bar>): string => {
  const wanted = ({ wanted, unit }: Bar): string => wanted === undefined ? "reported" : amount(wanted, unit)
  const [first] = bars
  if (first === undefined) return ""
  const others = bars.filter((bar) => wanted(bar) !== wanted(first))
  const sign = first.wanted === undefined ? "" : first.most ? "≤ " : "≥ "
  return [`${sign}${wanted(first)}`, ...others.map((bar) => `on ${runtimeNames[bar.runtime]} ${wanted(bar)}`)].join(
    ", ",
  )
}

/** In words: `✓ 0.93 (0.91–0.95)`. */
export const outcomeOf = ({ outcome, unit, most }: Bar): string => {
  switch (outcome._tag) {
    case "Reached":
      return `✓ ${intervalOf(outcome.found, unit)}`
    case "Reported":
      return intervalOf(outcome.found, unit)
    case "Missed":
      return `✗ ${intervalOf(outcome.found, unit)}, ${Units.share(outcome.by)} too ${most ? "much" : "little"}`
    case "NotMeasured":
      return `not measured: ${outcome.reason}`
  }
}

/** Anyport against hand-written in all shapes, by CPU time. */
export const shapes = (figures: Figures): string => {
  const cells = figures.result.cells.filter(({ scenario, framing }) =>
    (scenario === "echo" || scenario === "churn") && (framing === "lines" || framing === "length")
  )
  const rows = cells.flatMap((cell) => {
    const id = cell.framing === "length" ? "anyport-length" : "anyport"
    const cells = runtimes.map((on) => {
      const figure = figures.of(cell.id, `${id}-${on}`)
      if (figure === undefined) return ""
      const [found, ratio] = [estimated(figure, cpu), toHand(figures, figure)]
      if (found === undefined) return figure.blank ?? "–"
      return `${amount(found.median, "micros")}${ratio === undefined ? "" : `, ${intervalOf(ratio, "times")}`}`
    })
    return cells.every((text) => text === "") ? [] : [[cell.title, ...cells]]
  })
  return rows.length === 0 ? "" : table(["CPU time a message, and hand-written ÷ Anyport", ...names], rows, "llll")
}

/** The simulators, before one server. */
export const simulators = (figures: Figures): string => {
  const found = figures.all.filter(({ cell }) => cell.scenario === "generator")
  if (found.length === 0) return ""
  const spell = (figure: Figure, name: string, unit: "micros" | "count"): string => {
    const found = estimated(figure, named(name))
    return found === undefined ? "–" : amount(found.median, unit)
  }
  const rows = found.map((figure) => {
    const [made, cost] = [estimated(figure, rate), estimated(figure, generatorCpu)]
    const who = [figure.contender.title, String(figure.cell.connections ?? "")]
    if (made === undefined) return [...who, figure.blank ?? "not told", "", "", "", "", ""]
    return [
      ...who,
      spell(figure, "sessions", "count"),
      amount(made.median, "rate"),
      spell(figure, "mean", "micros"),
      spell(figure, "p99", "micros"),
      spell(figure, "errors", "count"),
      cost === undefined ? "–" : intervalOf(cost, "micros"),
    ]
  })
  const head = ["", "sessions asked", "held", "requests", "mean", "p99", "errors", "its CPU time a request"]
  return table(head, rows, "lrrrrrrr")
}

/** Who or what is not there, and why: contenders that could not take part, and figures that cannot be shown. */
export const missing = (figures: Figures): string => {
  const rows = [
    ...figures.result.missing.map(({ name, reason }) => [name, "everything", reason]),
    ...figures.all.flatMap(({ blank, cell, contender }) =>
      blank === undefined ? [] : [[contender.title, cell.title, blank]]
    ),
  ]
  return rows.length === 0
    ? "<p>Nothing: everybody took part, and every figure is shown.</p>"
    : table(["who", "where", "why"], rows, "lll")
}

/** Figures to be read with care. */
export const warnings = (figures: Figures): string => {
  const rows = figures.all.flatMap(({ warning, cell, contender }) =>
    warning === undefined ? [] : [[contender.title, cell.title, warning]]
  )
  return rows.length === 0 ? "" : table(["who", "where", "what"], rows, "lll")
}

/** Every trial that does not count. */
export const voids = ({ result }: Figures): string => {
  const of = (id: string, all: ReadonlyArray<{ readonly id: string; readonly title: string }>): string =>
    all.find((one) => one.id === id)?.title ?? id
  const rows = result.trials.filter((trial) => !counts(trial)).map(({ cell, contender, round, void: reasons }) => [
    of(contender, result.contenders),
    of(cell, result.cells),
    String(round),
    reasons.join("; "),
  ])
  if (rows.length === 0) return "<p>All trials count.</p>"
  return `<details><summary>${plural(rows.length, "trial")}, with the reasons</summary>\n${
    table(["who", "where", "round", "why"], rows, "llrl")
  }\n</details>`
}

/** All figures, of each cell a table. */
export const allFigures = (figures: Figures): string =>
  [...grouped(figures.all, ({ cell }) => cell.id)].map(([, all]) => {
    const { cell } = all[0]! // a group has one
    const { title, unit, of } = main(cell)
    const rows = all.map((figure) => {
      const [found, rates, busyness] = [estimated(figure, of), throughput(figure), estimated(figure, load)]
      const [ratio, stood] = [
        toHand(figures, figure),
        `${figure.valid.length} of ${plural(figure.trials.length, "trial")}`,
      ]
      return [
        figure.contender.title,
        found === undefined ? figure.blank ?? "–" : intervalOf(found, unit),
        found === undefined ? "" : `±${Units.share(found.variation)}`,
        ratio === undefined ? "" : intervalOf(ratio, "times"),
        rates === undefined ? "" : typeof rates === "string" ? rates : amount(rates.median, "rate"),
        busyness === undefined ? "" : Units.share(busyness.median),
        stood,
      ]
    })
    const head = ["", title, "variation", "hand-written ÷ it", "messages", "core busy", "counted"]
    return `<h3>${escape(cell.title)}</h3>\n${table(head, rows, "lrrrrrr")}`
  }).join("\n")
