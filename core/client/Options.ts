/**
 * What can be said of a client, and the one checked record that is made of it: nothing downstream checks again.
 */
import type * as Duration from "effect/Duration"
import type { Effect } from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Address from "../Address.ts"
import type { CloseReason } from "../CloseReason.ts"
import type { Heartbeat } from "../Heartbeat.ts"
import type { DeadlineOptions, HeartbeatOptions, LimitOptions } from "../Options.ts"
import { choice, known, millis, positive, resolve, type Settings, SettingsError, whole } from "../Settings.ts"
import type { Backoff } from "./Backoff.ts"
import type { ClientObserver } from "./Event.ts"

/** Options of `Client.make`. */
export interface Options<In, Out, E = never, R = never> {
  /** An address, or its text: `127.0.0.1:9000`, `[::1]:9000`, `example.net:9000`, `unix:/run/a.sock`. */
  readonly address: Address.Address | string
  /** For one attempt; then it is a `ConnectError` with the problem `TimedOut`. Default 10 s. */
  readonly connectTimeout?: Duration.Input
  /** What follows the end of a connection, or a failed attempt; false: the client ends. */
  readonly reconnect?: ReconnectOptions | false
  /**
   * Runs on each connection before anything else is sent. When it fails with `Service.LoginRefused`, or the CloseReason
   * of that name, the client ends for good; what else it fails with ends the connection, and the next one is tried.
   */
  readonly handshake?: (link: Link<In, Out>) => Effect<unknown, E, R | Scope>
  /** For the whole handshake; then the connection ends as `LoginTimeout`. Default 10 s. */
  readonly handshakeTimeout?: Duration.Input
  /** Signs of life, from the end of the handshake on. Default: none are wanted. */
  readonly heartbeat?: ClientHeartbeat<In, Out>
  /**
   * How the answer to a request is known. `order`: answers come in the order of the requests, and every frame is one
   * while there is a request (so whatever is answered has to be a request). Or by the key of a frame: see
   * {@link ByKey}. Default `order`.
   */
  readonly replies?: "order" | ByKey<In>
  /** From asking to the answer, time away included. Default 30 s. */
  readonly requestTimeout?: Duration.Input
  /** Requests at once that have no answer yet, in the outbox or sent; one more is `NotSent`. Default 1,000. */
  readonly maxRequests?: number
  readonly outbox?: OutboxOptions
  /** Frames that are no answers and wait to be taken; with so many, nothing more is read. Default 1,000. */
  readonly maxUnread?: number
  /** As those of a server. Defaults: the preset `local`. */
  readonly limits?: Pick<LimitOptions, "outboxHigh" | "outboxLow" | "maxFrame">
  /** As those of a server. Defaults: the preset `local`, but `linger` 5 s and no `idle`. */
  readonly deadlines?: Pick<DeadlineOptions, "close" | "linger" | "writeStall" | "frame" | "idle" | "readIdle">
  /** Are told of every event. */
  readonly observers?: ReadonlyArray<ClientObserver>
}

/** A connection as its handshake sees it. */
export interface Link<out In, in Out> {
  /** The next frame, or undefined once the peer has finished writing. */
  readonly receive: Effect<In | undefined, CloseReason>
  send(frame: Out): Effect<void, CloseReason>
}

/** When to connect again. */
export interface ReconnectOptions {
  /** The longest wait after the first failure. Default 250 ms. */
  readonly base?: Duration.Input
  /** The longest wait of all. Default 30 s. */
  readonly max?: Duration.Input
  /** By which the longest wait grows with each failure in a row. Default 2. */
  readonly factor?: number
  /** `full`: a wait is anything from nothing to the longest. Default `full`. */
  readonly jitter?: "full" | "none"
  /** After a connection that lasted so long, waiting begins anew at `base`. Default 10 s. */
  readonly stable?: Duration.Input
}

/** A heartbeat as that of a service, with its times. */
export interface ClientHeartbeat<In, Out>
  extends Heartbeat<In, Out>, Pick<HeartbeatOptions, "interval" | "missed" | "loseAt"> {}

/** Answers are found by a key that stands in the request and in its answer. */
export interface ByKey<in In> {
  /** The key of a frame that is an answer; undefined for every other frame. A key is what a `Map` takes for one. */
  readonly of: (frame: In) => unknown
}

/** What waits to be sent while there is no connection, or while the peer does not read. */
export interface OutboxOptions {
  /** Frames. 0: nothing is kept. Default 1,000. */
  readonly most?: number
  /** What becomes of one more: it is refused, or the oldest one is dropped for it. Default `fail`. */
  readonly full?: "fail" | "drop-oldest"
}

