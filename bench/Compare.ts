/**
 * What changed between two results, and what cannot be told. Nothing is paired here: two runs have no round in common, so
 * a change of the machine looks like a change of the program. Where a hand-written server of the same runtime took part in
 * both, the change against it is said as well, which the machine has little to do with.
 */
import { cpu, type Figure, type Figures, figures as figuresOf, handOf, main, plural, ratio } from "./Figures.ts"
import type { Result } from "./Result.ts"
import { direction, estimate, fewest, type Interval, quotient } from "./Statistics.ts"
import { amount, intervalOf } from "./Words.ts"

/** What became of one contender in one cell. */
export interface Change {
  readonly cell: string
  readonly contender: string
  /** What is compared; less is better. */
  readonly subject: string
  /** Before and after, with their unit; empty where there is none. */
  readonly before: string
  readonly after: string
  /** After over before: below 1 is better. */
  readonly ratio: Interval | undefined
  /** The same of the ratio to the hand-written server, turned so that below 1 is better. */
  readonly againstHand: Interval | undefined
  readonly outcome: "better" | "worse" | "no difference shown" | "cannot be told"
  /** Why it cannot be told. */
  readonly reason?: string
}

/** Two results side by side. */
export interface Comparison {
  /** What is different about the runs themselves; with one of these a change may be of anything. */
  readonly differences: ReadonlyArray<string>
  readonly changes: ReadonlyArray<Change>
}

/** Compares a result with a later one. */
export const compare = (before: Result, after: Result): Comparison => {
  const [old, young] = [figuresOf(before), figuresOf(after)]
  const ids = new Map(
    [...old.all, ...young.all].map(({ cell, contender }) => [`${cell.id} ${contender.id}`, { cell, contender }]),
  )
  return {
    differences: differences(before, after),
    changes: [...ids.values()].map(({ cell, contender }) =>
      change(old, young, old.of(cell.id, contender.id), young.of(cell.id, contender.id))
    ),
  }
}

// ── The runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const differences = (before: Result, after: Result): ReadonlyArray<string> => [
  ...differing("machine", before.machine, after.machine),
  ...differing("version", before.versions, after.versions),
  ...before.generator === after.generator ? [] : [`generator: ${before.generator} → ${after.generator}`],
  ...before.quick === after.quick ? [] : [`${before.quick ? "the first" : "the second"} is a quick run`],
  ...[["first", before], ["second", after]].flatMap(([name, result]) =>
    (result as Result).finishedAt === undefined ? [`the ${name} is not finished`] : [] // the second of each pair
  ),
]

/** What may be another from minute to minute. */
const passing: ReadonlySet<string> = new Set(["swap in use"])

const differing = (
  what: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): ReadonlyArray<string> =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    before[name] === after[name] || passing.has(name)
      ? []
      : [`${what}, ${name}: ${before[name] ?? "not told"} → ${after[name] ?? "not told"}`]
  )

// ── A figure ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const change = (old: Figures, young: Figures, before: Figure | undefined, after: Figure | undefined): Change => {
  const { cell, contender } = (before ?? after)! // it is in one of them
  const { title, unit, of } = main(cell)
  const [was, is] = [before, after].map((figure) => {
    const values = figure === undefined || figure.blank !== undefined ? [] : figure.valid.map(of)
    return estimate(values.filter((value) => value !== undefined))
  })
  const base = {
    ...{ cell: cell.title, contender: contender.title, subject: title },
    before: was === undefined ? "" : amount(was.median, unit),
    after: is === undefined ? "" : amount(is.median, unit),
  }
  const untold = (reason: string): Change => ({
    ...base,
    ...{ ratio: undefined, againstHand: undefined, outcome: "cannot be told", reason },
  })
  if (before === undefined) return untold("only in the second")
  if (after === undefined) return untold("only in the first")
  if (was === undefined) return untold(`the first ${before.blank ?? "does not tell"}`)
  if (is === undefined) return untold(`the second ${after.blank ?? "does not tell"}`)
  const found = quotient(is.values, was.values)
  if (found === undefined) return untold("it was nothing")
  const few = Math.min(is.values.length, was.values.length)
  if (few < fewest) return untold(`${plural(few, "trial")}, at least ${fewest} are needed`)
  const outcome = { more: "worse", less: "better", none: "no difference shown" } as const
  return {
    ...base,
    ratio: found,
    againstHand: againstHand(old, young, before, after),
    outcome: outcome[direction(found) ?? "none"],
  }
}

const againstHand = (old: Figures, young: Figures, before: Figure, after: Figure): Interval | undefined => {
  const [was, is] = [[old, before], [young, after]].map(([all, figure]) => {
    const [figures, own] = [all as Figures, figure as Figure] // each pair is of these
    return ratio(own, handOf(figures, own.cell, own.contender), cpu)
  })
  return was === undefined || is === undefined ? undefined : quotient(is.values, was.values)
}

// ── In words ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A comparison as text for a terminal. It ends with a line break. */
export const text = ({ differences, changes }: Comparison): string => {
  const of = (...outcomes: ReadonlyArray<Change["outcome"]>): ReadonlyArray<Change> =>
    changes.filter(({ outcome }) => outcomes.includes(outcome))
  const [changed, same, untold] = [of("better", "worse"), of("no difference shown"), of("cannot be told")]
  return [
    ...differences.length === 0 ? [] : [
      "NOT THE SAME CONDITIONS: what changed below may come from this, and not from the program",
      ...differences.map((difference) => `  ${difference}`),
      "",
    ],
    `${
      plural(changed.length, "change")
    } shown, ${same.length} without a difference shown, ${untold.length} that cannot be told`,
    ...changed.length === 0
      ? []
      : ["Of twenty intervals of 95 % about one is off by chance: look for changes that stand together"],
    ...block("Changed", changed.map(spell)),
    ...block("No difference shown (the interval covers 1)", same.map(spell)),
    ...block("Cannot be told", untold.map(({ cell, contender, reason }) => `  ${contender}, ${cell}: ${reason}`)),
    "",
  ].join("\n")
}

const block = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", title, ...lines]

const spell = ({ cell, contender, subject, before, after, ratio, againstHand, outcome }: Change): string =>
  [
    `  ${
      outcome === "no difference shown" ? "" : `${outcome}: `
    }${contender}, ${cell}: ${subject} ${before} → ${after}`,
    ratio === undefined ? "" : `, ${intervalOf(ratio, "times")}`,
    againstHand === undefined ? "" : `; against hand-written ${intervalOf(againstHand, "times")}`,
  ].join("")
