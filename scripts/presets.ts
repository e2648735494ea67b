/**
 * What `docs/limits.md` shows of the code: the presets, what of each ends or refuses a connection, and after how much
 * silence a peer is suspected. Nothing is measured: all of it follows from core.
 *
 * ```
 * npm run presets             writes the tables
 * ```
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import * as CloseReason from "../core/CloseReason.ts"
import type { RefusalLimit } from "../core/Event.ts"
import type { Preset } from "../core/Options.ts"
import { presets } from "../core/Presets.ts"
import { Suspicion } from "../core/Suspicion.ts"
import * as Generated from "./generated.ts"

/** A block of the page, and what belongs into it. */
export interface Table {
  readonly block: Generated.Block
  readonly markdown: () => string
}

/** All blocks of the page. */
export const tables: ReadonlyArray<Table> = [
  { block: { path: "docs/limits.md", name: "presets" }, markdown: () => renderPresets() },
  { block: { path: "docs/limits.md", name: "suspicion" }, markdown: () => renderSuspicion() },
  { block: { path: "docs/limits.md", name: "reasons" }, markdown: () => renderReasons() },
  { block: { path: "docs/limits.md", name: "refusals" }, markdown: () => renderRefusals() },
]

// ── Presets ────────────────────────────────────────────────────────────────────────────────────────────────────────

const groups = ["limits", "deadlines", "drain", "heartbeat", "overload"] as const
const names = Object.keys(presets) as ReadonlyArray<Preset> // its keys are the presets
const bytes = new Set(["limits.outboxHigh", "limits.outboxLow", "limits.maxFrame", "limits.memory"])

/** Every option with a default, in every preset. What a preset changes of `local` is bold. */
const renderPresets = (): string =>
  table(
    ["", ...names.map((name) => `\`${name}\``)],
    groups.flatMap((group) =>
      Object.entries(presets.local[group]).map(([key, usual]) => {
        const name = `${group}.${key}`
        const cells = names.map((preset) => {
          const changed: unknown = Object.entries(presets[preset][group] ?? {}).find(([other]) => other === key)?.[1]
          const value = cell(name, changed ?? usual)
          return changed === undefined || value === cell(name, usual) ? value : `**${value}**`
        })
        return [`\`${name}\``, ...cells]
      })
    ),
  )

const cell = (name: string, value: unknown): string => {
  if (value === Infinity || value === "off" || value === "" || value === 0) return "–"
  if (Array.isArray(value)) return value.length === 0 ? "–" : value.join(", ")
  if (isRate(value)) return `${numeral(value.perSecond)} a second, ${numeral(value.burst)} at once`
  if (typeof value !== "number") return String(value)
  if (name === "limits.minRate") return `${numeral(value)} B/s`
  return bytes.has(name) ? size(value) : numeral(value)
}

const isRate = (value: unknown): value is { readonly perSecond: number; readonly burst: number } =>
  typeof value === "object" && value !== null && "perSecond" in value

const size = (value: number): string => value >= 1024 ** 2 ? `${value / 1024 ** 2} MiB` : `${value / 1024} KiB`

const numeral = (value: number): string => value.toLocaleString("en")

// ── Suspicion ──────────────────────────────────────────────────────────────────────────────────────────────────────

const levels = [1, 2, 3, 5, 8, 12]
const intervals = [20, 30, 60]

/** Seconds of silence at which a peer that never was late reaches a level. */
const renderSuspicion = (): string =>
  table(
    ["level", ...intervals.map((seconds) => `every ${seconds} s`)],
    levels.map((level) => [String(level), ...intervals.map((seconds) => `${silence(seconds, level)} s`)]),
  )

const silence = (interval: number, level: number): number => {
  const suspicion = new Suspicion(interval * 1_000, 0)
  let seconds = 0
  while (suspicion.level(seconds * 1_000) < level) seconds++
  return seconds
}

