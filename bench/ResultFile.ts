/**
 * Results as the text of files: encoded, decoded with one line for what is wrong, and whether a run can be taken up where
 * it was ended. Nothing here touches a file.
 */
import * as Schema from "effect/Schema"
import * as Kept from "../load/Kept.ts"
import type { Problem } from "../load/Problem.ts"
import { decisive } from "./Machine.ts"
import { format, Result, version } from "./Result.ts"

/** The same result is the same text. */
export const encode = (result: Result): string => `${JSON.stringify(Schema.encodeSync(Result)(result), null, 1)}\n`

/** The result that a file holds, or what is wrong with it. */
export const decode = (text: string): Result | Problem =>
  Kept.decode(text, { command: "anyport bench", format, version, schema: Result })

/** Why the trials of one run cannot go on in another; undefined when they can. */
export const differs = (before: Result, now: Omit<Result, "trials">): string | undefined => {
  for (const name of decisive) {
    const [was, is] = [before.machine[name], now.machine[name]]
    if (was !== is) return `it was made with ${name} ${was ?? "unknown"}, here it is ${is ?? "unknown"}`
  }
  for (const name of new Set([...Object.keys(before.versions), ...Object.keys(now.versions)])) {
    const [was, is] = [before.versions[name], now.versions[name]]
    if (was !== is) return `it was made with ${name} ${was ?? "missing"}, here it is ${is ?? "missing"}`
  }
  if (before.generator !== now.generator) return `it was made with the ${before.generator}, here is ${now.generator}`
  const planned = ({ seed, quick, cells, contenders }: Omit<Result, "trials">): string =>
    JSON.stringify([seed, quick, cells, contenders.map(({ id }) => id)])
  return planned(before) === planned(now) ? undefined : `its plan is that of "${before.command}"`
}
