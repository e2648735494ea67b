/**
 * Who can take part on this machine, and how each is started. What cannot is named with a reason that a person
 * understands. Nothing here measures; what is asked of them is the plan's affair.
 */
import type { Contender, RuntimeName } from "./Result.ts"
import type { Child } from "./Program.ts"

/** Somebody who takes part: an echo server on loopback. */
export interface Program extends Contender {
  /** As it is started; `{port}` stands for a free port in a command that announces none. */
  readonly argv: ReadonlyArray<string>
  /** What it takes requests to be; undefined for a service that is not ours. */
  readonly framing: "lines" | "length" | undefined
  /** What it puts in front of a line; empty where frames have a length. */
  readonly prefix: string
  /** The file that is compiled or run, or the module that Anyport serves. */
  readonly source?: string
}

/** What there is and what there is not. */
export interface Contenders {
  readonly present: ReadonlyArray<Program>
  readonly missing: ReadonlyArray<{ readonly name: string; readonly reason: string }>
}

/** Who is asked for. */
export interface ContendersOptions {
  /** The file of Anyport's command line, which serves. */
  readonly main: string
  /** Runtimes that take part. Default: all three. */
  readonly runtimes?: ReadonlyArray<RuntimeName>
  /** Contenders of one's own: `name=command with {port}`. */
  readonly custom?: ReadonlyArray<string>
  /** Other versions of a runtime: `bun@1.3=PATH`. */
  readonly versions?: ReadonlyArray<string>
  /** A module whose default export is a service, served on each runtime. */
  readonly service?: string
  /** Only these are looked for and compiled, by their ids. Default: all. */
  readonly only?: (id: string) => boolean
}

/** How one is started for a trial. */
export interface LaunchOptions {
  /** The only CPU that it may use. Default: all. */
  readonly cpu?: number | undefined
  /** For the runtime, such as `--trace-gc` or `--expose-gc`: put where each runtime takes its own. */
  readonly flags?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Keep all that it writes, for `Child.output`. Default false. */
  readonly keep?: boolean
}

/** Looks for all who can take part. Throws an Error of one line for what was asked and cannot be. */
export declare const contenders: (options: ContendersOptions) => Promise<Contenders>

/** Starts one in a process of its own. */
export declare const launch: (program: Program, options?: LaunchOptions) => Promise<Child>
