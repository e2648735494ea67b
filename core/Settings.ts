/**
 * The options of a server as one checked, immutable record of numbers. It is swapped whole when something is changed, so
 * whoever reads it sees all of a change or nothing.
 *
 * Milliseconds for all times; Infinity where there is no bound.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { Rates } from "./Meter.ts"
import * as Networks from "./Networks.ts"
import type { AdmitRule, Alarm, LimitOptions, Preset, ProxyOptions, Queue, Tunables } from "./Options.ts"
import { presets } from "./Presets.ts"
import * as Rate from "./Rate.ts"

/** Bounds on who may enter and on what a connection may hold. */
export interface Limits {
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly acceptRate: Rate.Rate | undefined
  readonly acceptRatePerAddress: Rate.Rate | undefined
  readonly allow: Networks.Networks | undefined
  readonly deny: Networks.Networks
  readonly atLimit: "refuse" | "reset" | "backlog" | { readonly queue: number; readonly timeout: number }
  readonly busy: Uint8Array
  readonly maxRefusing: number
  readonly outboxHigh: number
  readonly outboxLow: number
  readonly maxFrame: number
  readonly memory: number
  readonly maxInFlight: number
  /** Of each connection, and of each client address; undefined when none of them has a bound. */
  readonly rates: { readonly connection: Rates; readonly address: Rates } | undefined
  readonly overRate: "wait" | "close"
  /** Bytes a second. */
  readonly minRate: number
}

/** Bounds in time, in milliseconds. */
export interface Bounds {
  readonly close: number
  readonly linger: number
  readonly writeStall: number
  readonly firstFrame: number
  readonly frame: number
  readonly idle: number
  readonly readIdle: number
  readonly writeIdle: number
  readonly maxAge: number
  readonly grace: number
  readonly admit: number
  readonly drain: number
}

/** Signs of life. */
export interface HeartbeatSettings {
  readonly interval: number
  readonly missed: number
  readonly suspectAt: number
  readonly loseAt: number
}

/** A server's settings. */
export interface Settings {
  readonly preset: Preset
  readonly limits: Limits
  readonly deadlines: Bounds
  readonly heartbeat: HeartbeatSettings
  readonly overload: { readonly lag: number }
  readonly proxy: { readonly trusted: Networks.Networks; readonly timeout: number } | undefined
  readonly alarms: ReadonlyArray<Required<Alarm> & { readonly cooldown: number }>
  readonly admit: AdmitRule | undefined
}

/** What is wrong with an option: which one, its value, and what is accepted. */
export class SettingsError extends RangeError {
  readonly _tag = "SettingsError"
  /** `limits.maxConnections` */
  readonly setting: string

  constructor(setting: string, value: unknown, accepted: string) {
    super(`Cannot set ${setting} to ${show(value)}: accepted is ${accepted}`)
    this.name = "SettingsError"
    this.setting = setting
  }
}

const show = (value: unknown): string =>
  typeof value === "number" || typeof value === "bigint" || typeof value === "symbol"
    ? String(value)
    : JSON.stringify(value) ?? String(value)

/** What was said before, with what is said now in its place. */
export const merge = (before: Tunables, now: Tunables): Tunables => ({
  ...before,
  ...now,
  ...(now.limits === undefined ? {} : { limits: { ...before.limits, ...now.limits } }),
  ...(now.deadlines === undefined ? {} : { deadlines: { ...before.deadlines, ...now.deadlines } }),
  ...(now.heartbeat === undefined ? {} : { heartbeat: { ...before.heartbeat, ...now.heartbeat } }),
  ...(now.overload === undefined ? {} : { overload: { ...before.overload, ...now.overload } }),
})