// ── Reasons ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How the peer sees that it was ended by a policy; nothing for what is none. */
const endings: Readonly<Record<CloseReason.CloseReason["_tag"], string | undefined>> = {
  PeerClosed: undefined,
  PeerReset: undefined,
  LocalClosed: undefined,
  HandlerFailed: undefined,
  HandlerTimeout: "FIN",
  DecodeFailed: undefined,
  EncodeFailed: undefined,
  TruncatedFrame: undefined,
  WriteStalled: "reset",
  FirstFrameTimeout: "FIN",
  FrameTimeout: "FIN",
  IdleTimeout: "FIN",
  TooSlow: "FIN, or a reset when it is too slow to take something",
  HeartbeatLost: "FIN, or a reset when something waits for it",
  OutboxFull: "reset",
  RateExceeded: "FIN",
  Overloaded: "FIN",
  MaxAge: "FIN",
  Kicked: undefined,
  Drained: undefined,
  DrainTimeout: "reset",
  LoginRefused: undefined,
  LoginTimeout: "FIN",
  Superseded: undefined,
  Refused: "reset",
  TransportFailed: undefined,
}

const reasons: ReadonlyArray<readonly [reason: CloseReason.CloseReason, ending?: string]> = [
  [CloseReason.firstFrameTimeout],
  [CloseReason.frameTimeout],
  [CloseReason.tooSlow],
  [CloseReason.idleTimeout("idle")],
  [CloseReason.idleTimeout("readIdle")],
  [CloseReason.idleTimeout("writeIdle")],
  [CloseReason.maxAge],
  [CloseReason.writeStalled],
  [CloseReason.outboxFull],
  [CloseReason.heartbeatLost],
  [CloseReason.rateExceeded],
  [CloseReason.overloaded("memory"), "reset"],
  [CloseReason.overloaded("lag")],
  [CloseReason.handlerTimeout],
  [CloseReason.loginTimeout],
  [CloseReason.refused("authenticate.maxUnauthenticated")],
  [CloseReason.drainTimeout],
]

/** What ends a connection by a setting, and how that stands in the log. */
const renderReasons = (): string => {
  const shown = new Set(reasons.map(([{ _tag }]) => _tag))
  for (const [tag, ending] of Object.entries(endings)) {
    if (ending !== undefined && ![...shown].includes(tag as keyof typeof endings)) throw new Error(`${tag} has no row`) // a key of it
  }
  return table(
    ["setting", "`CloseReason`", "in the log", "the peer sees"],
    reasons.map(([reason, ending = endings[reason._tag]]) => {
      const setting = CloseReason.setting(reason)
      if (setting === undefined || ending === undefined) throw new Error(`${reason._tag} is no policy's`)
      return [
        `\`${setting}\``,
        `\`${reason._tag}\``,
        `\`reason=${CloseReason.label(reason)} setting=${setting}\``,
        ending,
      ]
    }),
  )
}

/** Whether somebody who is refused at a limit is told `limits.busy`. */
const refusals: Readonly<Record<RefusalLimit, boolean>> = {
  "draining": true,
  "proxy.trusted": false,
  "overload.lag": true,
  "memory": true,
  "maxConnections": true,
  "listener.maxConnections": true,
  "proxy.timeout": false,
  "proxy.header": false,
  "deny": false,
  "allow": false,
  "maxConnectionsPerAddress": true,
  "acceptRate": true,
  "acceptRatePerAddress": true,
  "admit": true,
  "deadlines.admit": true,
}

/** Where somebody is refused, in the order in which it is asked. */
const renderRefusals = (): string =>
  table(
    ["`limit` of the event", "in the log", "is told `busy`"],
    (Object.entries(refusals) as ReadonlyArray<[RefusalLimit, boolean]>).map(([limit, told]) => [ // its keys are limits
      `\`${limit}\``,
      `\`limit=${CloseReason.settingOf(limit)}\``,
      told ? "yes" : "no",
    ]),
  )

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { block, markdown } of tables) Generated.write(block, markdown())
}
