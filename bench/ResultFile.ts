/**
 * Results as the text of files: encoded, decoded with one line for what is wrong, and whether a run can be taken up where
 * it was ended. Nothing here touches a file.
 */
import * as Decoded from "effect/Result"
import * as Schema from "effect/Schema"
import { type Problem, problem } from "../load/Problem.ts"
import { decisive } from "./Machine.ts"
import { format, Result, version } from "./Result.ts"

/** The same result is the same text. */
export const encode = (result: Result): string => `${JSON.stringify(Schema.encodeSync(Result)(result), null, 1)}\n`

/** The result that a file holds, or what is wrong with it. */
export const decode = (text: string): Result | Problem => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    const [why] = String(error instanceof Error ? error.message : error).split("\n")
    return problem(`Expected a result of anyport bench, got what is no JSON: ${why}`)
  }
  if (typeof json !== "object" || json === null || !("format" in json) || json.format !== format) {
    return problem(`Expected a result of anyport bench, got JSON without "format": "${format}"`)
  }
  if (!("version" in json) || json.version !== version) {
    const found = "version" in json ? JSON.stringify(json.version) : "none"
    return problem(`Expected a result of version ${version}, got version ${found}`)
  }
  const decoded = Schema.decodeUnknownResult(Result)(json)
  if (Decoded.isSuccess(decoded)) return decoded.success
  const [what = "", where = ""] = decoded.failure.message.split("\n").map((line) => line.trim())
  return problem(`Expected a result of anyport bench, got one that is damaged: ${what} ${where}`.trim())
}

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
