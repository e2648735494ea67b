/**
 * Who is measured in which cell, how often and in what order. Pure: the same contenders and seed make the same plan.
 *
 * A plan goes in rounds. In a round every cell has its turn, in random order, and in a cell every contender, likewise;
 * so whatever the machine does for a while meets all alike, and the trials of a cell and round are neighbours. Where CPU
 * time is what counts they are more than that: their contenders are measured by turns. Cells whose schedule is a share of
 * what a contender can do come last.
 */
import { Random } from "../load/Random.ts"
import { counts, grouped } from "./Figures.ts"
import type { Cell, Contender, Trial } from "./Result.ts"
import { fewest } from "./Statistics.ts"
import { type Draft, guests, highest, quick as short, roleOf } from "./Scenarios.ts"

/** One trial that is to be made. */
export type Step = Pick<Trial, "cell" | "contender" | "round">

/** What is to be done. */
export interface Plan {
  readonly seed: number
  readonly quick: boolean
  /** Seconds of load before, and of those that are measured. */
  readonly warmup: number
  readonly seconds: number
  /** Of those who are in a cell. */
  readonly contenders: ReadonlyArray<Contender>
  readonly cells: ReadonlyArray<Cell>
  readonly steps: ReadonlyArray<Step>
}

/** What a plan is made of. */
export interface Options {
  readonly drafts: ReadonlyArray<Draft>
  readonly contenders: ReadonlyArray<Contender>
  readonly seed: number
  readonly quick: boolean
  /** Scenarios or ids of cells. Default all. */
  readonly only?: ReadonlyArray<string>
  /** Seconds that are measured, half of it before. Default 2 (quick: 1). */
  readonly seconds?: number | undefined
  /** Default 7 in cells that a bar stands on, else 5, of memory and garbage 3 (quick: 3, of memory 1). */
  readonly trials?: number | undefined
}

/** How often a trial that does not count is made again; by turns, how many rounds are added for such. */
export const repeats = 2

/** Whether the contenders of a cell are measured by turns, all of a round at once. */
export const isByTurns = ({ scenario, framing }: Pick<Cell, "scenario" | "framing">): boolean =>
  scenario === "echo" && framing !== "own" || scenario === "churn"

/** A quick run takes at most so long, in seconds. */
export const quickBudget = 160

/** Makes a plan. Cells that nobody is in are left out. */
export const make = (options: Options): Plan => {
  const { seed, quick } = options
  const seconds = options.seconds ?? (quick ? 1 : 2)
  const base = { seed, quick, warmup: seconds / 2, seconds }
  const asked = options.drafts.filter(({ cell }) => isAsked(cell, options))
  const needsHighest = asked.some(({ cell }) => cell.share !== undefined)
  const drafts = needsHighest && !asked.some(({ cell }) => cell.id === highest)
    ? [...lean(options.drafts), ...asked]
    : asked
  const cellsOf = (takes: (contender: Contender) => boolean): ReadonlyArray<Cell> =>
    drafts.flatMap(({ cell, bar, takes: of }) => {
      const trials = options.trials ?? usual(cell.scenario, bar, quick)
      const contenders = options.contenders.filter((contender) => of(contender) && takes(contender))
      return contenders.length === 0 ? [] : [{ ...cell, trials, contenders: contenders.map(({ id }) => id) }]
    })
  const planOf = (cells: ReadonlyArray<Cell>): Plan => {
    const taking = options.contenders.filter(({ id }) => cells.some(({ contenders }) => contenders.includes(id)))
    return { ...base, contenders: taking, cells, steps: order(cells, seed) }
  }
  const isOwn = drafts.every(({ cell }) => cell.id === "service" || cell.scenario === "generator")
  if (!quick || isOwn) return planOf(cellsOf(() => true))
  // A guest comes with all of its runtimes or not at all.
  let roles = short.roles
  const among = (roles: ReadonlyArray<string>) => planOf(cellsOf((contender) => roles.includes(guestOf(contender))))
  for (const guest of guests) {
    if (duration(among([...roles, guest])) <= quickBudget) roles = [...roles, guest]
  }
  return among(roles)
}

const guestOf = (contender: Contender): string => contender.family === "custom" ? "custom" : roleOf(contender)

/** Memory and garbage vary little, and what they take is long. */
const usual = (scenario: Cell["scenario"], bar: boolean, quick: boolean): number => {
  if (scenario === "idle") return quick ? 1 : 3
  return quick || scenario === "allocation" ? 3 : bar ? 7 : 5
}

/** Whether a cell is in a plan that is made so. */
export const isAsked = (cell: Draft["cell"], { quick, only }: Pick<Options, "quick" | "only">): boolean => {
  if (only !== undefined && only.length > 0) {
    return only.includes(cell.id) || only.includes(cell.scenario) && inShort(cell, quick)
  }
  return inShort(cell, quick)
}

const inShort = ({ id, scenario }: Draft["cell"], quick: boolean): boolean =>
  !quick || short.cells.includes(id) || id === "service" || scenario === "generator"

