/**
 * Results that are kept in files: JSON that says what it is, read with one line for what is wrong with it.
 */
import * as Decoded from "effect/Result"
import * as Schema from "effect/Schema"
import { type Problem, problem } from "./Problem.ts"

/** A kind of result. */
export interface Kind<A> {
  /** What makes it: `anyport load`. */
  readonly command: string
  /** What its `format` and `version` have to be. */
  readonly format: string
  readonly version: number
  readonly schema: Schema.Decoder<A>
}

/** The result that a text is, or what is wrong with it. */
export const decode = <A>(text: string, { command, format, version, schema }: Kind<A>): A | Problem => {
  const expected = `Expected a result of ${command}, got`
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return problem(`${expected} what is no JSON: ${firstLine(error)}`)
  }
  if (typeof json !== "object" || json === null || !("format" in json) || json.format !== format) {
    return problem(`${expected} JSON without "format": "${format}"`)
  }
  if (!("version" in json) || json.version !== version) {
    const found = "version" in json ? JSON.stringify(json.version) : "none"
    return problem(`Expected a result of version ${version}, got version ${found}`)
  }
  const decoded = Schema.decodeUnknownResult(schema)(json)
  if (Decoded.isSuccess(decoded)) return decoded.success
  const [what = "", where = ""] = decoded.failure.message.split("\n").map((line) => line.trim())
  return problem(`${expected} one that is damaged: ${what} ${where}`.trim())
}

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split("\n")[0] ?? ""
