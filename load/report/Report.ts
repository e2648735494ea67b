/**
 * A result as one page of HTML that needs nothing else: no script, no request, no font. It can be attached, archived and
 * opened offline; its own policy forbids it everything but its style.
 */
import * as Distribution from "../Distribution.ts"
import { type Interval, thinned } from "../Interval.ts"
import { histograms } from "../Recorder.ts"
import { remedy } from "../Remedy.ts"
import type { Result } from "../Result.ts"
import { columns, finding, names } from "../Summary.ts"
import * as Units from "../Units.ts"
import { type Axis, chart, type Series } from "./Chart.ts"
import { escape, page, table } from "./Markup.ts"
import * as Scale from "./Scale.ts"
import { hash, style } from "./Style.ts"

/** Of a chart; longer runs are shown in longer pieces, which are added and not averaged. */
const mostPlaces = 200

/** The page of a result. */
export const html = (result: Result): string => {
  const { plan } = result
  const intervals = thinned(result.intervals, mostPlaces)
  const body = `<header>
<h1>${escape(plan.target)}</h1>
<p class="soft">${escape(subtitle(result))}</p>
</header>
${notes(result)}
${tiles(result)}
<h2>Over time</h2>
<div class="charts">
${throughput(result, intervals)}
${percentiles("Response time", "response", "from the moment a request was due", intervals)}
${percentiles("Service time", "service", "from when a request was sent", intervals)}
${distribution(result)}
${errorsOverTime(result, intervals)}
${connections(intervals)}
${cpu(intervals)}
${lag(intervals)}
</div>
<h2>Latency</h2>
${latencies(result)}
<h2>Errors</h2>
${errors(result)}
${thresholds(result)}${search(result)}<h2>The run</h2>
${facts(result)}
<details>
<summary>All figures, of each ${piece(intervals)}</summary>
${figures(intervals)}
</details>`
  return page({ title: `anyport load: ${plan.target}`, style, hash, body })
}

const subtitle = ({ plan, measured, cut, generators }: Result): string =>
  [
    `${plan.mode} model`,
    `${Units.count(plan.connections)} connections`,
    cut ? `ended early: ${Units.time(measured)} of ${Units.time(plan.duration)}` : `${Units.time(measured)} measured`,
    ...generators.slice(0, 1).map(({ startedAt }) => startedAt),
  ].join(" · ")

const notes = ({ valid, invalid, generatorBound, warnings, cut }: Result): string => {
  const note = (kind: "bad" | "warn", title: string, lines: ReadonlyArray<string>): string =>
    `<div class="note ${kind}"><strong>${escape(title)}</strong>${lines.map(escape).join("<br>")}</div>\n`
  return [
    ...valid
      ? []
      : [note("bad", "INVALID: the generator missed its schedule, so that this says nothing of the server", invalid)],
    ...generatorBound
      ? [
        note("warn", "The generator was the limit, not the server", [
          "A stronger one would measure more (--processes).",
        ]),
      ]
      : [],
    ...warnings.length === 0 ? [] : [note("warn", "Warnings", warnings)],
    ...cut ? [note("warn", "The run ended before its time", ["Figures are of what was measured until then."])] : [],
  ].join("")
}

const tiles = ({ rates, latency, errors, generator, counts }: Result): string => {
  const tile = (name: string, value: string, note: string): string =>
    `<div class="tile"><dt>${escape(name)}</dt><dd>${escape(value)}</dd><dd>${escape(note)}</dd></div>`
  const { response, service } = latency
  const time = (of: (distribution: Distribution.Distribution) => number): readonly [string, string] => [
    response === undefined ? "–" : Units.latency(of(response)),
    service === undefined ? "nothing was measured" : `service time ${Units.latency(of(service))}`,
  ]
  return `<dl class="tiles">
${
    tile(
      "Replies",
      Units.rate(rates.achieved),
      rates.target === undefined ? `${Units.count(counts.replies)} in all` : `target ${Units.rate(rates.target)}`,
    )
  }
${tile("Response p50", ...time(({ p50 }) => p50))}
${tile("Response p99", ...time(({ p99 }) => p99))}
${tile("Response p99.9", ...time((distribution) => distribution["p99.9"]))}
${tile("Errors", Units.share(errors.share), `${Units.count(errors.total)} in all`)}
${
    tile(
      "Generator CPU",
      Units.share(generator.cpuShare),
      generator.processes === 1 ? "of one core" : `of a core, the busiest of ${generator.processes}`,
    )
  }
</dl>`
}