/** The cell that says what a contender can do at most, for those alone who need it. */
const lean = (drafts: ReadonlyArray<Draft>): ReadonlyArray<Draft> => {
  const takers = drafts.filter(({ cell }) => cell.share !== undefined)
  return drafts.filter(({ cell }) => cell.id === highest).map((draft) => ({
    ...draft,
    bar: false,
    takes: (contender) => takers.some(({ takes }) => takes(contender)),
  }))
}

const order = (cells: ReadonlyArray<Cell>, seed: number): ReadonlyArray<Step> => {
  const random = new Random(seed)
  return [cells.filter((cell) => !isLast(cell)), cells.filter(isLast)].flatMap((stage) => {
    const rounds = Math.max(0, ...stage.map(({ trials }) => trials))
    return Array.from(
      { length: rounds },
      (_, round) =>
        shuffled(stage.filter(({ trials }) => round < trials), random).flatMap(({ id, contenders }) =>
          shuffled(contenders, random).map((contender) => ({ cell: id, contender, round: round + 1 }))
        ),
    ).flat()
  })
}

/** Its schedule is a share of what others find out. */
const isLast = ({ share }: Cell): boolean => share !== undefined

/** The same values in an order by chance. */
export const shuffled = <A>(values: ReadonlyArray<A>, random: Random): ReadonlyArray<A> => {
  const left = [...values]
  return values.map(() => left.splice(random.below(left.length), 1)[0]!)
}

/**
 * What of a plan is still to be done after some trials: what has not been made, in order, and then again what did not
 * count, at most {@link repeats} times each; so for the cells before the schedules, and then for those. By turns nobody is
 * measured alone: while somebody has too few trials that count, a round of all is added instead, at most so many.
 * `isGone`: who is asked no more, and nothing is repeated for.
 */
export const left = (
  plan: Plan,
  trials: ReadonlyArray<Trial>,
  isGone: (contender: string) => boolean = () => false,
): ReadonlyArray<Step> => {
  const made = grouped(trials, keyOf)
  const asked = plan.steps.filter(({ contender }) => !isGone(contender))
  return [false, true].flatMap((last) => {
    const cells = plan.cells.filter((cell) => isLast(cell) === last)
    const those = new Map(cells.map((cell) => [cell.id, cell]))
    const steps = asked.filter(({ cell }) => those.has(cell))
    const missing = steps.filter((step) => !made.has(keyOf(step)))
    const again = steps.filter((step) => {
      const before = made.get(keyOf(step)) ?? []
      return !isByTurns(those.get(step.cell)!) && before.length > 0 && before.length <= repeats && !before.some(counts)
    })
    // Those with the fewest attempts first, so that a second one is not made in the place where the first has failed.
    const attempts = (step: Step): number => made.get(keyOf(step))!.length
    const unfinished = new Set(missing.map(({ cell }) => cell))
    return [
      ...missing,
      ...again.toSorted((one, other) => attempts(one) - attempts(other)),
      ...cells.filter((cell) => isByTurns(cell) && !unfinished.has(cell.id))
        .flatMap((cell) => added(cell, trials.filter((trial) => trial.cell === cell.id), isGone)),
    ]
  })
}

/** The next round that is added to a cell, or nothing. */
const added = (
  cell: Cell,
  trials: ReadonlyArray<Trial>,
  isGone: (contender: string) => boolean,
): ReadonlyArray<Step> => {
  const rounds = Math.max(0, ...trials.map(({ round }) => round))
  const those = cell.contenders.filter((id) => !isGone(id))
  const wanted = Math.max(Math.min(fewest, cell.trials), cell.trials - repeats)
  const lacks = (id: string): boolean => trials.filter((one) => one.contender === id && counts(one)).length < wanted
  if (rounds >= cell.trials + repeats || !those.some(lacks)) return []
  return those.map((contender) => ({ cell: cell.id, contender, round: rounds + 1 }))
}

/** Of what is left, what is measured at once: the first, or by turns all of its cell and round. */
export const together = (plan: Plan, left: ReadonlyArray<Step>): ReadonlyArray<Step> => {
  const [first] = left
  const cell = plan.cells.find(({ id }) => id === first?.cell)
  if (first === undefined || cell === undefined || !isByTurns(cell)) return left.slice(0, 1)
  return left.filter((step) => step.cell === first.cell && step.round === first.round)
}

const keyOf = ({ cell, contender, round }: Step): string => `${cell} ${contender} ${round}`

/** How long steps take, about, in seconds: by default all of a plan. */
export const duration = (plan: Plan, steps: ReadonlyArray<Step> = plan.steps): number => {
  const cost = new Map(plan.cells.map((cell) => [cell.id, costOf(cell, plan)]))
  return steps.reduce((sum, { cell }) => sum + (cost.get(cell) ?? 0), 0)
}

const costOf = (cell: Cell, { warmup, seconds }: Plan): number => {
  const connections = cell.connections ?? 0
  switch (cell.scenario) {
    case "start":
      return 0.7
    case "idle":
      return 3 + connections / 1_500
    default:
      // A process starts, connections are made, and both are ended.
      return 0.45 + warmup + seconds + connections / 2_000
  }
}
