/**
 * The port: what the engine needs of a runtime's sockets, and all that it may assume of them. Adapters implement it over
 * `node:net`, `Bun.listen`, `Deno.listen` and in memory; nothing here knows a runtime.
 *
 * Clauses, each a conformance case on every runtime:
 *
 * 1. *Borrowed both ways.* `bytes(chunk)` and `write(bytes)` lend memory for the call only. An adapter that cannot give
 *    bytes to the kernel at once copies what it takes.
 * 2. *No call inside a call.* An adapter never calls the Receiver from inside a Transport method, nor inside another
 *    Receiver call of the same connection. `attach` and `resume` return before the first `bytes`.
 * 3. *Total.* Every method may be called in every state, twice and after the end; it then does nothing (`write` returns
 *    0). Nothing throws or rejects.
 * 4. *Pause* may be followed by one more `bytes`. While paused neither FIN nor RST need be seen: whoever pauses for long
 *    has a deadline.
 * 5. *fin* once; writing goes on (half-open is always allowed). The adapter never closes because of it.
 * 6. *shutdown* says nothing about reading. When both directions have ended the adapter frees the descriptor and reports
 *    `Finished`. Lingering is core's.
 * 7. *Order:* `bytes`*, `fin`?, `closed`; nothing after `closed`. Bytes received before a reset may be lost, never
 *    delivered after it. A transport that dies before `attach` reports after it.
 * 8. *accept* is called at TCP accept, before any byte, and decides at once: attach, hold unread, or abort.
 * 9. *Options are the same everywhere:* NODELAY on, keep-alive on, half-open allowed, backlog 511 (Bun: 512, fixed),
 *    `::` dual-stack.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type { Effect } from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Address from "./Address.ts"

/** One byte stream, as a runtime gives it. */
export interface Transport {
  readonly localAddress: Address.Address | undefined
  /** Undefined for an unnamed Unix peer, or one that was gone before it could be asked. */
  readonly remoteAddress: Address.Address | undefined
  /** Bytes taken by `write` and not yet by the kernel, at most 256 KiB. */
  readonly sending: number
  /** Called once; nothing is read or delivered before. */
  attach(receiver: Receiver): void
  /** Takes 0 to `bytes.length` bytes now. The rest stays the caller's, who waits for `writable`. */
  write(bytes: Uint8Array): number
  pause(): void
  resume(): void
  /** FIN, once `sending` is 0. */
  shutdown(): void
  /** RST where the runtime can, else close. What is unsent is dropped. */
  abort(): void
}

/** Core's side of a {@link Transport}. */
export interface Receiver {
  bytes(chunk: Uint8Array): void
  /** A `write` took less than it was given: try again. May come without need. */
  writable(): void
  /** The peer has finished writing. */
  fin(): void
  closed(end: TransportEnd): void
}

/**
 * How a byte stream ended: both sides finished, the peer reset it, `abort` was called, or the system failed it (a dead
 * route, keep-alive without an answer).
 */
export type TransportEnd =
  | { readonly _tag: "Finished" }
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Aborted" }
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** A bound endpoint. */
export interface Listener {
  /** What was bound, with the port that the system chose where 0 was asked for. */
  readonly address: Address.Address
  /** Stops accepting. New clients wait in the backlog, or are refused where `capabilities.stopAccepting` is `unbind`. */
  pause(): void
  /** Accepts again; binds again where pausing unbound. */
  readonly resume: Effect<void, ListenError>
  /** Stops accepting for good. Does not wait for connections, which live on. */
  readonly close: Effect<void>
}

/** What to listen on. */
export interface ListenOptions {
  readonly address: Address.Address
  /**
   * Take over this descriptor, which another process has opened, bound to `address` and listened on (socket activation);
   * the runtime may know the address better. Closing it leaves the backlog to whoever has it as well. Pausing has to
   * accept in order to refuse, for what is closed cannot be opened again. Wants `capabilities.adoptDescriptor`.
   */
  readonly descriptor?: number
  /** Share the port with other processes by SO_REUSEPORT. Default false. */
  readonly reusePort?: boolean
  /** Accepting failed for a reason that may pass (descriptors exhausted, …). The adapter goes on by itself, with a pause. */
  readonly acceptFailed?: (failure: AcceptFailure) => void
}

/** Accepting failed once: the system's error code where it gave one. */
export interface AcceptFailure {
  readonly code: string | undefined
  readonly cause: unknown
}

/** Where to connect. */
export interface ConnectOptions {
  readonly address: Address.Address
  /**
   * The IP address of this machine to connect from, in the family of `address`; the system still chooses the port. Each one
   * has ephemeral ports of its own. Default: the system chooses. Wants `capabilities.bindSource`; without it `connect`
   * fails with `Unsupported`, and with `InvalidSource` where this machine cannot connect from there.
   */
  readonly source?: string
}

/** What this runtime can do beyond the clauses. */
export interface Capabilities {
  readonly runtime: string
  /** `abort` sends RST. */
  readonly reset: boolean
  readonly reusePort: boolean
  /** `Listener.pause` leaves new clients in the backlog, or has to unbind. */
  readonly stopAccepting: "backlog" | "unbind"
  /** A listening descriptor can be inherited (systemd's socket activation). */
  readonly adoptDescriptor: boolean
  /** Linux's abstract Unix sockets. */
  readonly abstractUnix: boolean
  /** `connect` can choose its source address. */
  readonly bindSource: boolean
}

