/** A case of the table "Time to recover": what befalls a program that serves, and what is measured until it serves again. */
import type { Runtime } from "../child.ts"

/** How many clients there are. */
export interface Scale {
  /** Of those that talk all the time. */
  readonly talking: number
  /** Of those that come back all at once. */
  readonly returning: number
}

/** What one figure is, in the table, and its unit. */
export interface Measure {
  readonly title: string
  readonly unit: "ms" | "%" | ""
  /** Above which the script ends with 1. Default: it is shown and not judged. */
  readonly most?: number
}

/** One case. It starts the program that it needs and ends it. */
export interface Case {
  /** What `--only` and the results call it. */
  readonly name: string
  /** What happens, in the table. */
  readonly title: (scale: Scale) => string
  readonly measures: ReadonlyArray<Measure>
  /**
   * One figure for each measure. Bounded in time. Rejects when the program does not recover, or when something was lost
   * that must not be.
   */
  readonly run: (runtime: Runtime, scale: Scale) => Promise<ReadonlyArray<number>>
}

/** Calls `use` with something and stops it, whatever happens. */
export const using = async <A extends { readonly stop: () => void | Promise<void> }, B>(
  acquired: A,
  use: (acquired: A) => Promise<B>,
): Promise<B> => {
  try {
    return await use(acquired)
  } finally {
    await acquired.stop()
  }
}
