/**
 * A comparison as one page of HTML that needs nothing else: no script, no request, no font. It opens with the verdict and
 * ends with everything that somebody who doubts it wants to know.
 */
import { escape, page as document, table } from "../../load/report/Markup.ts"
import * as Units from "../../load/Units.ts"
import { cpu, type Figures, figures as figuresOf, named, plural, rate } from "../Figures.ts"
import type { Result } from "../Result.ts"
import { assumption, capacities, choices, devices, headline } from "../Verdict.ts"
import { amount, runtimeNames } from "../Words.ts"
import * as Charts from "./Charts.ts"
import { curves, latencies } from "./Latency.ts"
import { rules } from "./Method.ts"
import { hash, style } from "./Style.ts"
import * as Tables from "./Tables.ts"

const title = "Anyport: the runtimes compared"

/** The page of a result. */
export const page = (result: Result): string => {
  const figures = figuresOf(result)
  return document({ title, style, hash, body: sections(figures).filter((part) => part !== "").join("\n") })
}

const sections = (figures: Figures): ReadonlyArray<string> => [
  header(figures),
  notes(figures),
  verdict(figures),
  section("Against hand-written servers", legend, charts([1, 16].map((deep) => Charts.toHandWritten(figures, deep)))),
  section("A service of one's own", "", charts([Charts.ownService(figures)])),
  section("CPU time a message", "", charts([1, 16].map((deep) => Charts.cpuTimes(figures, deep)))),
  section("Other sizes and connections", "", Tables.shapes(figures)),
  section("Memory", "", charts(idle(figures).map((connections) => Charts.memory(figures, connections)))),
  section("Latency", latencyWords, charts([curves(figures)]), latencies(figures)),
  section("Throughput", throughputWords, charts([1, 16].map((deep) => Charts.throughputs(figures, deep)))),
  section("Coming and going, starting, garbage", "", charts(others(figures))),
  section("Who makes the load", "", Tables.simulators(figures)),
  section("Bars", "", Tables.barTable(figures)),
  section("What is missing, and why", "", Tables.missing(figures)),
  section("To be read with care", "", Tables.warnings(figures)),
  section("Trials that do not count", "", Tables.voids(figures)),
  section("Method", "", method(figures)),
  section("On what, with what", "", disclosure(figures)),
  details(figures),
]

/** Nothing where there is nothing to show. */
const section = (title: string, words: string, ...parts: ReadonlyArray<string>): string => {
  const shown = parts.filter((part) => part !== "")
  if (shown.length === 0) return ""
  return [`<h2>${escape(title)}</h2>`, ...words === "" ? [] : [words], ...shown].join("\n")
}

const charts = (all: ReadonlyArray<string>): string => {
  const shown = all.filter((chart) => chart !== "")
  return shown.length === 0 ? "" : `<div class="charts">\n${shown.join("\n")}\n</div>`
}

// ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────────────

const header = ({ result }: Figures): string => {
  const cpu = result.machine["CPU"]
  const what = [
    result.startedAt.slice(0, 10),
    ...cpu === undefined ? [] : [cpu],
    `load by ${result.generator}`,
    plural(result.trials.length, "trial"),
  ]
  return `<header>\n<h1>${escape(title)}</h1>\n<p class="soft">${escape(what.join(" · "))}</p>\n</header>`
}

const notes = ({ result }: Figures): string => {
  const note = (title: string, text: string): string =>
    `<div class="note warn"><strong>${escape(title)}</strong>${escape(text)}</div>`
  return [
    ...result.finishedAt === undefined
      ? [note("Not finished", "Trials are missing; --resume makes them. Figures are of those that are there.")]
      : [],
    ...result.quick ? [note("A quick run", "Few and short trials: good for a look, too few to rely on.")] : [],
    ...(result.versions["commit"] ?? "").endsWith("changes")
      ? [note("Not a commit", "The sources had changes that were not committed.")]
      : [],
  ].join("\n")
}

const verdict = (figures: Figures): string => {
  const said = headline(figures).map((sentence) => `<p class="lead">${escape(sentence)}</p>`)
  const chosen = choices(figures).map(({ subject, best, answer }) =>
    `<li><span class="soft">${escape(subject)}</span><strong>${
      escape(best === undefined ? "No difference shown" : runtimeNames[best])
    }</strong><span class="soft">${escape(answer)}</span></li>`
  )
  return section(
    "Verdict",
    "",
    said.join("\n"),
    chosen.length === 0 ? "" : `<ul class="verdict">${chosen.join("\n")}</ul>`,
    capacity(figures),
  )
}

