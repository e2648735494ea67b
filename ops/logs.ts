/**
 * Log lines: one JSON object a line, or a readable line in a terminal, on stderr. And which events become lines.
 *
 * Whatever a peer can choose is escaped, so that it is one line and moves no cursor (FAULTS 63).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Layer } from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel } from "effect/LogLevel"
import * as References from "effect/References"
import { performance } from "node:perf_hooks"
import process from "node:process"
import * as Address from "../core/Address.ts"
import * as CloseReason from "../core/CloseReason.ts"
import type { DrainReport, DrainStep } from "../core/DrainReport.ts"
import { type Event, isProbe, type Observer } from "../core/Event.ts"

/** Writes the program's log to stderr: readable in a terminal, else JSON with `time`, `level`, `message` and fields. */
export const layer = (): Layer<never> => {
  const format = process.stderr.isTTY ? readable : json
  // A closed stderr costs log lines, not the server.
  process.stderr.on("error", () => {})
  return Logger.layer([
    Logger.make((options) => {
      const annotations = options.fiber.getRef(References.CurrentLogAnnotations)
      const message = Array.isArray(options.message) ? options.message.map(String).join(" ") : String(options.message)
      const cause = options.cause.reasons.length === 0 ? {} : { cause: Cause.pretty(options.cause) }
      process.stderr.write(format(options.date, options.logLevel.toLowerCase(), message, { ...annotations, ...cause }))
    }),
  ])
}

/** How events become lines. */
export interface Options {
  /** The lowest level that becomes a line. Default: the logger decides. */
  readonly from?: Line["level"]
  /** More fields of the line that says that it listens. */
  readonly listening?: Record<string, unknown>
}

/**
 * Turns events into log lines by `run`, which carries the logger. Connections that come and end by themselves: debug;
 * those that a policy ended, with the setting: info. Probes: none. Refusals at one limit: a line at once, and then one in
 * ten seconds with how many there were.
 */
export const observer = (
  run: (effect: Effect.Effect<void>) => void,
  { from = "Debug", listening = {} }: Options = {},
): Observer => {
  const write = ({ level, message, fields }: Line): void => {
    if (severity[level] < severity[from]) return
    run(Effect.annotateLogs(Effect.logWithLevel(level)(message), fields))
  }
  const refusals = new Refusals(write)
  return (event) => {
    if (event._tag === "Refused") return refusals.add(event)
    if (event._tag === "Draining") refusals.flush()
    if (event._tag === "Drained") {
      event.report.steps.filter(({ outcome }) => outcome !== "done").map(undone).forEach(write)
    }
    const line = lineOf(event)
    if (line === undefined) return
    write(event._tag === "Listening" ? { ...line, fields: { ...line.fields, ...listening } } : line)
  }
}

const severity = { Debug: 0, Info: 1, Warn: 2, Error: 3 }

interface Line {
  readonly level: LogLevel & ("Debug" | "Info" | "Warn" | "Error")
  readonly message: string
  readonly fields: Record<string, unknown>
}

const quietMillis = 10_000

/** Refusals by limit: an attack is not to fill the disk as well. */
class Refusals {
  readonly #write: (line: Line) => void
  readonly #held = new Map<string, { until: number; count: number; last: Refused }>()

  constructor(write: (line: Line) => void) {
    this.#write = write
  }

  add(event: Refused): void {
    const now = performance.now()
    const held = this.#held.get(event.limit)
    if (held !== undefined && now < held.until) {
      held.count++
      held.last = event
      return
    }
    if (held !== undefined) this.#say(held)
    this.#held.set(event.limit, { until: now + quietMillis, count: 0, last: event })
    this.#write(refused(event, {}))
  }

  /** Says of all that were held back how many they are. */
  flush(): void {
    for (const held of this.#held.values()) this.#say(held)
    this.#held.clear()
  }

  #say({ count, last }: { readonly count: number; readonly last: Refused }): void {
    if (count > 0) this.#write(refused(last, { more: count }))
  }
}

type Refused = Extract<Event, { _tag: "Refused" }>

const refused = (event: Refused, fields: Record<string, unknown>): Line => ({
  level: "Warn",
  message: "refused",
  fields: {
    peer: peer(event),
    limit: CloseReason.settingOf(event.limit),
    ...(event.error === undefined ? {} : { detail: event.error.message }),
    ...fields,
  },
})

