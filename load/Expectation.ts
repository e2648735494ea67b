/**
 * What a reply has to be, as the command line says it. Regular expressions are run on what a server sends: each reply is
 * bounded by the largest frame, but one with nested repetitions can still take very long for a long reply.
 */
import * as Escapes from "./Escapes.ts"
import type { Expectation } from "./Plan.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"

/** What is accepted, for messages. */
export const accepted = "echo, echo:PREFIX, prefix:TEXT, regex:/PATTERN/, any or none"

/** The expectation that a text says. */
export const parse = (text: string): Expectation | Problem => {
  const [, name = "", argument] = /^([a-z]*)(?::(.*))?$/s.exec(text) ?? []
  if (name === "any" && argument === undefined) return { _tag: "Any" }
  if (name === "none" && argument === undefined) return { _tag: "None" }
  if (name === "echo") return withPrefix("Echo", argument ?? "")
  if (name === "prefix" && argument !== undefined) {
    return argument === ""
      ? problem("Expected prefix:TEXT, got no text; write any for whatever comes")
      : withPrefix("Prefix", argument)
  }
  if (name === "regex" && argument !== undefined && argument !== "") return matches(argument)
  return problem(`Expected ${accepted}, got ${text === "" ? "nothing" : text}`)
}

const withPrefix = (_tag: "Echo" | "Prefix", text: string): Expectation | Problem => {
  const prefix = Escapes.bytes(text)
  return isProblem(prefix) ? prefix : { _tag, prefix }
}

const matches = (text: string): Expectation | Problem => {
  const [, pattern, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [undefined, text, ""]
  // With g or y a pattern remembers where it was, and every second reply would not match.
  const wrong = [...flags!].find((flag) => !"imsuv".includes(flag))
  if (wrong !== undefined) return problem(`Expected a pattern with flags of i, m, s, u and v, got ${text}`)
  try {
    return { _tag: "Matches", pattern: new RegExp(pattern!, flags) }
  } catch (error) {
    return problem(`Expected a regular expression: ${error instanceof Error ? error.message : String(error)}`)
  }
}