// ── Charts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const longRun = 20 * 60

/** Seconds, or minutes where there are many. */
const timeAxis = (intervals: ReadonlyArray<Interval>): Axis => {
  const seconds = (intervals.at(-1)?.at ?? 0) / 1_000
  const unit = seconds > longRun ? 60 : 1
  const scale = Scale.time(seconds / unit)
  return {
    label: "time since measuring began",
    scale: { at: (value) => scale.at(value / unit), ticks: scale.ticks.map((tick) => tick * unit) },
    format: (value) => `${Math.round((value / unit) * 10) / 10} ${unit === 1 ? "s" : "min"}`,
  }
}

/** What a place of a chart stands for. */
const piece = ([first]: ReadonlyArray<Interval>): string => {
  const seconds = Math.round((first?.length ?? 1_000) / 1_000)
  return seconds <= 1 ? "second" : `${seconds} seconds`
}

const placesOf = (intervals: ReadonlyArray<Interval>): ReadonlyArray<number> => intervals.map(({ at }) => at / 1_000)

const most = (series: ReadonlyArray<Series>): number =>
  Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== undefined)))

const empty = (title: string, why: string): string =>
  `<figure><figcaption>${escape(title)}</figcaption><p>${escape(why)}</p></figure>`

/** A chart over time with an axis from 0. */
const overTime = (
  title: string,
  intervals: ReadonlyArray<Interval>,
  series: ReadonlyArray<Series>,
  y: Omit<Axis, "scale"> & { readonly step?: number },
  limit?: { readonly value: number; readonly name: string },
): string => {
  if (intervals.length === 0) return empty(title, "Nothing was measured")
  const top = Math.max(most(series), limit?.value ?? 0)
  const highest = series.map(({ name, values }) => `${name} ${y.format(most([{ name, values, style: 1 }]))}`).join(", ")
  return chart({
    title,
    description: `${title}, of each ${piece(intervals)}. At most: ${highest}.`,
    x: timeAxis(intervals),
    y: { ...y, scale: Scale.linear(top, y.step) },
    places: placesOf(intervals),
    series,
    ...limit === undefined ? {} : { limit },
  })
}

const throughput = ({ rates }: Result, intervals: ReadonlyArray<Interval>): string => {
  const sent = intervals.map(({ sent, length }) => length === 0 ? 0 : (sent * 1_000) / length)
  const apart = intervals.some(({ rate }, index) => Math.abs(rate - (sent[index] ?? 0)) > rate / 20)
  return overTime("Throughput", intervals, [
    { name: "replies", style: 1, values: intervals.map(({ rate }) => rate) },
    ...apart ? [{ name: "sent", style: 3, values: sent }] : [],
    ...rates.target === undefined ? [] : [{ name: "target", style: 2, values: intervals.map(({ target }) => target) }],
  ], { label: "per second", format: Units.count, step: 1 })
}

const percentiles = (
  title: string,
  name: "response" | "service",
  meaning: string,
  intervals: ReadonlyArray<Interval>,
): string => {
  const of = (read: (distribution: Distribution.Distribution) => number): ReadonlyArray<number | undefined> =>
    intervals.map((interval) => {
      const distribution = interval[name]
      return distribution === undefined ? undefined : read(distribution)
    })
  const series: ReadonlyArray<Series> = [
    { name: "p50", style: 1, values: of(({ p50 }) => p50) },
    { name: "p90", style: 3, values: of(({ p90 }) => p90) },
    { name: "p99", style: 2, values: of(({ p99 }) => p99) },
    { name: "p99.9", style: 4, values: of((distribution) => distribution["p99.9"]) },
    { name: "max", style: 5, values: of(({ max }) => max) },
  ]
  const values = series.flatMap(({ values }) => values.filter((value) => value !== undefined))
  if (values.length === 0) return empty(title, "Nothing was measured")
  return chart({
    title,
    description: `Percentiles of ${name} time in each ${piece(intervals)}, ${meaning}, from ${
      Units.latency(Math.min(...values))
    } to ${Units.latency(Math.max(...values))}.`,
    x: timeAxis(intervals),
    y: { label: meaning, scale: Scale.logarithmic(Math.min(...values), Math.max(...values)), format: Units.latency },
    places: placesOf(intervals),
    series,
  })
}

