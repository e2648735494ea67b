/** What the server under attack is told when it starts, and what it reports. Nothing here runs. */
import type * as Server from "../../../../core/Server.ts"

/** How it is to be served, all of it plain JSON. */
export interface Options {
  /** Each gets a port for requests and replies, and one for sessions. Default: 127.0.0.1. */
  readonly hosts?: ReadonlyArray<string>
  readonly limits?: Server.LimitOptions
  readonly deadlines?: Server.DeadlineOptions
}

/** What its events add up to. */
export interface Seen {
  opened: number
  /** The most that were open at once. */
  most: number
  /** By reason. */
  readonly closed: Record<string, number>
  /** By limit. */
  readonly refused: Record<string, number>
  /** Connections that were opened or closed more than once, or closed without having been opened. */
  twice: number
  /** Clients that had gone before they could be asked who they were. */
  probed: number
  acceptFailed: number
  handlerFailed: number
}

/** Nothing yet. */
export const seen = (): Seen => ({
  opened: 0,
  most: 0,
  closed: {},
  refused: {},
  twice: 0,
  probed: 0,
  acceptFailed: 0,
  handlerFailed: 0,
})

/** What it has seen, and what it holds now. */
export interface Report extends Readonly<Seen> {
  /** Why frames could not be sent that a handler sent by itself, by reason. */
  readonly unsendable: Readonly<Record<string, number>>
  readonly connections: number
  readonly fibers: number
  readonly timers: number
  /** Waiting for all of them, in bytes. */
  readonly unsent: number
  /** In bytes. */
  readonly memory: { readonly rss: number; readonly heap: number }
}
