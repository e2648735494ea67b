/**
 * Defaults by what a server is for. They fit together: no deadline is shorter than what another one needs, and none
 * surprises the people whom the preset is meant for.
 *
 * `local` is the whole list; the others say what they change. The figures of `internet`: Kestrel's least rate (240 bytes
 * a second after 5 s), a first frame as long as uWebSockets gives (10 s), a frame and a stalled write as HAProxy's and
 * Thousand Island's send timeouts (30 s), 100 connections an address and 1,000 a second as nginx's `limit_conn` and
 * `limit_req` are commonly set.
 */
import type {
  DeadlineOptions,
  DrainOptions,
  HeartbeatOptions,
  LimitOptions,
  OverloadOptions,
  Preset,
  Tunables,
} from "./Options.ts"

const KiB = 1024
const MiB = 1024 * KiB

/** Everything that has a default has it here. */
interface Defaults extends Tunables {
  readonly limits: Required<LimitOptions>
  readonly deadlines: Required<DeadlineOptions>
  readonly drain: Required<DrainOptions>
  readonly heartbeat: Required<HeartbeatOptions>
  readonly overload: Required<OverloadOptions>
}

const local: Defaults = {
  limits: {
    maxConnections: 10_000,
    maxConnectionsPerAddress: Infinity,
    acceptRate: "off",
    acceptRatePerAddress: "off",
    allow: [],
    deny: [],
    atLimit: "refuse",
    busy: "",
    maxRefusing: 64,
    outboxHigh: MiB,
    outboxLow: 256 * KiB,
    maxFrame: Infinity,
    memory: Infinity,
    maxInFlight: Infinity,
    frameRate: "off",
    byteRate: "off",
    frameRatePerAddress: "off",
    byteRatePerAddress: "off",
    overRate: "wait",
    minRate: 0,
  },
  deadlines: {
    close: "5 seconds",
    linger: "30 seconds",
    writeStall: "30 seconds",
    firstFrame: Infinity,
    frame: Infinity,
    idle: "10 minutes",
    readIdle: Infinity,
    writeIdle: Infinity,
    maxAge: Infinity,
    grace: "5 seconds",
    admit: "5 seconds",
  },
  drain: { delay: 0, spread: 0, timeout: "25 seconds" },
  heartbeat: { interval: "30 seconds", missed: 3, suspectAt: 8, loseAt: Infinity },
  overload: { lag: Infinity },
}

// A balancer in front asks for readiness every few seconds, and clients that come back should not all do so at once.
const balanced: DrainOptions = { delay: "5 seconds", spread: "5 seconds" }

const internet: Tunables = {
  limits: {
    maxConnectionsPerAddress: 100,
    acceptRate: { perSecond: 1_000, burst: 2_000 },
    maxFrame: MiB,
    memory: 256 * MiB,
    minRate: 240,
  },
  deadlines: { firstFrame: "10 seconds", frame: "30 seconds", idle: "5 minutes" },
  drain: balanced,
  overload: { lag: "500 millis" },
}

/** The presets, as what each changes of `local`. */
export const presets: { readonly local: Defaults } & Record<Preset, Tunables> = {
  /** A program on one's own machine, and tests: nothing that a person who types into `nc` would notice. */
  local,
  /** A network of one's own: nobody is kept out, but whoever connects has to say something. */
  internal: { deadlines: { firstFrame: "30 seconds", frame: "30 seconds" }, drain: balanced },
  /** `internet`, for clients that come by a proxy. Wants `proxy.trusted`. */
  "behind-proxy": internet,
  /** Strangers. */
  internet,
  /** `internet` on a small machine. */
  edge: {
    ...internet,
    limits: {
      ...internet.limits,
      maxFrame: 64 * KiB,
      outboxHigh: 256 * KiB,
      outboxLow: 64 * KiB,
      memory: 16 * MiB,
    },
  },
}