const distribution = ({ latency }: Result): string => {
  const title = "Latency by percentile"
  const shown = (["response", "service", "connect", "firstByte"] as const).flatMap((name, index) => {
    const distribution = latency[name]
    return distribution === undefined ? [] : [{ name: names[name], style: index + 1, distribution }]
  })
  if (shown.length === 0) return empty(title, "Nothing was measured")
  const scale = Scale.nines(Math.max(...shown.map(({ distribution }) => distribution.count)))
  const series = shown.map(({ name, style, distribution }) => {
    const histogram = Distribution.histogramOf(distribution)
    const { max, count } = distribution
    // Beyond one of so many there is no percentile.
    const last = 1 - 1 / count
    const values = scale.shares.map((share) =>
      share > last + 1e-12 ? undefined : Math.min(max, histogram.getValueAtPercentile(share * 100))
    )
    return { name, style, values }
  })
  const all = series.flatMap(({ values }) => values.filter((value) => value !== undefined))
  return chart({
    title,
    description: shown.map(({ name, distribution }) =>
      `${name}: ${columns.map(([column, of]) => `${column} ${Units.latency(of(distribution))}`).join(", ")}.`
    ).join(" "),
    x: { label: "percentile", scale, format: percent },
    y: {
      label: "both axes logarithmic",
      scale: Scale.logarithmic(Math.min(...all), Math.max(...all)),
      format: Units.latency,
    },
    places: scale.shares,
    series,
  })
}

/** A share with as many nines as it has. */
const percent = (share: number): string => {
  const digits = Math.max(0, Math.ceil(-Math.log10(1 - share) - 1e-9) - 2)
  return `${(share * 100).toFixed(share === 0 ? 0 : Math.min(8, digits))}%`
}

const errorsOverTime = ({ errors }: Result, intervals: ReadonlyArray<Interval>): string => {
  const while_ = intervals.reduce((sum, { errors }) => sum + errors, 0)
  if (while_ === 0) {
    const before = errors.total === 0 ? "No errors" : `${Units.count(errors.total)} before measuring began, none since`
    return empty("Errors", before)
  }
  return overTime("Errors", intervals, [
    { name: "errors of all kinds", style: 2, bars: true, values: intervals.map(({ errors }) => errors) },
  ], { label: `in each ${piece(intervals)}`, format: Units.count, step: 1 })
}

const connections = (intervals: ReadonlyArray<Interval>): string =>
  overTime("Connections", intervals, [
    { name: "connections", style: 1, values: intervals.map(({ connections }) => connections) },
    { name: "requests in flight", style: 2, values: intervals.map(({ inFlight }) => inFlight) },
  ], { label: `at the end of each ${piece(intervals)}`, format: Units.count, step: 1 })

const cpu = (intervals: ReadonlyArray<Interval>): string =>
  overTime(
    "CPU of the generator",
    intervals,
    [{ name: "of one core", style: 1, values: intervals.map(({ cpu }) => cpu) }],
    { label: "share of one core", format: Units.share },
    { value: 1, name: "one core" },
  )

const lag = (intervals: ReadonlyArray<Interval>): string =>
  overTime("Lateness of the generator", intervals, [
    { name: "tick late by at most", style: 4, values: intervals.map(({ lag }) => lag) },
  ], {
    label: `longest in each ${piece(intervals)}`,
    format: (millis) => millis === 0 ? "0" : Units.latency(millis * 1_000),
  })

// ── Tables ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const latencies = ({ latency }: Result): string => {
  const rows = histograms.flatMap((name) => {
    const distribution = latency[name]
    if (distribution === undefined) return []
    return [[names[name], Units.count(distribution.count), ...columns.map(([, of]) => Units.latency(of(distribution)))]]
  })
  if (rows.length === 0) return "<p>Nothing was measured.</p>"
  return table(["", "count", ...columns.map(([name]) => name)], rows, `lr${"r".repeat(columns.length)}`)
}

const errors = ({ errors }: Result): string => {
  if (errors.total === 0) return "<p>None.</p>"
  const kinds = Object.entries(errors.byKind).sort(([, one], [, other]) => other - one)
  const rows = kinds.map(([kind, count]) => {
    const { meaning, remedy: advice } = remedy(kind)
    return [kind, Units.count(count), meaning, advice]
  })
  return table(["kind", "count", "what it means", "what to do"], rows, "lrll")
}

