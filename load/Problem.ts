/**
 * What is wrong with a text that was to be read: one line, without a period, that says what was wanted and what was found.
 */

/** Why a text means nothing. */
export interface Problem {
  readonly problem: string
}

/** A problem. */
export const problem = (problem: string): Problem => ({ problem })

/** Whether it is a problem, and not what was wanted. */
export const isProblem = (value: unknown): value is Problem =>
  typeof value === "object" && value !== null && "problem" in value
