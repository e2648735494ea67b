/**
 * What a connection says before anything else, and the answer to it: an authentication. One frame each.
 */
import * as Escapes from "./Escapes.ts"
import type { Hello } from "./Plan.ts"
import { isProblem, type Problem } from "./Problem.ts"

/** A hello, and the answer that is expected: any one where it is undefined. Both with escapes. */
export const parse = (send: string, expect?: string): Hello | Problem => {
  const bytes = Escapes.bytes(send)
  if (isProblem(bytes)) return bytes
  const answer = expect === undefined ? undefined : Escapes.bytes(expect)
  return isProblem(answer) ? answer : { send: bytes, expect: answer }
}
