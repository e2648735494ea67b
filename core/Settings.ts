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
}

/** How a server ends. */
export interface DrainSettings {
  readonly delay: number
  readonly spread: number
  readonly timeout: number
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
  readonly drain: DrainSettings
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
  ...(now.drain === undefined ? {} : { drain: { ...before.drain, ...now.drain } }),
  ...(now.heartbeat === undefined ? {} : { heartbeat: { ...before.heartbeat, ...now.heartbeat } }),
  ...(now.overload === undefined ? {} : { overload: { ...before.overload, ...now.overload } }),
})

/** Checks what was said and adds what was not. `local`: whether all listeners are. Throws a {@link SettingsError}. */
export const resolve = (said: Tunables, local: boolean): Settings => {
  known("", said, options)
  const preset = said.preset ?? (local ? "local" : "internet")
  if (!Object.hasOwn(presets, preset)) throw new SettingsError("preset", preset, oneOf(Object.keys(presets)))
  const defaults = presets[preset]
  const limits = layered(presets.local.limits, defaults.limits, said.limits, "limits")
  const deadlines = layered(presets.local.deadlines, defaults.deadlines, said.deadlines, "deadlines")
  const drain = layered(presets.local.drain, defaults.drain, said.drain, "drain")
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
      minRate: minRate(limits.minRate),
    },
    deadlines: {
      close: millis("deadlines.close", deadlines.close),
      linger: millis("deadlines.linger", deadlines.linger),
      writeStall: positive("deadlines.writeStall", deadlines.writeStall),
      firstFrame: positive("deadlines.firstFrame", deadlines.firstFrame),
      frame: positive("deadlines.frame", deadlines.frame),
      idle: positive("deadlines.idle", deadlines.idle),
      readIdle: positive("deadlines.readIdle", deadlines.readIdle),
      writeIdle: positive("deadlines.writeIdle", deadlines.writeIdle),
      maxAge: positive("deadlines.maxAge", deadlines.maxAge),
      grace: millis("deadlines.grace", deadlines.grace),
      admit: positive("deadlines.admit", deadlines.admit),
    },
    drain: {
      delay: millis("drain.delay", drain.delay),
      spread: millis("drain.spread", drain.spread),
      timeout: millis("drain.timeout", drain.timeout),
    },
    heartbeat: {
      interval: positive("heartbeat.interval", heartbeat.interval),
      missed: whole("heartbeat.missed", heartbeat.missed, 1),
      suspectAt: above("heartbeat.suspectAt", heartbeat.suspectAt, 0),
      loseAt: above("heartbeat.loseAt", heartbeat.loseAt, 0),
    },
    overload: { lag: positive("overload.lag", overload.lag) },
    proxy: said.proxy === undefined ? undefined : proxy(said.proxy),
    alarms: list("alarms", said.alarms ?? defaultAlarms, `a list such as [{ of: "memory", at: 0.9 }]`).map(alarm),
    admit: admit(said.admit),
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

const options: Record<keyof Tunables, true> = {
  preset: true,
  limits: true,
  deadlines: true,
  drain: true,
  heartbeat: true,
  overload: true,
  proxy: true,
  alarms: true,
  admit: true,
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
    known(name, layer, all)
    for (const [key, value] of Object.entries(layer)) {
      if (value !== undefined) group[key as keyof Group] = value as Required<Group>[keyof Group] // a key of it
    }
  }
  return group
}

/** Refuses what is no group of options, and options that do not exist: whoever misspells one has not set it. */
export const known = (group: string, said: object, all: object): void => {
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new SettingsError(group, said, "a group of options")
  }
  for (const [key, value] of Object.entries(said)) {
    if (Object.hasOwn(all, key)) continue
    throw new SettingsError(group === "" ? key : `${group}.${key}`, value, oneOf(Object.keys(all)))
  }
}

const list = <A>(name: string, value: ReadonlyArray<A>, accepted: string): ReadonlyArray<A> => {
  if (Array.isArray(value)) return value
  throw new SettingsError(name, value, accepted)
}

const oneOf = (names: ReadonlyArray<string>): string => `one of ${names.join(", ")}`

/** A whole number from `least`, or Infinity. */
export const whole = (name: string, value: number, least: number): number => {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= least)) return value
  throw new SettingsError(name, value, `an integer from ${least}, or Infinity`)
}

const minRate = (value: number): number => {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value
  throw new SettingsError("limits.minRate", value, "bytes a second, from 0")
}

const above = (name: string, value: number, bound: number): number => {
  if (typeof value === "number" && value > bound) return value
  throw new SettingsError(name, value, `a number above ${bound}`)
}

/** One of these. */
export const choice = <A extends string>(name: string, value: A, accepted: ReadonlyArray<A>): A => {
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

/** Milliseconds of a duration, 0 included. */
export const millis = (name: string, value: Duration.Input): number => {
  const duration = Number.isNaN(value) ? undefined : Duration.fromInput(value)
  const amount = duration === undefined || duration._tag === "None" ? NaN : Duration.toMillis(duration.value)
  if (amount >= 0) return amount
  throw new SettingsError(name, value, `milliseconds, a duration such as "30 seconds", or Infinity`)
}

/** Milliseconds of a duration above 0. */
export const positive = (name: string, value: Duration.Input): number => {
  const amount = millis(name, value)
  if (amount > 0) return amount
  throw new SettingsError(name, value, "more than 0, Infinity for no bound")
}

const networks = (name: string, texts: ReadonlyArray<string>, unix: boolean): Networks.Networks => {
  const accepted = `a network such as 10.0.0.0/8 or 2001:db8::/32, an address${unix ? ', or "unix"' : ""}`
  const parsed = Networks.parse(list(name, texts, `a list; of each, ${accepted}`), { unix })
  if (Result.isSuccess(parsed)) return parsed.success
  throw new SettingsError(name, parsed.failure, accepted)
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
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new SettingsError("limits.busy", value, "text or bytes")
  }
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value)
  if (bytes.length <= longestBusy) return bytes
  throw new SettingsError("limits.busy", `${bytes.length} bytes`, `at most ${longestBusy} bytes`)
}

const proxy = (said: ProxyOptions): Settings["proxy"] => {
  known("proxy", said, { trusted: true, timeout: true })
  const { trusted, timeout = "5 seconds" } = said
  const parsed = networks("proxy.trusted", trusted, true)
  if (trusted.length === 0) throw new SettingsError("proxy.trusted", trusted, `networks of proxies, or "unix"`)
  return { trusted: parsed, timeout: positive("proxy.timeout", timeout) }
}

const alarm = (said: Alarm): Settings["alarms"][number] => {
  known("alarms", said, { of: true, at: true, cooldown: true })
  const { of, at, cooldown = "1 minute" } = said
  choice("alarms.of", of, ["maxConnections", "memory", "maxInFlight"])
  if (!(at > 0 && at <= 1)) throw new SettingsError("alarms.at", at, "a share above 0 and up to 1")
  return { of, at, cooldown: millis("alarms.cooldown", cooldown) }
}

const admit = (rule: AdmitRule | undefined): AdmitRule | undefined => {
  if (rule === undefined || typeof rule === "function") return rule
  throw new SettingsError("admit", rule, "a function of a peer")
}
