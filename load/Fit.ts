/**
 * Whether the parts of a plan fit together: what each of them says was read by itself before.
 */
import type { Framing } from "./Framing.ts"
import type { Beat, Expectation, Hello, Mode } from "./Plan.ts"
import * as Sources from "./Sources.ts"
import type { Target } from "./Target.ts"
import type { Content } from "./Template.ts"

/** What has to fit. */
export interface Parts {
  readonly target: Target
  readonly framing: Framing
  readonly content: Content
  readonly expect: Expectation
  readonly hello: Hello | undefined
  readonly beat: Beat | undefined
  readonly sources: ReadonlyArray<string>
  readonly mode: Mode
  readonly inFlight: number
}

/** What does not fit, in one line; undefined where everything does. */
export const problemOf = (parts: Parts): string | undefined =>
  Sources.wrong(parts.sources, parts.target) ?? wrongFrames(parts) ?? wrongContent(parts) ?? wrongRaw(parts)

/** Frames that are known as a whole. */
const wrongFrames = ({ framing, content, hello, beat, expect }: Parts): string | undefined => {
  // Replies that cannot come are waited for in vain.
  const echoes = expect._tag === "Echo" && expect.prefix.length > 0
    ? content.samples.map((message) => joined(expect.prefix, message))
    : []
  const frames: ReadonlyArray<readonly [what: string, frame: Uint8Array | undefined]> = [
    ...content.samples.map((message) => ["The message", message] as const),
    ...echoes.map((echo) => ["The echo with its prefix", echo] as const),
    ["The hello", hello?.send],
    ["The answer to the hello", hello?.expect],
    ["The heartbeat", beat?.send],
    ["The answer to the heartbeat", beat?.answer],
  ]
  for (const [what, frame] of frames) {
    const why = frame === undefined ? undefined : framing.refuses(frame)
    if (why !== undefined) return `${what} does not fit --framing ${framing.name}: ${why}`
  }
  return undefined
}

/** What may happen by chance. */
const wrongContent = ({ framing: { delimiter, name }, content, expect }: Parts): string | undefined => {
  if (delimiter?.some(content.mayWrite)) {
    return `The message does not fit --framing ${name}: a placeholder may write what ends a frame`
  }
  if (delimiter !== undefined && expect._tag === "Prefix" && includes(expect.prefix, delimiter)) {
    return `The expected prefix does not fit --framing ${name}: it holds what ends a frame`
  }
  return undefined
}

/** Without framing, replies are told by what is known of them. */
const wrongRaw = ({ framing, expect, hello, beat, mode, inFlight }: Parts): string | undefined => {
  const { name, raw } = framing
  if (raw === undefined || expect._tag === "None") return undefined
  if (raw === "echo" && (hello !== undefined || beat !== undefined)) {
    return `--framing ${name} tells an echo by its length, which an answer to a hello or a heartbeat has not: choose another`
  }
  if (raw === "chunk" && (mode === "flood" || (inFlight > 1 && mode !== "churn" && mode !== "idle"))) {
    return `--framing ${name} takes what arrives together for one reply: send one at a time, or say how long a reply is ` +
      "(raw:BYTES)"
  }
  if (raw !== "length") return undefined
  const length = Number(name.slice("raw:".length))
  const other = [hello?.expect, beat?.answer].find((answer) => answer !== undefined && answer.length !== length)
  return other === undefined
    ? undefined
    : `--framing ${name} wants answers of ${length} bytes, also to a hello or a heartbeat, got ${other.length}`
}

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}

const includes = (bytes: Uint8Array, part: Uint8Array): boolean => {
  for (let at = bytes.indexOf(part[0]!); at !== -1; at = bytes.indexOf(part[0]!, at + 1)) {
    if (part.every((byte, index) => bytes[at + index] === byte)) return true
  }
  return false
}
