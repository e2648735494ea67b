/**
 * The server as a unit of systemd: ready, how many connections, draining, alive (sd_notify(3)). Only where systemd wants
 * to know, which it says by NOTIFY_SOCKET; elsewhere none of this is loaded.
 *
 * Nothing here holds up the server, or keeps its process alive.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import process from "node:process"
import { clearInterval, setInterval } from "node:timers"
import type { Observer } from "../../core/Event.ts"
import type { Server } from "../../core/Server.ts"
import * as Environment from "../environment.ts"
import { Notifier, type Send } from "./notifier.ts"
import { sender } from "./program.ts"

/** Whoever is told about a server. */
export interface Systemd {
  /** Has to see the events of the server. */
  readonly observe: Observer
  /** It is ready, and how it is. */
  started(status: () => Status): void
  /** It ends. */
  stopping(): void
  /** Runs what reads the configuration anew; systemd is told when that begins, and when it is over, however it went. */
  reload<A, E, R>(reload: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/** How it is, in words, and whether it has begun to end. */
export interface Status {
  readonly text: string
  readonly draining: boolean
}

/** What of a server is told. */
export type Told = Pick<Server, "state" | "drainPhase"> & { readonly connections: { readonly size: number } }

/** How often to look, in milliseconds. */
export interface Intervals {
  /** Whether the status has changed. Default 10 s. */
  readonly status?: number
  /** That the event loop turns. Default: half of what systemd waits, by WATCHDOG_USEC; never where it does not. */
  readonly watchdog?: number | undefined
}

/** For how long a drain may go on after each message, where it takes longer than TimeoutStopSec. */
const extension = 30_000

/** Tells systemd at `socket`, the value of NOTIFY_SOCKET, until the scope closes. `failed`: that it could not, once. */
export const make = (socket: string, failed: (why: string) => void): Effect.Effect<Systemd, never, Scope> => {
  const watchdog = watchdogOf(Environment.take("WATCHDOG_USEC"), Environment.take("WATCHDOG_PID"), process.pid)
  return telling(sender(socket), failed, { watchdog })
}

/** The same by any other way to send. */
export const telling = (
  send: Send,
  failed: (why: string) => void,
  { status: statusMillis = 10_000, watchdog }: Intervals = {},
): Effect.Effect<Systemd, never, Scope> =>
  Effect.gen(function* () {
    const notifier = new Notifier(send, failed)
    const timers: Array<ReturnType<typeof setInterval>> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => timers.forEach((timer) => clearInterval(timer))))
    const every = (millis: number, task: () => void): void => void timers.push(setInterval(task, millis).unref())
    let status = (): Status => ({ text: "", draining: false })
    let told = ""
    const current = (): Record<string, string> => {
      const STATUS = status().text
      const known = STATUS === told
      told = STATUS
      return known ? {} : { STATUS }
    }
    const look = (): void => {
      const variables = { ...current(), ...extended() }
      if (Object.keys(variables).length > 0) notifier.say(variables)
    }
    const extended = (): Record<string, string> =>
      status().draining ? { EXTEND_TIMEOUT_USEC: String(extension * 1_000) } : {}
    const stopping = (): void => notifier.say({ ...current(), ...extended() }, "STOPPING")
    return {
      stopping,
      observe: (event) => {
        switch (event._tag) {
          case "Draining":
            return event.phase === "announced" ? stopping() : look()
          case "Suspended":
          case "Resumed":
            return look()
        }
      },
      started: (started) => {
        status = started
        notifier.say(current(), "READY")
        every(statusMillis, look)
        if (watchdog !== undefined) every(watchdog, () => notifier.say({ WATCHDOG: "1" }))
      },
      reload: (reload) =>
        Effect.ensuring(
          Effect.andThen(Effect.sync(() => notifier.say({}, "RELOADING")), reload),
          Effect.sync(() => notifier.say(current(), "READY")),
        ),
    }
  })

/** How a server is. */
export const statusOf = (server: Told): Status => ({ text: textOf(server), draining: server.state === "Draining" })

const textOf = ({ state, drainPhase, connections: { size } }: Told): string => {
  const connections = `${size} connection${size === 1 ? "" : "s"}`
  switch (state) {
    case "Serving":
      return connections
    case "Suspended":
      return `suspended, ${connections}`
    case "Draining":
      return `draining (${drainPhase}), ${connections} left`
    case "Stopped":
      return "stopped"
  }
}

/** Half of what systemd waits, in milliseconds, where it waits for this process. */
export const watchdogOf = (
  micros: string | undefined,
  ofProcess: string | undefined,
  pid: number,
): number | undefined => {
  if (ofProcess !== undefined && ofProcess !== String(pid)) return undefined
  const millis = Number(micros) / 2_000
  return millis > 0 ? Math.min(Math.max(millis, 1), longestTimer) : undefined
}

const longestTimer = 2 ** 31 - 1 // beyond it is 1 ms