/** The options, checked. Times in milliseconds. */
export interface Config<In, Out> {
  readonly address: Address.Address
  readonly connectTimeout: number
  readonly backoff: Backoff | undefined
  readonly handshake: ((link: Link<In, Out>) => Effect<unknown, unknown, Scope>) | undefined
  readonly handshakeTimeout: number
  readonly heartbeat: Heartbeat<In, Out> | undefined
  readonly keyOf: ((frame: In) => unknown) | undefined
  readonly requestTimeout: number
  readonly maxRequests: number
  readonly outbox: { readonly most: number; readonly full: "fail" | "drop-oldest" }
  readonly maxUnread: number
  readonly outboxHigh: number
  readonly outboxLow: number
  /** Of the engine. */
  readonly settings: Settings
  readonly observers: ReadonlyArray<ClientObserver>
}

/** Checks the options and adds what was not said. Throws a {@link SettingsError}. */
export const check = <In, Out, E, R>(options: Options<In, Out, E, R>): Config<In, Out> => {
  known("", options, all)
  const { reconnect = {}, replies = "order", outbox = {}, limits = {}, deadlines = {}, heartbeat } = options
  const address = typeof options.address === "string" ? Address.parse(options.address) : options.address
  if (address === undefined) throw new SettingsError("address", options.address, "an address such as 127.0.0.1:9000")
  known("outbox", outbox, { most: true, full: true })
  known("limits", limits, { outboxHigh: true, outboxLow: true, maxFrame: true })
  known("deadlines", deadlines, {
    close: true,
    linger: true,
    writeStall: true,
    frame: true,
    idle: true,
    readIdle: true,
  })
  const { interval, missed, loseAt } = heartbeat ?? {}
  const settings = resolve({
    preset: "local",
    limits,
    deadlines: { idle: Infinity, linger: "5 seconds", ...deadlines },
    heartbeat: {
      ...(interval === undefined ? {} : { interval }),
      ...(missed === undefined ? {} : { missed }),
      ...(loseAt === undefined ? {} : { loseAt }),
    },
  }, true)
  const { outboxHigh, outboxLow } = settings.limits
  return {
    address,
    connectTimeout: positive("connectTimeout", options.connectTimeout ?? "10 seconds"),
    backoff: reconnect === false ? undefined : backoff(reconnect),
    handshake: options.handshake as Config<In, Out>["handshake"], // its needs are in the context that `make` runs it with
    handshakeTimeout: positive("handshakeTimeout", options.handshakeTimeout ?? "10 seconds"),
    heartbeat,
    keyOf: replies === "order" ? undefined : keyOf(replies),
    requestTimeout: positive("requestTimeout", options.requestTimeout ?? "30 seconds"),
    maxRequests: whole("maxRequests", options.maxRequests ?? 1_000, 1),
    outbox: {
      most: whole("outbox.most", outbox.most ?? 1_000, 0),
      full: choice("outbox.full", outbox.full ?? "fail", ["fail", "drop-oldest"]),
    },
    maxUnread: whole("maxUnread", options.maxUnread ?? 1_000, 1),
    outboxHigh,
    outboxLow,
    // The marks are the client's: the engine would not read above them, and two ends that wait for each other to read do
    // so for ever.
    settings: { ...settings, limits: { ...settings.limits, outboxHigh: Infinity, outboxLow: Infinity } },
    observers: options.observers ?? [],
  }
}

const all: Record<keyof Options<unknown, unknown>, true> = {
  address: true,
  connectTimeout: true,
  reconnect: true,
  handshake: true,
  handshakeTimeout: true,
  heartbeat: true,
  replies: true,
  requestTimeout: true,
  maxRequests: true,
  outbox: true,
  maxUnread: true,
  limits: true,
  deadlines: true,
  observers: true,
}

const backoff = (said: ReconnectOptions): Backoff => {
  known("reconnect", said, { base: true, max: true, factor: true, jitter: true, stable: true })
  const base = positive("reconnect.base", said.base ?? "250 millis")
  const max = positive("reconnect.max", said.max ?? Math.max(30_000, base))
  const { factor = 2, jitter = "full" } = said
  if (max < base || max === Infinity) {
    throw new SettingsError("reconnect.max", said.max, `from reconnect.base, ${base} ms, and not Infinity`)
  }
  if (!(factor >= 1 && factor < Infinity)) throw new SettingsError("reconnect.factor", factor, "a number from 1")
  return {
    base,
    max,
    factor,
    jitter: choice("reconnect.jitter", jitter, ["full", "none"]),
    stable: millis("reconnect.stable", said.stable ?? "10 seconds"),
  }
}

const keyOf = <In>(said: ByKey<In>): (frame: In) => unknown => {
  if (typeof said === "object" && said !== null && typeof said.of === "function") return (frame) => said.of(frame)
  throw new SettingsError("replies", said, `"order" or { of: (frame) => key }`)
}
