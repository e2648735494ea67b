/**
 * How one trial is made: by a process that serves nothing else, with what its scenario measures of it. A trial that went
 * wrong has problems and no rejection; whether it counts is the gate's affair.
 */
import type { Generator, Simulator } from "../Generator.ts"
import { launch, type LaunchOptions, type Program } from "../Contenders.ts"
import type { Child } from "../Program.ts"
import type { Cell, Measures } from "../Result.ts"

/** What trials are made with. */
export interface Tools {
  /** The file of the command line, which serves. */
  readonly main: string
  readonly generator: Generator
  /** Programs and simulators by the ids of contenders. */
  readonly programs: ReadonlyMap<string, Program>
  readonly simulators: ReadonlyMap<string, Simulator>
  /** The server that simulators ask. */
  readonly pong: ReadonlyArray<string>
  /** The command of one's own client, without where it goes and how long. */
  readonly client: ReadonlyArray<string> | undefined
  /** All CPUs that there are for this comparison; a server has one of them, unless its scenario gives it more. */
  readonly allowed: ReadonlyArray<number>
  readonly cpus: { readonly server: number; readonly client: number } | undefined
}

/** What is asked in a trial. */
export interface Ask {
  readonly cell: Cell
  readonly program: Program
  /** Seconds of load before, and of those that are measured. */
  readonly warmup: number
  readonly seconds: number
  /** Requests a second that the contender reaches at most, where a schedule is a share of it. */
  readonly highest: number | undefined
}

/** What came of it. */
export interface Made {
  readonly measures: Measures
  readonly errors: number
  readonly problems: ReadonlyArray<string>
  /** Processes that served, each on a core of its own. Default 1. */
  readonly servers?: number
}

/** Starts a contender, lets it be measured, and ends it. What became of it in between is a problem of the trial. */
export const during = async (
  program: Program,
  options: LaunchOptions,
  measure: (child: Child) => Promise<Made>,
): Promise<Made> => {
  const child = await launch(program, options)
  try {
    let died: number | string | undefined
    void child.ended.then((how) => died = how)
    const made = await measure(child)
    return died === undefined ? made : { ...made, problems: [`the server ended with ${died}`, ...made.problems] }
  } finally {
    await child.stop()
  }
}

/** The program on some CPUs, where it would have the generator's alone from this process. */
export const on = (cpus: ReadonlyArray<number>, program: Program, { cpus: pinned }: Tools): Program =>
  pinned === undefined ? program : { ...program, argv: ["taskset", "-c", cpus.join(","), ...program.argv] }

/** Those that were measured. */
export const known = (measures: Readonly<Record<string, number | undefined>>): Measures =>
  Object.fromEntries(
    Object.entries(measures).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  )
