/**
 * What a connection says in between, to stay alive: `30s=PING:PONG`, or `30s=PING` where nothing is answered. `\:` is a colon
 * of the text.
 */
import * as Duration from "../core/Duration.ts"
import * as Escapes from "./Escapes.ts"
import type { Beat } from "./Plan.ts"
import { isProblem, type Problem, problem } from "./Problem.ts"

/** The heartbeat that a text says. Not shorter than 10 ms, not longer than a day. */
export const parse = (text: string): Beat | Problem => {
  const equals = text.indexOf("=")
  const every = Duration.parse(text.slice(0, Math.max(0, equals)))
  if (every === undefined || every === Infinity) {
    return problem(`Expected a heartbeat such as 30s=PING:PONG, got ${text === "" ? "nothing" : text}`)
  }
  if (every < shortest || every > longest) return problem(`Expected a heartbeat every 10ms to 24h, got ${text}`)
  const rest = text.slice(equals + 1)
  const colon = Escapes.find(rest, ":")
  const send = Escapes.bytes(colon === -1 ? rest : rest.slice(0, colon), ":", equals + 1)
  if (isProblem(send)) return send
  const answer = colon === -1 ? undefined : Escapes.bytes(rest.slice(colon + 1), ":", equals + colon + 2)
  if (isProblem(answer)) return answer
  if (send.length === 0) return problem(`Expected something to send behind =, got ${text}`)
  if (answer?.length === 0) return problem(`Expected an answer behind the colon, or no colon, got ${text}`)
  return { every, send, answer }
}

const shortest = 10
const longest = 24 * 3_600_000
