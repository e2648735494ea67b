/**
 * What the person at the command line has to change. It ends the program with exit code 2 and its message as one line.
 */
import * as Data from "effect/Data"

/** Bad usage or configuration. The message names the value, its place, and what is accepted or the remedy. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly cause?: unknown
}> {}
