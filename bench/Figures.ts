/**
 * What the trials of a result say: for each cell and contender the trials that count, the figures of them with their
 * intervals, and where there is none, why. Bars, verdicts and pages are made of this and look at no trial themselves.
 */
import { bounds } from "./Gate.ts"
import type { Cell, Contender, Result, Trial } from "./Result.ts"
import { type Estimate, estimate, fewest, median, variation } from "./Statistics.ts"

/** Of one contender in one cell. */
export interface Figure {
  readonly cell: Cell
  readonly contender: Contender
  /** All that were made, void ones too. */
  readonly trials: ReadonlyArray<Trial>
  /** Those that count, the last of each round. */
  readonly valid: ReadonlyArray<Trial>
  /** Why it has no figures. */
  readonly blank?: string
  /** Why its figures are to be read with care. */
  readonly warning?: string
}

/** The figures of a result. */
export interface Figures {
  readonly result: Result
  /** In the order of the cells, and in each of its contenders. */
  readonly all: ReadonlyArray<Figure>
  readonly of: (cell: string, contender: string) => Figure | undefined
}

/** A number of a trial; undefined where it was not measured. */
export type Measure = (trial: Trial) => number | undefined

/** Above this coefficient of variation a figure is read with care, and above the next it is none. */
export const unsteady = 0.05
export const tooUnsteady = 0.10

/** How busy the server's core has to be for its throughput to be its own. */
export const busy: number = bounds.busy

// ── What a trial measured ────────────────────────────────────────────────────────────────────────────────────────────

/** One of `Trial.measures`, as it is. */
export const named = (name: string): Measure => ({ measures }) => measures[name]

/** Of two measures, when both are there. */
const over = (above: string, below: string, factor = 1): Measure => ({ measures }) => {
  const [numerator, denominator] = [measures[above], measures[below]]
  return numerator === undefined || !denominator ? undefined : (factor * numerator) / denominator
}

/** The server's CPU time, microseconds a message. */
export const cpu: Measure = over("serverCpu", "messages", 1e6)

/** The generator's CPU time, microseconds a message. */
export const generatorCpu: Measure = over("generatorCpu", "messages", 1e6)

/** Messages a second. */
export const rate: Measure = over("messages", "seconds")

/** How much of a core the server had. */
export const load: Measure = over("serverCpu", "seconds")

/** By what a cell is judged to be steady, and compared with another run's. Less is better for all of them. */
export const main = ({ scenario }: Cell): { readonly title: string; readonly unit: Unit; readonly of: Measure } => {
  switch (scenario) {
    case "idle":
      return { title: "memory of a connection", unit: "bytes", of: named("rss") }
    case "start":
      return { title: "time to the ready line", unit: "seconds", of: named("seconds") }
    case "generator":
      return { title: "the generator's CPU time a message", unit: "micros", of: generatorCpu }
    default:
      return { title: "CPU time a message", unit: "micros", of: cpu }
  }
}

/** What a number counts. */
export type Unit = "micros" | "bytes" | "seconds" | "rate" | "times" | "share" | "count"

// ── The figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Sorts the trials of a result. */
export const figures = (result: Result): Figures => {
  const contenders = new Map(result.contenders.map((contender) => [contender.id, contender]))
  const trials = grouped(result.trials, ({ cell, contender }) => key(cell, contender))
  const all = result.cells.flatMap((cell) => {
    const made = cell.contenders.map((id) => trials.get(key(cell.id, id)) ?? [])
    const pace = paceOf(cell, made)
    return cell.contenders.flatMap((id, index) => {
      const contender = contenders.get(id)
      return contender === undefined ? [] : [figure(cell, contender, made[index]!, pace)]
    })
  })
  const byKey = new Map(all.map((figure) => [key(figure.cell.id, figure.contender.id), figure]))
  return { result, all, of: (cell, contender) => byKey.get(key(cell, contender)) }
}

const key = (cell: string, contender: string): string => `${cell} ${contender}`

/** Those that count. What was void may have been made again, and then the round counts after all. */
const validOf = (trials: ReadonlyArray<Trial>): ReadonlyArray<Trial> => [
  ...new Map(trials.filter(counts).map((trial) => [trial.round, trial])).values(),
]

/** Fewer contenders in a round do not say what of it was the machine's. */
const fewestForPace = 3

/**
 * How much more everything took in a round of a cell than it usually did: 1 is usual. A shared machine is slower for minutes
 * at a time, which is the same for all neighbours and so is in no ratio; it is not to be taken for a contender's own
 * unsteadiness.
 */
const paceOf = (cell: Cell, made: ReadonlyArray<ReadonlyArray<Trial>>): (round: number) => number => {
  const shares = made.flatMap((trials) => {
    const values = validOf(trials).flatMap((trial) => {
      const value = main(cell).of(trial)
      return value === undefined ? [] : [{ round: trial.round, value }]
    })
    const usual = median(values.map(({ value }) => value))
    return usual > 0 ? values.map(({ round, value }) => ({ round, share: value / usual })) : []
  })
  const paces = new Map(
    [...grouped(shares, ({ round }) => String(round))].map(([round, neighbours]) => [
      Number(round),
      neighbours.length < fewestForPace ? 1 : median(neighbours.map(({ share }) => share)),
    ]),
  )
  return (round) => paces.get(round) ?? 1
}