/** The sockets of one runtime. Each adapter exports a `layer` of it. */
export class Sockets extends Context.Service<Sockets, {
  readonly capabilities: Capabilities
  /** Listens until the scope closes. `accept` is called for each connection, as clause 8 says. */
  listen(options: ListenOptions, accept: (transport: Transport) => void): Effect<Listener, ListenError, Scope>
  /** Connects; the transport is aborted when the scope closes before it has ended by itself. */
  connect(options: ConnectOptions): Effect<Transport, ConnectError, Scope>
}>()("anyport/Sockets") {}

/** Why an address cannot be listened on. */
export type ListenProblem =
  | "AddressInUse"
  | "AddressUnavailable"
  | "InvalidAddress"
  | "InvalidDescriptor"
  | "PermissionDenied"
  | "TooManyDescriptors"
  | "Unsupported"
  | "UnsupportedRuntime"
  | "Unknown"

/** An address cannot be listened on; the operator has to change something. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly problem: ListenProblem
  /** As text where it is no address at all, but a mistake or a descriptor. */
  readonly address: Address.Address | string
  readonly cause?: unknown
}> {
  override get message(): string {
    const address = typeof this.address === "string" ? this.address : Address.format(this.address)
    return `Cannot listen on ${address}: ${listenProblems[this.problem]}${detail(this)}; ${remedy(this)}`
  }
}

/** Why a connection cannot be made. */
export type ConnectProblem =
  | "Refused"
  | "Unreachable"
  | "TimedOut"
  | "Reset"
  | "AddressUnavailable"
  | "InvalidAddress"
  | "InvalidSource"
  | "NameNotFound"
  | "HandshakeFailed"
  | "PermissionDenied"
  | "TooManyDescriptors"
  | "Unsupported"
  | "UnsupportedRuntime"
  | "Unknown"

/** A connection cannot be made. */
export class ConnectError extends Data.TaggedError("ConnectError")<{
  readonly problem: ConnectProblem
  readonly address: Address.Address
  /** Where it was to be connected from, if that was chosen. */
  readonly source?: string | undefined
  readonly cause?: unknown
}> {
  override get message(): string {
    const from = this.source === undefined ? "" : ` from ${this.source}`
    return `Cannot connect to ${Address.format(this.address)}${from}: ${connectProblems[this.problem]}${detail(this)}`
  }
}

const listenProblems: Record<ListenProblem, string> = {
  AddressInUse: "another process is listening there",
  AddressUnavailable: "this machine has no such address",
  InvalidAddress: "it is not an address that can be bound",
  InvalidDescriptor: "it is no stream socket that listens",
  PermissionDenied: "permission denied",
  TooManyDescriptors: "no file descriptors are left",
  Unsupported: "this runtime cannot do what was asked",
  UnsupportedRuntime: "this version of the runtime is too old",
  Unknown: "the system refused it",
}

/** What the operator may do about it. */
const remedy = ({ problem, address }: ListenError): string => {
  switch (problem) {
    case "AddressInUse":
      return "end it, or choose another address"
    case "AddressUnavailable":
      return "choose an address of this machine, or :: for all of them"
    case "InvalidAddress":
      return "wanted is an IP address or localhost with a port from 0 to 65535, or a path in a folder that exists"
    case "InvalidDescriptor":
      return "wanted is one that another process has opened for this one, as systemd does by ListenStream= and Accept=no"
    case "PermissionDenied":
      if (typeof address === "string" || address._tag === "Unix") {
        return "grant it, or choose a path that this user may write"
      }
      return address.port > 0 && address.port < 1_024
        ? "grant it, or choose a port from 1024 up"
        : "grant it, or choose another address"
    case "TooManyDescriptors":
      return "raise the limit (ulimit -n)"
    case "Unsupported":
      return "leave that option out"
    case "UnsupportedRuntime":
      return "upgrade it"
    case "Unknown":
      return "choose another address"
  }
}

const connectProblems: Record<ConnectProblem, string> = {
  Refused: "nobody is listening there",
  Unreachable: "there is no route to it",
  TimedOut: "it did not answer",
  Reset: "it reset the connection",
  AddressUnavailable: "no local address or port is free for it",
  InvalidAddress: "it is not an address that can be connected to",
  InvalidSource: "this machine has no such address, or cannot reach it from there",
  NameNotFound: "the name has no address",
  HandshakeFailed: "it did not answer as its protocol wants",
  PermissionDenied: "permission denied",
  TooManyDescriptors: "no file descriptors are left",
  Unsupported: "this runtime cannot do what was asked",
  UnsupportedRuntime: "this version of the runtime is too old",
  Unknown: "the system refused it",
}

// Of the others the problem says it all.
const explained: ReadonlySet<string> = new Set([
  "HandshakeFailed",
  "PermissionDenied",
  "Unsupported",
  "UnsupportedRuntime",
  "Unknown",
])

const detail = ({ problem, cause }: { readonly problem: string; readonly cause?: unknown }): string =>
  explained.has(problem) && cause instanceof Error ? ` (${cause.message})` : ""