const lineOf = (event: Exclude<Event, Refused>): Line | undefined => {
  switch (event._tag) {
    case "Listening":
      return { level: "Info", message: "listening", fields: { address: Address.format(event.address) } }
    case "Opened":
      return { level: "Debug", message: "opened", fields: { connection: event.connection, peer: peer(event) } }
    case "LoggedIn": {
      const { connection, identity } = event
      return {
        level: "Debug",
        message: "logged in",
        fields: { connection, peer: peer(event), ...(identity === undefined ? {} : { identity }) },
      }
    }
    case "Probed":
      return undefined
    case "Closed": {
      if (isProbe(event)) return undefined
      const { connection, counters, duration, reason, unsent, identity } = event
      const detail = CloseReason.describe(reason)
      const setting = CloseReason.setting(reason)
      const { framesDropped, ...moved } = counters
      return {
        level: ordinary.has(reason._tag) ? "Debug" : "Info",
        message: "closed",
        fields: {
          connection,
          peer: peer(event),
          ...(identity === undefined ? {} : { identity }),
          reason: CloseReason.label(reason),
          ...(setting === undefined ? {} : { setting }),
          ...(detail === undefined ? {} : { detail }),
          ...moved,
          ...(framesDropped === 0 ? {} : { framesDropped }),
          duration,
          ...(unsent === 0 ? {} : { unsent }),
        },
      }
    }
    case "AcceptFailed": {
      const { code, cause } = event.failure
      return {
        level: "Warn",
        message: "accept failed",
        fields: { address: Address.format(event.address), code: code ?? "unknown", cause: String(cause) },
      }
    }
    case "HandlerFailed": {
      const { connection, kind, id } = event
      return {
        level: kind === "unavailable" ? "Warn" : "Error",
        message: `handler ${kind}`,
        fields: { connection, failure: id, cause: Cause.pretty(event.cause) },
      }
    }
    case "Suspected": {
      const { connection, level, silence } = event
      return {
        level: "Info",
        message: "suspected",
        fields: { connection, peer: peer(event), level: Number(level.toFixed(1)), silence: Math.round(silence) },
      }
    }
    case "LimitCrossed": {
      const { limit, value, threshold } = event
      return { level: "Warn", message: "limit crossed", fields: { limit: `limits.${limit}`, value, threshold } }
    }
    case "LoadChanged":
      return {
        level: event.load === "calm" ? "Info" : "Warn",
        message: "load changed",
        fields: { load: event.load, lag: Math.round(event.lag), setting: "overload.lag" },
      }
    case "Advised":
      return { level: "Warn", message: event.message, fields: { setting: event.setting } }
    case "Updated":
      return { level: "Debug", message: "settings changed", fields: {} }
    case "Draining":
      return { level: "Info", message: "draining", fields: { phase: event.phase, connections: event.connections } }
    case "Suspended":
      return { level: "Info", message: "suspended", fields: {} }
    case "Resumed":
      return { level: "Info", message: "resumed", fields: {} }
    case "Drained":
      return { level: "Info", message: "drained", fields: drained(event.report) }
  }
}

const undone = ({ phase, name, outcome, duration, cause }: DrainStep): Line => ({
  level: "Warn",
  message: `drain step ${outcome}`,
  fields: { step: name, phase, duration: Math.round(duration), ...(cause && { cause: Cause.pretty(cause) }) },
})

const drained = ({ steps, duration, ...counts }: DrainReport): Record<string, unknown> => ({
  ...counts,
  duration: Math.round(duration),
  ...(steps.length === 0 ? {} : { steps: steps.map(({ name, outcome }) => `${name}: ${outcome}`).join(", ") }),
})

const ordinary = new Set(["PeerClosed", "LocalClosed", "Drained"])

const peer = ({ remoteAddress }: { readonly remoteAddress: Address.Address | undefined }): string =>
  remoteAddress === undefined ? "unknown" : Address.format(remoteAddress)

const json = (date: Date, level: string, message: string, fields: Record<string, unknown>): string =>
  `${escaped(JSON.stringify({ time: date.toISOString(), level, message, ...fields }))}\n`

const readable = (date: Date, level: string, message: string, fields: Record<string, unknown>): string => {
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${quoted(value)}`)
  return `${date.toISOString().slice(11, 23)} ${colours[level] ?? ""}${level.padEnd(5)}\x1b[0m ${
    escaped(message)
  }\x1b[2m${pairs.join("")}\x1b[0m\n`
}

const colours: Record<string, string> = { debug: "\x1b[2m", info: "\x1b[32m", warn: "\x1b[33m", error: "\x1b[31m" }

const quoted = (value: unknown): string => {
  const text = String(value)
  return /^[\w.:/@[\]%+-]+$/.test(text) ? text : `"${escaped(text)}"`
}

// C0, DEL, C1, line separators and bidirectional controls: what could end the line or rewrite the screen. As JSON writes
// them, so that in JSON they are read as they were.
const escaped = (text: string): string =>
  // deno-lint-ignore no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