/** Checks what was said and adds what was not. `local`: whether all listeners are. Throws a {@link SettingsError}. */
export const resolve = (said: Tunables, local: boolean): Settings => {
  const preset = said.preset ?? (local ? "local" : "internet")
  if (!Object.hasOwn(presets, preset)) throw new SettingsError("preset", preset, oneOf(Object.keys(presets)))
  const defaults = presets[preset]
  const limits = layered(presets.local.limits, defaults.limits, said.limits, "limits")
  const deadlines = layered(presets.local.deadlines, defaults.deadlines, said.deadlines, "deadlines")
  const heartbeat = layered(presets.local.heartbeat, defaults.heartbeat, said.heartbeat, "heartbeat")
  const overload = layered(presets.local.overload, defaults.overload, said.overload, "overload")
  const settings: Settings = {
    preset,
    limits: {
      maxConnections: whole("limits.maxConnections", limits.maxConnections, 0),
      maxConnectionsPerAddress: whole("limits.maxConnectionsPerAddress", limits.maxConnectionsPerAddress, 1),
      acceptRate: rate("limits.acceptRate", limits.acceptRate),
      acceptRatePerAddress: rate("limits.acceptRatePerAddress", limits.acceptRatePerAddress),
      allow: limits.allow.length === 0 ? undefined : networks("limits.allow", limits.allow, false),
      deny: networks("limits.deny", limits.deny, false),
      atLimit: atLimit(limits.atLimit),
      busy: busy(limits.busy),
      maxRefusing: whole("limits.maxRefusing", limits.maxRefusing, 0),
      outboxHigh: whole("limits.outboxHigh", limits.outboxHigh, 0),
      outboxLow: whole(
        "limits.outboxLow",
        // Whoever only says what is much has not said what is little.
        said.limits?.outboxLow ?? Math.min(limits.outboxLow, Math.floor(limits.outboxHigh / 4)),
        0,
      ),
      maxFrame: whole("limits.maxFrame", limits.maxFrame, 1),
      memory: whole("limits.memory", limits.memory, 1),
      maxInFlight: whole("limits.maxInFlight", limits.maxInFlight, 1),
      rates: rates(limits),
      overRate: choice("limits.overRate", limits.overRate, ["wait", "close"]),
      minRate: atLeast("limits.minRate", limits.minRate, 0),
    },
    deadlines: {
      close: millis("deadlines.close", deadlines.close),
      linger: millis("deadlines.linger", deadlines.linger),
      writeStall: millis("deadlines.writeStall", deadlines.writeStall),
      firstFrame: millis("deadlines.firstFrame", deadlines.firstFrame),
      frame: millis("deadlines.frame", deadlines.frame),
      idle: millis("deadlines.idle", deadlines.idle),
      readIdle: millis("deadlines.readIdle", deadlines.readIdle),
      writeIdle: millis("deadlines.writeIdle", deadlines.writeIdle),
      maxAge: millis("deadlines.maxAge", deadlines.maxAge),
      grace: millis("deadlines.grace", deadlines.grace),
      admit: millis("deadlines.admit", deadlines.admit),
      drain: millis("deadlines.drain", deadlines.drain),
    },
    heartbeat: {
      interval: positive("heartbeat.interval", heartbeat.interval),
      missed: whole("heartbeat.missed", heartbeat.missed, 1),
      suspectAt: atLeast("heartbeat.suspectAt", heartbeat.suspectAt, 0),
      loseAt: atLeast("heartbeat.loseAt", heartbeat.loseAt, 0),
    },
    overload: { lag: positive("overload.lag", overload.lag) },
    proxy: said.proxy === undefined ? undefined : proxy(said.proxy),
    alarms: (said.alarms ?? defaultAlarms).map(alarm),
    admit: said.admit,
  }
  if (preset === "behind-proxy" && settings.proxy === undefined) {
    throw new SettingsError("proxy", undefined, `{ trusted: ["10.0.0.0/8"] } or the like, with preset "behind-proxy"`)
  }
  if (settings.limits.outboxLow > settings.limits.outboxHigh) {
    throw new SettingsError(
      "limits.outboxLow",
      settings.limits.outboxLow,
      `at most limits.outboxHigh, ${settings.limits.outboxHigh}`,
    )
  }
  return settings
}

const defaultAlarms: ReadonlyArray<Alarm> = [
  { of: "maxConnections", at: 0.9 },
  { of: "memory", at: 0.9 },
  { of: "maxInFlight", at: 0.9 },
]

/** The last of what is not undefined, option by option. */
const layered = <Group extends object>(
  all: Required<Group>,
  preset: Group | undefined,
  said: Group | undefined,
  name: string,
): Required<Group> => {
  const group = { ...all }
  for (const layer of [preset, said]) {
    if (layer === undefined) continue
    for (const [key, value] of Object.entries(layer)) {
      if (!Object.hasOwn(all, key)) throw new SettingsError(`${name}.${key}`, value, oneOf(Object.keys(all)))
      if (value !== undefined) group[key as keyof Group] = value as Required<Group>[keyof Group] // a key of it
    }
  }
  return group
}