const capacity = (figures: Figures): string => {
  const all = capacities(figures)
  if (all.length === 0) return ""
  const rows = all.map(({ runtime, cores, memory }) => [
    runtimeNames[runtime],
    cores === undefined
      ? "not measured"
      : Units.count(Number(cores.toPrecision(2))) === "0"
      ? cores.toPrecision(2)
      : `${Number(cores.toPrecision(2))}`,
    memory === undefined ? "not measured" : amount(memory, "bytes"),
  ])
  const head = [
    "",
    `cores for ${Units.count(devices.count)} devices`,
    `memory for ${Units.count(devices.idle)} idle connections`,
  ]
  return `${table(head, rows, "lrr")}\n<p class="soft">${escape(`Taken for granted: ${assumption}.`)}</p>`
}

// ── What it shows ────────────────────────────────────────────────────────────────────────────────────────────────────

const legend =
  `<ul class="legend">${
    Charts.colours.map((name, index) =>
      `<li><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><rect class="b${
        index + 1
      }" x="4" y="1" width="14" height="8"/></svg>${escape(name)}</li>`
    ).join("")
  }<li><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><circle class="void" cx="11" cy="5" r="3"/></svg>` +
  "a trial that does not count</li></ul>\n" +
  `<p class="soft">A dot is a trial, the line the 95 % interval of their median; in brackets are its ends.</p>`

const latencyWords = `<p class="soft">${
  escape(
    "From the moment at which a request was due, so that waiting counts. Each server has its own rate: a share of what it " +
      "reached itself, with one request in flight on each of 50 connections.",
  )
}</p>`

const throughputWords = `<p class="soft">${
  escape(
    "Only where the server's core was at least 95 % busy. Where it was not, the generator was the limit, and nothing is " +
      "said of the server; CPU time a message holds at any load.",
  )
}</p>`

const idle = ({ result }: Figures): ReadonlyArray<number> =>
  result.cells.flatMap(({ scenario, connections }) =>
    scenario === "idle" && connections !== undefined ? [connections] : []
  )

const others = (figures: Figures): ReadonlyArray<string> => [
  Charts.ofScenario(figures, { scenario: "churn" }, cpu, "micros", {
    title: "CPU time of a connection that comes and goes",
    description: "Connect, one request, its reply, close; less is better.",
    label: "connect, one 64-byte line, close; less is better",
  }),
  Charts.ofScenario(figures, { scenario: "start" }, named("seconds"), "seconds", {
    title: "Start-up",
    description: "From the start of a process to its ready line; less is better.",
    label: "from the start of the process to its ready line",
  }),
  Charts.ofScenario(figures, { scenario: "start" }, named("rss"), "bytes", {
    title: "Memory after start-up",
    description: "Resident memory of the process at its ready line; less is better.",
    label: "resident memory at the ready line",
  }),
  ...[1, 16].map((inFlight) =>
    Charts.ofScenario(figures, { scenario: "allocation", inFlight }, named("heapPerMessage"), "bytes", {
      title: `Garbage a message, ${inFlight} in flight`,
      description: "Bytes of heap that a message leaves to the collector, with reuse of buffers and without.",
      label: "bytes of heap for each message, where it is told",
    })
  ),
  ...[1, 16].map((inFlight) =>
    Charts.ofScenario(figures, { scenario: "allocation", inFlight }, named("collecting"), "share", {
      title: `Share of the time spent collecting, ${inFlight} in flight`,
      description: "How much of the time the collector stopped the program.",
      label: "share of the time, where it is told",
    })
  ),
  Charts.ofScenario(figures, { scenario: "workers" }, rate, "rate", {
    title: "Workers",
    description: "Messages a second of processes that share a port.",
    label: "messages a second",
  }),
]

// ── What it stands on ────────────────────────────────────────────────────────────────────────────────────────────────

const method = (figures: Figures): string =>
  `<ol class="method">\n${
    rules(figures).map(({ rule, met }) => `<li><strong>${escape(rule)}</strong> ${escape(met)}</li>`).join("\n")
  }\n</ol>`

const disclosure = ({ result }: Figures): string => {
  const { startedAt, finishedAt, command, generator, seed, machine, versions, contenders } = result
  const facts = [
    ["started", startedAt],
    ["finished", finishedAt ?? "not yet"],
    ["generator", generator],
    ["seed", String(seed)],
    ...Object.entries(machine),
    ...Object.entries(versions),
  ]
  return [
    table([], facts, "ll"),
    `<p>To make it again: <code>${escape(command)}</code></p>`,
    `<details><summary>How each was started</summary>\n${
      table(["who", "command"], contenders.map(({ title, command }) => [title, command]), "ll")
    }\n</details>`,
  ].join("\n")
}

const details = (figures: Figures): string =>
  `<details>\n<summary>All figures</summary>\n${Tables.allFigures(figures)}\n</details>`
