/**
 * What a server counts, for Prometheus. Fed by events, and by `usage` when somebody asks: a scrape costs as much as there
 * are metrics, however many connections there are.
 *
 * So what connections moved is added when they end; what is open now stands in the gauges. Labels have a bounded set of
 * values, never an address or an id.
 */
import * as CloseReason from "../../core/CloseReason.ts"
import { type Event, isProbe } from "../../core/Event.ts"
import type { Usage } from "../../core/Server.ts"
import { counter, type Family, gauge, series } from "./exposition.ts"
import { closeReasons, refusalLimits } from "./labels.ts"

/** What is asked when somebody scrapes. */
export interface Reading {
  readonly ready: boolean
  readonly draining: boolean
  /** Undefined until the server has started. */
  readonly usage: Usage | undefined
  /** What runs: labels of `anyport_build_info`. */
  readonly build: Readonly<Record<string, string>>
}

/** More error codes than systems have for accepting; whatever else turns up is `other`. */
const mostCodes = 32

/** The counts of one server. */
export class Metrics {
  readonly #closed = counts(closeReasons)
  readonly #rejected = counts(refusalLimits)
  readonly #failures = counts(["unavailable", "failed", "defect"])
  readonly #acceptErrors = new Map<string, number>()
  #opened = 0
  #probes = 0
  #suspected = 0
  #bytesReceived = 0
  #bytesSent = 0
  #bytesUnsent = 0
  #framesReceived = 0
  #framesSent = 0
  #framesDropped = 0

  /** Counts an event. */
  readonly observe = (event: Event): void => {
    switch (event._tag) {
      case "Opened":
        this.#opened++
        break
      case "Closed":
        add(this.#closed, CloseReason.label(event.reason))
        if (isProbe(event)) this.#probes++
        this.#bytesReceived += event.counters.bytesReceived
        this.#bytesSent += event.counters.bytesSent
        this.#bytesUnsent += event.unsent
        this.#framesReceived += event.counters.framesReceived
        this.#framesSent += event.counters.framesSent
        this.#framesDropped += event.counters.framesDropped
        break
      case "Refused":
        add(this.#rejected, CloseReason.settingOf(event.limit))
        break
      case "Probed":
        this.#probes++
        break
      case "AcceptFailed":
        this.#acceptFailed(event.failure.code ?? "unknown")
        break
      case "HandlerFailed":
        add(this.#failures, event.kind)
        break
      case "Suspected":
        this.#suspected++
        break
    }
  }

  /** All families, the same ones in the same order each time. */
  families({ ready, draining, usage, build }: Reading): ReadonlyArray<Family> {
    return [
      gauge("build_info", "What runs; always 1.", [{ labels: build, value: 1 }], "max"),
      gauge("ready", "Whether /readyz answers 200.", Number(ready)),
      gauge("draining", "Whether a drain has begun.", Number(draining)),
      counter("connections_opened_total", "Connections that were let in.", this.#opened),
      counter("connections_closed_total", "Connections that have ended, by why.", series("reason", this.#closed)),
      counter(
        "connections_rejected_total",
        "Clients that were not let in, by the setting that kept them out.",
        series("limit", this.#rejected),
      ),
      counter("probes_total", "Clients that left without having sent a byte, as health checks do.", this.#probes),
      counter("accept_errors_total", "Accepting failed, by the system's code.", series("code", this.#acceptErrors)),
      counter("handler_failures_total", "Handlers that failed, by how.", series("kind", this.#failures)),
      counter("suspected_total", "Times that a silent peer was suspected to be gone.", this.#suspected),
      counter("bytes_received_total", "Bytes received on connections that have ended.", this.#bytesReceived),
      counter("bytes_sent_total", "Bytes sent on connections that have ended.", this.#bytesSent),
      counter("bytes_unsent_total", "Bytes that peers did not take before their connection ended.", this.#bytesUnsent),
      counter("frames_received_total", "Frames received on connections that have ended.", this.#framesReceived),
      counter("frames_sent_total", "Frames sent on connections that have ended.", this.#framesSent),
      counter("frames_dropped_total", "Frames given up as their peer read too slowly.", this.#framesDropped),
      ...usage === undefined ? [] : inUse(usage),
    ]
  }

  #acceptFailed(code: string): void {
    const known = this.#acceptErrors.has(code) || this.#acceptErrors.size < mostCodes
    add(this.#acceptErrors, known ? code : "other")
  }
}

const inUse = (usage: Usage): ReadonlyArray<Family> => [
  gauge("connections_active", "Connections that are open.", usage.connections),
  gauge("connections_waiting", "Clients that wait for a place.", usage.waiting),
  gauge("connections_refusing", "Clients that are being refused.", usage.refusing),
  gauge("memory_held_bytes", "Bytes that connections hold: unparsed input and unsent output.", usage.memory),
  gauge("requests_in_flight", "Requests begun and not answered, by weight.", usage.inFlight),
  gauge("requests_waiting", "Connections that wait for room among the requests in flight.", usage.inFlightWaiting),
  counter("requests_wait_seconds_total", "Time waited for that room.", usage.inFlightWaited / 1_000),
  gauge(
    "eventloop_lag_seconds",
    "How late the event loop was when it was last looked at; of several workers the latest.",
    usage.lag / 1_000,
    "max",
  ),
  gauge(
    "overload_state",
    "How many processes are in this state: calm, refusing new clients, or shedding connections.",
    loads.map((state) => ({ labels: { state }, value: Number(state === usage.load) })),
  ),
]

const loads: ReadonlyArray<Usage["load"]> = ["calm", "refusing", "shedding"]

// A series that begins with its first count hides that count from `rate()`, so those that are known begin with 0.
const counts = (keys: ReadonlyArray<string>): Map<string, number> => new Map(keys.map((key) => [key, 0]))

const add = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1)