const oneOf = (names: ReadonlyArray<string>): string => `one of ${names.join(", ")}`

const whole = (name: string, value: number, least: number): number => {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= least)) return value
  throw new SettingsError(name, value, `an integer from ${least}, or Infinity`)
}

const atLeast = (name: string, value: number, least: number): number => {
  if (typeof value === "number" && value >= least) return value
  throw new SettingsError(name, value, `a number from ${least}`)
}

const choice = <A extends string>(name: string, value: A, accepted: ReadonlyArray<A>): A => {
  if (accepted.includes(value)) return value
  throw new SettingsError(name, value, oneOf(accepted))
}

const rate = (name: string, value: Rate.Rate | "off"): Rate.Rate | undefined => {
  if (value === "off") return undefined
  if (typeof value === "object" && value !== null && Rate.isRate(value)) return value
  throw new SettingsError(name, value, `{ perSecond: above 0, burst: from 1 }, or "off"`)
}

const rates = (limits: Required<LimitOptions>): Limits["rates"] => {
  const connection = {
    frames: rate("limits.frameRate", limits.frameRate),
    bytes: rate("limits.byteRate", limits.byteRate),
  }
  const address = {
    frames: rate("limits.frameRatePerAddress", limits.frameRatePerAddress),
    bytes: rate("limits.byteRatePerAddress", limits.byteRatePerAddress),
  }
  const bounded = [connection, address].some(({ frames, bytes }) => frames !== undefined || bytes !== undefined)
  return bounded ? { connection, address } : undefined
}

const millis = (name: string, value: Duration.Input): number => {
  const duration = Duration.fromInput(value)
  const amount = duration === undefined || duration._tag === "None" ? NaN : Duration.toMillis(duration.value)
  if (amount >= 0) return amount
  throw new SettingsError(name, value, `milliseconds, a duration such as "30 seconds", or Infinity`)
}

const positive = (name: string, value: Duration.Input): number => {
  const amount = millis(name, value)
  if (amount > 0) return amount
  throw new SettingsError(name, value, "more than 0")
}

const networks = (name: string, list: ReadonlyArray<string>, unix: boolean): Networks.Networks => {
  const parsed = Networks.parse(list, { unix })
  if (Result.isSuccess(parsed)) return parsed.success
  const also = unix ? `, or "unix"` : ""
  throw new SettingsError(name, parsed.failure, `a network such as 10.0.0.0/8, 192.0.2.1/32 or 2001:db8::/32${also}`)
}

const atLimit = (value: Required<LimitOptions>["atLimit"]): Limits["atLimit"] => {
  if (value === "refuse" || value === "reset" || value === "backlog") return value
  if (isQueue(value) && value.queue !== Infinity) {
    return {
      queue: whole("limits.atLimit.queue", value.queue, 1),
      timeout: positive("limits.atLimit.timeout", value.timeout),
    }
  }
  throw new SettingsError(
    "limits.atLimit",
    value,
    `"refuse", "reset", "backlog" or { queue: 100, timeout: "5 seconds" }`,
  )
}

const isQueue = (value: unknown): value is Queue =>
  typeof value === "object" && value !== null && "queue" in value && "timeout" in value

const longestBusy = 512

const busy = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value.slice()
  if (bytes.length <= longestBusy) return bytes
  throw new SettingsError("limits.busy", `${bytes.length} bytes`, `at most ${longestBusy} bytes`)
}

const proxy = ({ trusted, timeout = "5 seconds" }: ProxyOptions): Settings["proxy"] => {
  if (trusted.length === 0) throw new SettingsError("proxy.trusted", trusted, `networks of proxies, or "unix"`)
  return { trusted: networks("proxy.trusted", trusted, true), timeout: positive("proxy.timeout", timeout) }
}

const alarm = ({ of, at, cooldown = "1 minute" }: Alarm): Settings["alarms"][number] => {
  choice("alarms.of", of, ["maxConnections", "memory", "maxInFlight"])
  if (!(at > 0 && at <= 1)) throw new SettingsError("alarms.at", at, "a share above 0 and up to 1")
  return { of, at, cooldown: millis("alarms.cooldown", cooldown) }
}
