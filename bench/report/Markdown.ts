/**
 * A comparison as a section of a README: the picture, a table of what each runtime costs, and what it was measured on.
 */
import { runtimes } from "../Bars.ts"
import { cellOf, common, cpu, estimated, type Figures, figures as figuresOf, named, toHand } from "../Figures.ts"
import type { Result, RuntimeName } from "../Result.ts"
import { capacities, choices, devices } from "../Verdict.ts"
import { amount, intervalOf, runtimeNames } from "../Words.ts"

/** Where the picture lies, from the README. */
export const picturePath = "docs/bench.svg"

/** The section, without its heading. */
export const markdown = (result: Result): string => {
  const figures = figuresOf(result)
  const names = runtimes.map((runtime) => runtimeNames[runtime])
  const rows = [
    ...services.flatMap(({ title, id }) =>
      [1, 16].map((
        inFlight,
      ) => [`${title}, ${flight(inFlight)}`, ...runtimes.map((on) => cost(figures, id, on, inFlight))])
    ),
    ["An idle connection", ...runtimes.map((on) => idle(figures, on))],
    ["The one file is ready after", ...runtimes.map((on) => start(figures, on))],
    [
      `Cores for ${devices.count.toLocaleString("en-US")} devices, a message each ${devices.everySeconds} s`,
      ...runtimes.map((on) => cores(figures, on)),
    ],
  ].filter(([, ...cells]) => cells.some((cell) => cell !== "–"))
  return [
    `![CPU time a message of all who take part, one and 16 requests in flight](${picturePath})`,
    "",
    line(["CPU time a message (hand-written ÷ Anyport)", ...names]),
    line(["", ...names].map(() => "---")),
    ...rows.map(line),
    "",
    ...choices(figures).map(({ subject, best, answer }) =>
      `- **${subject}**: ${best === undefined ? answer : answer.replace(runtimeNames[best], "**$&**")}.`
    ),
    "",
    footnote(result),
  ].join("\n")
}

const line = (cells: ReadonlyArray<string>): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`

const services = [
  { title: "`Service.respond`", id: "anyport" },
  { title: "`Service.plain`", id: "anyport-plain" },
  { title: "`Service.session`", id: "anyport-session" },
] as const

const flight = (inFlight: number): string => inFlight === 1 ? "one in flight" : `${inFlight} in flight`

const cost = (figures: Figures, id: string, on: RuntimeName, inFlight: number): string => {
  const cell = cellOf(figures, common(inFlight), [`${id}-${on}`])
  const figure = cell === undefined ? undefined : figures.of(cell.id, `${id}-${on}`)
  const found = estimated(figure, cpu)
  if (figure === undefined || found === undefined) return "–"
  const compared = toHand(figures, figure)
  return `${amount(found.median, "micros")}${compared === undefined ? "" : `, ${intervalOf(compared, "times")}`}`
}

const idle = (figures: Figures, on: RuntimeName): string => {
  const memory = capacities(figures).find(({ runtime }) => runtime === on)?.memory
  return memory === undefined ? "–" : amount(memory / devices.idle, "bytes")
}

const cores = (figures: Figures, on: RuntimeName): string => {
  const found = capacities(figures).find(({ runtime }) => runtime === on)?.cores
  return found === undefined ? "–" : String(Number(found.toPrecision(2)))
}

const start = (figures: Figures, on: RuntimeName): string => {
  const cell = cellOf(figures, { scenario: "start" }, [`anyport-file-${on}`])
  const found = cell === undefined ? undefined : estimated(figures.of(cell.id, `anyport-file-${on}`), named("seconds"))
  return found === undefined ? "–" : amount(found.median, "seconds")
}

const footnote = (result: Result): string => {
  const { machine, versions, generator, startedAt, command, quick } = result
  // Some say more than their number.
  const known = Object.entries({ ...runtimeNames, go: "Go" }).flatMap(([id, name]) =>
    versions[id] === undefined ? [] : [`${name} ${/\d+\.\d[\w.]*/.exec(versions[id])?.[0] ?? versions[id]}`]
  )
  return [
    `64-byte lines over 50 connections; medians, in brackets the 95 % interval of the ratio.`,
    `${machine["CPU"] ?? "A processor that is not told"}, ${machine["placement"] ?? "placement not told"};`,
    `load by ${generator}; ${known.join(", ")}; ${startedAt.slice(0, 10)}${
      quick ? ", a quick run" : ""
    }: \`${command}\`.`,
  ].join(" ")
}
