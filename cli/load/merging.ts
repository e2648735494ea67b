/**
 * `anyport load merge`: results of many machines as one.
 */
import * as Effect from "effect/Effect"
import { merge } from "../../load/Merge.ts"
import { isProblem } from "../../load/Problem.ts"
import { decode, type Result } from "../../load/Result.ts"
import * as Threshold from "../../load/Threshold.ts"
import * as File from "../file.ts"
import { UsageError } from "../UsageError.ts"
import * as Ask from "./Ask.ts"
import type { Outputs as Given } from "./flags.ts"
import { tell } from "./main.ts"
import * as Outputs from "./outputs.ts"

/** Merges the results in files. The exit code is left in `exit`. */
export const mergeFiles = Effect.fnUntraced(function* (
  files: ReadonlyArray<string>,
  outputs: Given,
  exit: (code: number) => void,
) {
  const thresholds = yield* Ask.thresholdsOf(outputs.threshold)
  yield* Outputs.check(outputs)
  const results = yield* Effect.forEach(files, read)
  const merged = merge(results)
  if (isProblem(merged)) return yield* fail(`${merged.problem} (${files.join(", ")})`)
  // Those that the results had are checked anew; others may be added.
  const added = thresholds.filter(({ text }) => !merged.thresholds.some((one) => one.text === text))
  const checked = [...merged.thresholds, ...Threshold.checkAll(added, merged)]
  exit(yield* tell({ ...merged, thresholds: checked }, outputs))
})

const read = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Result, UsageError> {
  const result = decode(yield* File.read(file))
  return isProblem(result) ? yield* fail(`${file}: ${result.problem}`) : result
})

const fail = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))
