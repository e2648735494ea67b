/**
 * What the simulated clients of a run have in common: whether they are to go on, and what became of all that they asked.
 * It connects nobody and has no fibers.
 *
 * ```text
 * Connecting ─► Playing ─► Ending ─► Over
 *                          │         └ what is asked goes through, and is not measured (a finalizer's goodbye)
 *                          └ what is asked waits for the end; what was asked is waited for
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import { isTagged } from "effect/Predicate"
import * as Result from "effect/Result"
import type { Ending, NotSent, Unknown } from "../core/Client.ts"
import type { Measurement } from "./Measurement.ts"
import { type Failure, record } from "./Recorder.ts"
import { connectFailures } from "./Run.ts"

/** A frame on its way out. */
export interface Parcel<out Out> {
  readonly frame: Out
  /** When a session asked for it; undefined for what a client sends by itself, in its handshake or as a heartbeat. */
  readonly intended: number | undefined
  /** When it was written last: one of which no byte left is written again, on the next connection. */
  sentAt: number | undefined
}

/** See above. */
export class Stage {
  phase: "Connecting" | "Playing" | "Ending" | "Over" = "Connecting"
  /** Why nothing can be asked any more. */
  problem: string | undefined
  readonly measurement: Measurement
  /** Those that are connected. */
  readonly clients: Set<object> = new Set()
  readonly #pending = new Set<Parcel<unknown>>()
  readonly #over = Latch.makeUnsafe()
  /** What was counted already, and must not be again when a session fails with it. */
  readonly #counted = new WeakSet<object>()

  constructor(measurement: Measurement) {
    this.measurement = measurement
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#pending.size
  }

  /** Of those, the ones that are measured. */
  get owed(): number {
    let owed = 0
    for (const parcel of this.#pending) if (this.#isMeasured(parcel)) owed++
    return owed
  }

  // ── What sessions do ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Does it now, or once all is over. */
  readonly gate = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => this.phase === "Ending" ? Effect.andThen(this.#over.await, effect) : effect)

  parcel<Out>(frame: Out): Parcel<Out> {
    return { frame, intended: this.phase === "Over" ? undefined : this.measurement.now(), sentAt: undefined }
  }

  written(parcels: ReadonlyArray<Parcel<unknown>>): void {
    const now = this.measurement.now()
    for (const parcel of parcels) {
      if (parcel.sentAt === undefined && this.#isMeasured(parcel)) this.measurement.recorder.sent++
      parcel.sentAt = now
    }
  }

  asked(parcel: Parcel<unknown>): void {
    this.#pending.add(parcel)
  }

  answered(parcel: Parcel<unknown>, exit: Exit.Exit<unknown, NotSent | Unknown>): void {
    if (!this.#pending.delete(parcel)) return // what has no answer by the end was counted then
    const failure = Exit.isSuccess(exit) ? undefined : Cause.findError(exit.cause)
    if (failure !== undefined && Result.isSuccess(failure)) this.#counted.add(failure.success)
    if (failure === undefined) return this.#settle(parcel, undefined)
    // Whoever waits no longer has said so by interrupting it.
    this.#settle(parcel, Result.isSuccess(failure) ? requestFailure(failure.success) : "request-given-up")
  }

  /** A session failed. A defect is a mistake in the module, and ends the run: nothing that it measures means anything. */
  failed(cause: Cause.Cause<unknown>): void {
    if (this.phase === "Over") return
    const defect = Cause.findDefect(cause)
    if (Result.isSuccess(defect)) return this.break(`a session died of ${describe(defect.success)}`)
    const found = Cause.findError(cause)
    const error = Result.isSuccess(found) ? found.success : undefined
    // That a client has ended is told by its events.
    if (isTagged(error, "ClientClosed") || (isObject(error) && this.#counted.has(error))) return
    const tag = isObject(error) && "_tag" in error && typeof error._tag === "string" ? error._tag : "failed"
    this.measurement.recorder.fail(`session-${tag.slice(0, longestTag)}`)
  }

  break(problem: string): void {
    this.problem ??= problem
  }

  // ── What clients tell ────────────────────────────────────────────────────────────────────────────────────────────

  /** A connection ended, or could not be made. */
  disconnected(reason: Ending): void {
    if (this.phase === "Over") return
    const { recorder } = this.measurement
    if (reason._tag === "ConnectError") return recorder.fail(connectFailures[reason.problem] ?? "connect-failed")
    if (reason._tag !== "LocalClosed") recorder.fail(endings[reason._tag] ?? "connection-failed")
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What has no answer by now has none. */
  settle(): void {
    for (const parcel of this.#pending) this.#settle(parcel, "reply-timeout")
    this.#pending.clear()
    this.phase = "Over"
  }

  /** Whoever waited for the end goes on. */
  release(): void {
    this.#over.openUnsafe()
  }

  #isMeasured({ intended }: Parcel<unknown>): boolean {
    return intended !== undefined && intended >= this.measurement.from
  }

  #settle(parcel: Parcel<unknown>, failure: Failure | undefined): void {
    const { intended, sentAt } = parcel
    if (intended === undefined || !this.#isMeasured(parcel)) return
    const { recorder, now } = this.measurement
    const at = now()
    record(recorder.response, at - intended)
    if (failure !== undefined) return recorder.fail(failure)
    record(recorder.service, at - (sentAt ?? intended))
    recorder.replies++
  }
}

const longestTag = 64

const requestFailure = (failure: NotSent | Unknown): Failure =>
  failure._tag === "NotSent" ? "request-unsent" : failure.why === "Timeout" ? "request-timeout" : "reply-lost"

const endings: { readonly [Tag in Ending["_tag"]]?: Failure } = {
  PeerClosed: "closed-by-server",
  PeerReset: "reset",
  TransportFailed: "reset",
  TruncatedFrame: "reply-invalid",
  DecodeFailed: "reply-invalid",
  HeartbeatLost: "heartbeat-lost",
  LoginRefused: "login-refused",
  LoginTimeout: "login-timeout",
  HandlerFailed: "login-failed",
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const describe = (defect: unknown): string =>
  defect instanceof Error ? `${defect.name}: ${defect.message}` : `a defect: ${String(defect)}`
