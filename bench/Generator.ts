/**
 * Who makes the load: a small C client where a compiler is, `anyport load` otherwise. Both do the same work and say the
 * same of it; nothing here decides whether a measurement counts.
 */
import * as C from "./clients/c.ts"
import * as AnyportLoad from "./clients/load.ts"
import type { Missing } from "./Contenders.ts"
import type { Load, Loaded } from "./Load.ts"

export { generators, pong, type Simulated, type Simulator } from "./clients/simulators.ts"
export type { Load, Loaded, Percentiles } from "./Load.ts"

/** Who makes the load. */
export interface Generator {
  readonly id: "c" | "load"
  /** With its version: `C client (gcc 12.2.0)`. */
  readonly title: string
  /** `cpu`: the only one that it may use. Rejects only when there is no measurement at all. */
  readonly run: (load: Load, options?: { readonly cpu?: number | undefined }) => Promise<Loaded>
  /** The same in parts, with pauses in between that belong to others. For what has no schedule and no frozen peers. */
  readonly parts: (load: Load, options?: { readonly cpu?: number | undefined }) => Promise<Parts>
}

/** A load in parts. What is measured is the sum of all but the first one, which is the warm-up. */
export interface Parts {
  /** How many there are, the warm-up included. */
  readonly count: number
  /** Makes the next one; the last one says what was measured. Rejects when there is no measurement. */
  readonly next: () => Promise<Loaded | undefined>
  /** Ends it, wherever it is. */
  readonly stop: () => Promise<void>
}

export interface GeneratorOptions {
  /** The file of Anyport's command line. */
  readonly main: string
}

/** The best generator of this machine, and what kept it from a better one. */
export const make = async (
  options: GeneratorOptions,
): Promise<{ readonly generator: Generator; readonly missing: ReadonlyArray<Missing> }> => {
  const client = await C.compile()
  if ("file" in client) return { generator: await C.make(client.file), missing: [] }
  return { generator: AnyportLoad.make(options), missing: [{ name: "C client", reason: client.reason }] }
}