const figure = (
  cell: Cell,
  contender: Contender,
  trials: ReadonlyArray<Trial>,
  pace: (round: number) => number,
): Figure => {
  const valid = validOf(trials)
  const one: Figure = { cell, contender, trials, valid }
  const wanted = Math.min(fewest, cell.trials)
  if (trials.length === 0) return { ...one, blank: "was not measured" }
  if (valid.length < wanted) {
    const why = [...new Set(trials.flatMap((trial) => trial.void))].join("; ")
    const few = valid.length === 0 ? "none" : `only ${valid.length}`
    const count = `${few} of ${plural(trials.length, "trial")} count${valid.length > 1 ? "" : "s"}`
    return { ...one, blank: `${count}${why === "" ? "" : `: ${why}`}` }
  }
  const varies = variation(valid.flatMap((trial) => {
    const value = main(cell).of(trial)
    return value === undefined ? [] : [value / pace(trial.round)]
  }))
  const says = `varies by ${(varies * 100).toFixed(1)} % over ${plural(valid.length, "trial")}`
  if (varies > tooUnsteady) return { ...one, blank: `${says}, above ${tooUnsteady * 100} %` }
  return varies > unsteady ? { ...one, warning: `${says}, above ${unsteady * 100} %` } : one
}

/** Whether a trial counts. */
export const counts = (trial: Trial): boolean => trial.void.length === 0

const present = (values: ReadonlyArray<number | undefined>): ReadonlyArray<number> =>
  values.filter((value) => value !== undefined)

/** Values by a name that each has, in the order in which the names come up. */
export const grouped = <A>(
  values: ReadonlyArray<A>,
  nameOf: (value: A) => string,
): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const value of values) {
    const name = nameOf(value)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [value])
    else group.push(value)
  }
  return groups
}

/** A number with its noun. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** The estimate of a measure; undefined where there are no figures. */
export const estimated = (figure: Figure | undefined, measure: Measure): Estimate | undefined =>
  figure === undefined || figure.blank !== undefined ? undefined : estimate(present(figure.valid.map(measure)))

/** Messages a second, or why they are not the server's. */
export const throughput = (figure: Figure | undefined): Estimate | "generator-bound" | undefined => {
  const busyness = estimated(figure, load)
  if (busyness === undefined) return undefined
  return busyness.median < busy ? "generator-bound" : estimated(figure, rate)
}

/** The ratio of two contenders in a cell, of the rounds in which both count; undefined where there is none. */
export const ratio = (
  numerator: Figure | undefined,
  denominator: Figure | undefined,
  measure: Measure,
): Estimate | undefined => byRound(numerator, denominator, measure, (above, below) => below === 0 ? NaN : above / below)

/** What two contenders of a cell give together in each round in which both count. What is not a number is left out. */
export const byRound = (
  one: Figure | undefined,
  other: Figure | undefined,
  measure: Measure,
  together: (one: number, other: number) => number,
): Estimate | undefined => {
  if (one === undefined || other === undefined || one.blank !== undefined || other.blank !== undefined) return undefined
  const values = one.valid.map((trial) => {
    const neighbour = other.valid.find(({ round }) => round === trial.round)
    const [ours, theirs] = [measure(trial), neighbour === undefined ? undefined : measure(neighbour)]
    return ours === undefined || theirs === undefined ? NaN : together(ours, theirs)
  })
  return estimate(values.filter(Number.isFinite))
}

/** How a trial compares with the same round of the hand-written server, by CPU time; also of one that does not count. */
export const trialToHand = (figures: Figures, { cell, contender }: Figure, trial: Trial): number | undefined => {
  const hand = handOf(figures, cell, contender)
  const same = hand?.valid.find(({ round }) => round === trial.round)
  const [ours, theirs] = [cpu(trial), same === undefined ? undefined : cpu(same)]
  return ours === undefined || theirs === undefined || ours === 0 ? undefined : theirs / ours
}

// ── Who is compared with whom ────────────────────────────────────────────────────────────────────────────────────────

/** The part of a contender's id that says what it is, and the one that says on what: `anyport-session` and `bun@1.3`. */
export const parts = ({ id, runtime }: Contender): readonly [what: string, where: string] => {
  const at = runtime === undefined ? -1 : id.lastIndexOf(`-${runtime}`)
  return at === -1 ? [id, runtime ?? ""] : [id.slice(0, at), id.slice(at + 1)]
}

/** The hand-written server of the same runtime and framing, in the same cell; undefined for itself. */
export const handOf = (figures: Figures, cell: Cell, contender: Contender): Figure | undefined => {
  const [what, where] = parts(contender)
  if (contender.family === "hand" || contender.family === "custom" || where === "") return undefined
  const hand = cell.framing === "length" || what.endsWith("-length") ? "hand-length" : "hand"
  return figures.of(cell.id, `${hand}-${where}`)
}

/** The hand-written server's CPU time a message over this one's: 1 is equal, above is better. */
export const toHand = (figures: Figures, figure: Figure): Estimate | undefined =>
  ratio(handOf(figures, figure.cell, figure.contender), figure, cpu)

/** What is looked for in a cell. */
export type Where = Partial<Omit<Cell, "title" | "trials" | "contenders">>

/** The first cell like that in which all of these take part. */
export const cellOf = (
  { result }: Figures,
  where: Where,
  contenders: ReadonlyArray<string> = [],
): Cell | undefined =>
  result.cells.find((cell) =>
    Object.entries(where).every(([name, value]) => cell[name as keyof Where] === value) && // they are its keys
    contenders.every((id) => cell.contenders.includes(id))
  )

/** The echo of 64-byte lines over 50 connections, which all contenders do. */
export const common = (inFlight: number): Where => ({
  scenario: "echo",
  framing: "lines",
  size: 64,
  connections: 50,
  inFlight,
})
