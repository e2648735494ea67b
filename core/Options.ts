/**
 * What can be said of a server: its limits, deadlines and policies, as plain data. Nothing is decided here; Settings makes
 * one checked record of it.
 */
import type * as Duration from "effect/Duration"
import type { Effect } from "effect/Effect"
import type { Address } from "./Address.ts"
import type { ProxyHeader } from "./codecs/ProxyHeader.ts"
import type { Rate } from "./Rate.ts"

/** Bounds on who may enter and on what a connection may hold. Whatever is left out is as the preset says. */
export interface LimitOptions {
  /** Connections at once, of all listeners. */
  readonly maxConnections?: number
  /** Connections at once of one client address: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly maxConnectionsPerAddress?: number
  /** New connections of everybody. `"off"` for no bound, here and for all rates. */
  readonly acceptRate?: Rate | "off"
  /** New connections of one client address. */
  readonly acceptRatePerAddress?: Rate | "off"
  /** Networks such as `10.0.0.0/8` or `2001:db8::/32`, or single addresses: nobody else may enter. Empty: everybody may. */
  readonly allow?: ReadonlyArray<string>
  /** Networks whose clients may not enter, whatever `allow` says. */
  readonly deny?: ReadonlyArray<string>
  /**
   * What becomes of a client at a limit: it is refused by closing, or by a reset. Where only a place is missing it may
   * also wait for one, unread: in a queue with a bound of its own, or in the system's backlog, where the runtime can leave
   * it there (up to 64 that had been accepted wait as in a queue without a time). At other limits these two refuse by
   * closing. Whoever waits counts for `maxConnectionsPerAddress`, is served first come, first served, and is refused when
   * the server drains or a change takes the queue away.
   */
  readonly atLimit?: "refuse" | "reset" | "backlog" | Queue
  /** What a client is told that is refused because of a limit; text is sent as UTF-8. Default: nothing. */
  readonly busy?: string | Uint8Array
  /** Clients at once that are being refused by closing; all beyond are reset. */
  readonly maxRefusing?: number
  /** With more bytes unsent than this, a connection is not read and its senders wait. */
  readonly outboxHigh?: number
  /** With no more bytes unsent than this, they go on. */
  readonly outboxLow?: number
  /** Bytes of one frame, whatever its codec allows. */
  readonly maxFrame?: number
  /**
   * Bytes that all connections together may hold: what was received and is not handled, and what is not sent. From 0.8 of
   * it nobody new is let in, and whoever holds more than the average is not read, until it is 0.6. At it, or when it does
   * not fall by that, the least important end by a reset, of these first who holds most. It holds at once also when it is
   * lowered.
   */
  readonly memory?: number
  /**
   * Requests at once, of all connections, that are begun and not answered; by weight where a service gives one. Beyond
   * it connections are not read and wait in line. Sessions have no requests.
   */
  readonly maxInFlight?: number
  /** Frames of one connection. */
  readonly frameRate?: Rate | "off"
  /** Bytes received of one connection. */
  readonly byteRate?: Rate | "off"
  /** Frames of all connections of one client address. */
  readonly frameRatePerAddress?: Rate | "off"
  /** Bytes received of all connections of one client address. */
  readonly byteRatePerAddress?: Rate | "off"
  /**
   * Over a rate of frames or bytes, a connection is not read for a while, or ended. Those of one client address go on in
   * turn. Who is ended for a burst may have been held up on the way: give those room.
   */
  readonly overRate?: "wait" | "close"
  /**
   * Bytes a second at least, on average, while a frame is being received, once `deadlines.grace` is over; and while
   * something waits to be sent, once that and half a minute are over.
   */
  readonly minRate?: number
}

/** Waiting for a place: so many clients at once, each for so long. */
export interface Queue {
  readonly queue: number
  readonly timeout: Duration.Input
}

/**
 * Bounds in time. `Infinity` for none; 0 only for `close`, `linger`, `grace` and `drain`. Whatever is left out is as the
 * preset says.
 */