const thresholds = ({ thresholds }: Result): string => {
  if (thresholds.length === 0) return ""
  const rows = thresholds.map(({ text, ok, actual }) => [ok ? "✓ holds" : "✗ fails", text, actual])
  return `<h2>Thresholds</h2>\n${table(["", "threshold", "measured"], rows, "lll")}\n`
}

const search = ({ search }: Result): string => {
  if (search === undefined) return ""
  const rows = search.trials.map(({ rate, duration, confirmation, outcome, achieved, thresholds }) => [
    Units.rate(rate),
    Units.rate(achieved),
    Units.time(duration),
    confirmation ? "confirmation" : "trial",
    outcome === "generator" ? "generator late" : outcome,
    thresholds.map(({ text, actual }) => `${text}: ${actual}`).join(", "),
  ])
  return `<h2>Search for the highest rate</h2>\n<p>${escape(finding(search))}</p>\n${
    table(["rate", "achieved", "for", "", "outcome", "measured"], rows, "rrrlll")
  }\n`
}

const facts = ({ plan, counts, rates, generators, generator, measured }: Result): string => {
  const each = (bytes: number): string =>
    `${Units.bytes(bytes)}${measured === 0 ? "" : `, ${Units.bytes((bytes * 1_000) / measured)}/s`}`
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["target", plan.target],
    ["model", `${plan.mode}, ${Units.count(plan.connections)} connections, ${plan.inFlight} in flight on each`],
    ["framing", plan.framing],
    ["message", plan.message],
    ["expected reply", plan.expect],
    ...plan.stages.length === 0 ? [] : [["schedule", plan.stages.map(stage).join(", then ")] as const],
    ...plan.warmup === 0 ? [] : [["warm-up", Units.time(plan.warmup)] as const],
    ...plan.think === 0 ? [] : [["think time", Units.time(plan.think)] as const],
    ...plan.sources.length === 0 ? [] : [["connected from", plan.sources.join(", ")] as const],
    ["seed", String(plan.seed)],
    ["sent", `${Units.count(counts.sent)} requests, ${Units.rate(rates.sent)}, ${each(counts.bytesSent)}`],
    ["received", `${Units.count(counts.replies)} replies, ${each(counts.bytesReceived)}`],
    ["never sent", Units.count(counts.unsent)],
    ["connections", `${Units.count(counts.connections)} made, ${Units.count(counts.reconnects)} of them again`],
    [
      "generator",
      `${Units.time(generator.cpuMillis)} of CPU in ${generator.processes} process${
        generator.processes === 1 ? "" : "es"
      }, ` +
      `tick late by up to ${Units.time(generator.lagMax)}`,
    ],
    ...generators.map(({ runtime, versions, platform, cpus, startedAt, command }, index) =>
      [
        generators.length === 1 ? "ran on" : `result ${index + 1} ran on`,
        `${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")} (${runtime}), ` +
        `${platform}, ${cpus} CPUs, from ${startedAt}${command === undefined ? "" : `: ${command}`}`,
      ] as const
    ),
  ]
  return table([], rows, "ll")
}

const stage = ({ from, to, duration }: Result["plan"]["stages"][number]): string =>
  `${from === to ? Units.rate(from) : `${Units.rate(from)} to ${Units.rate(to)}`} for ${Units.time(duration)}`

const figures = (intervals: ReadonlyArray<Interval>): string => {
  const time = (micros: number | undefined): string => micros === undefined ? "–" : Units.latency(micros)
  const rows = intervals.map(({ at, target, rate, errors, connections, inFlight, response, service, cpu, lag }) => [
    Units.time(at),
    target === undefined ? "–" : Units.count(target),
    Units.count(rate),
    time(response?.p50),
    time(response?.p99),
    time(response?.max),
    time(service?.p50),
    time(service?.p99),
    time(service?.max),
    Units.count(errors),
    Units.count(connections),
    Units.count(inFlight),
    Units.share(cpu),
    Units.time(lag),
  ])
  const head = ["until", "target/s", "replies/s", "response p50", "p99", "max", "service p50", "p99", "max", "errors"]
  return table([...head, "connections", "in flight", "CPU", "tick late"], rows, "r".repeat(14))
}