export interface DeadlineOptions {
  /** For what was begun, and its scope, to end when a connection closes. */
  readonly close?: Duration.Input
  /**
   * From our FIN to the peer's, while what it still sends is discarded; then reset. The peer may still be reading its last
   * answer. At most 5 s when the server drains.
   */
  readonly linger?: Duration.Input
  /** In which a peer takes nothing of what is waiting for it; then reset. Noticed up to an eighth of it late. */
  readonly writeStall?: Duration.Input
  /** From the beginning of a connection to its first whole frame. */
  readonly firstFrame?: Duration.Input
  /** From the first byte of a frame to its last; bytes in between give no more time. */
  readonly frame?: Duration.Input
  /** In which nothing goes either way, signs of life included, while the service waits for the peer. */
  readonly idle?: Duration.Input
  /** In which nothing is received, while the service waits for the peer. */
  readonly readIdle?: Duration.Input
  /** In which nothing is sent, while the service waits for the peer. */
  readonly writeIdle?: Duration.Input
  /** From the beginning of a connection to its end; up to a tenth less, so that not all end at once. */
  readonly maxAge?: Duration.Input
  /** In which `limits.minRate` does not hold yet. */
  readonly grace?: Duration.Input
  /** For `admit` to decide. */
  readonly admit?: Duration.Input
}

/** How a server ends. */
export interface DrainOptions {
  /** From readiness going off to the end of accepting: balancers need a moment to notice. */
  readonly delay?: Duration.Input
  /** Over which idle connections are ended, so that their clients do not all come back at once. */
  readonly spread?: Duration.Input
  /** For all connections to end, once accepting ends; then reset. */
  readonly timeout?: Duration.Input
}

/** Signs of life, of connections whose service has a heartbeat. */
export interface HeartbeatOptions {
  /** In which the peer is asked, or says something by itself. Best between 20 and 60 s: routers on the way forget sooner. */
  readonly interval?: Duration.Input
  /** Intervals without anything from the peer; then `HeartbeatLost`. */
  readonly missed?: number
  /**
   * The level of suspicion from which a `Suspected` event is emitted: 1 is one in ten that a peer as regular as this one
   * is alive and late, 2 one in a hundred, and so on.
   */
  readonly suspectAt?: number
  /** The level from which the connection ends, before `missed` intervals. Infinity for never. */
  readonly loseAt?: number
}

/** What is done when the process cannot keep up. */
export interface OverloadOptions {
  /**
   * How late the event loop may be. Above it nobody is let in. When it is so at four looks in a row, a quarter of a second
   * and that lateness apart, one of a hundred connections is closed at each: the least important, of these first who
   * holds most memory. At half of it all is well again. Infinity: nobody looks.
   */
  readonly lag?: Duration.Input
}

/** Proxies in front of the server, which say for whom they connect (the PROXY protocol). */
export interface ProxyOptions {
  /**
   * The networks of the proxies, `"unix"` for whoever comes by a Unix socket. A header is required of them; nobody else
   * may enter.
   */
  readonly trusted: ReadonlyArray<string>
  /** From a connection's beginning to the end of its header. Default 5 s. */
  readonly timeout?: Duration.Input
}

/** Emits `LimitCrossed` when so much of a limit is in use. */
export interface Alarm {
  readonly of: "maxConnections" | "memory" | "maxInFlight"
  /** A share of the limit, above 0 and up to 1. */
  readonly at: number
  /** In which it is not emitted again; what was crossed meanwhile, and still is, is told after it. Default 1 minute. */
  readonly cooldown?: Duration.Input
}

/** Somebody who wants to enter, to whom nothing was read yet. */
export interface Peer {
  /** The client, also behind a proxy. Undefined for an unnamed Unix peer, or one that was gone before it could be asked. */
  readonly remoteAddress: Address | undefined
  readonly localAddress: Address | undefined
  /** What the proxy said, where there is one. */
  readonly proxyHeader: ProxyHeader | undefined
  /** The listener, as it was asked for. */
  readonly listener: Address
}

/** Whether somebody may enter; if not, how that is said. */
export type Admit = "admit" | "refuse" | "reset"

/** A rule of one's own, asked after all others. Its defect refuses, and is an `AcceptFailed` with its cause. */
export type AdmitRule = (peer: Peer) => Effect<Admit>

/** A set of defaults that fit together. See `presets`. */
export type Preset = "local" | "internal" | "behind-proxy" | "internet" | "edge"

/** What can be said of a server, and changed while it runs. */
export interface Tunables {
  /** Default: `local` where all listeners are loopbacks or Unix sockets, else `internet`. */
  readonly preset?: Preset
  readonly limits?: LimitOptions
  readonly deadlines?: DeadlineOptions
  readonly drain?: DrainOptions
  readonly heartbeat?: HeartbeatOptions
  readonly overload?: OverloadOptions
  /** Default: none, and what begins with a PROXY header is not understood. */
  readonly proxy?: ProxyOptions
  /** Default: `maxConnections`, `memory` and `maxInFlight` at 0.9. */
  readonly alarms?: ReadonlyArray<Alarm>
  readonly admit?: AdmitRule
}
