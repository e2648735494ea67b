/**
 * What a runtime's error means in the port's terms: the one table from codes to problems.
 *
 * Node, Bun and Deno all give POSIX codes (`EADDRINUSE`) as `error.code`. What is refused before the system is asked has
 * no such code, but a name that says enough: Deno's missing permission is `NotCapable`, its bad host a `URIError`. The
 * error itself always stays in `cause`.
 *
 * Nothing here throws.
 */
import type { Address } from "../core/Address.ts"
import {
  ConnectError,
  type ConnectProblem,
  ListenError,
  type ListenProblem,
  type TransportEnd,
} from "../core/Sockets.ts"

/** The system's code of an error, e.g. `EMFILE`. Undefined when it has none. */
export const codeOf = (cause: unknown): string | undefined => {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  return typeof cause.code === "string" ? cause.code : undefined
}

/** Why `address` cannot be listened on. An error that is one already stays what it is. */
export const listenError = (address: Address, cause: unknown): ListenError => {
  if (cause instanceof ListenError) return cause
  const key = keyOf(cause)
  return new ListenError({ problem: problems[key]?.listen ?? "Unknown", address, cause })
}

/** Why `address` cannot be connected to, from `source` where one was given. */
export const connectError = (address: Address, cause: unknown, source?: string): ConnectError => {
  const key = keyOf(cause)
  // A source is bound first: only then can it be that this machine has it not, or that it is of the other family.
  if (source !== undefined && foreign.has(key)) {
    return new ConnectError({ problem: "InvalidSource", address, source, cause })
  }
  return new ConnectError({ problem: problems[key]?.connect ?? "Unknown", address, source, cause })
}

/** The error of a runtime whose own sockets cannot choose where a connection comes from. */
export const noSource = (address: Address, source: string): ConnectError => {
  const cause = new Error("only node:net can choose a source address: connect by the adapter of Node, or leave it out")
  return new ConnectError({ problem: "Unsupported", address, source, cause })
}

// Deno says EINVAL for an address that is not this machine's, Linux for one of the other family.
const foreign = new Set(["EADDRNOTAVAIL", "EINVAL", "ERR_INVALID_IP_ADDRESS", "EAFNOSUPPORT"])

/** How a stream ended that failed with `cause`. */
export const transportEnd = (cause: unknown): TransportEnd =>
  resets.has(keyOf(cause)) ? { _tag: "Reset" } : { _tag: "Failed", cause }

const keyOf = (cause: unknown): string => {
  const code = codeOf(cause)
  if (code !== undefined) return code
  if (!(cause instanceof Error)) return ""
  return namesNobody.test(cause.message) ? "ENOTFOUND" : cause.name
}

// Of a name without an address Deno says what getaddrinfo says, as text; Bun that it failed, when it was to listen.
const namesNobody = /^(failed to lookup address|Failed to listen at )/

// A write to a stream that the peer has reset gives EPIPE; asking one anything gives ENOTCONN.
const resets = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN"])

const invalid = { listen: "InvalidAddress", connect: "InvalidAddress" } as const
const denied = { listen: "PermissionDenied", connect: "PermissionDenied" } as const
const exhausted = { listen: "TooManyDescriptors", connect: "TooManyDescriptors" } as const
const unnamed = { listen: "InvalidAddress", connect: "NameNotFound" } as const
const unsupported = { listen: "Unsupported" } as const

// EAGAIN stands nowhere: a Unix listener with a full backlog gives it, and that one is alive.
const problems: Record<string, { readonly listen?: ListenProblem; readonly connect?: ConnectProblem }> = {
  EADDRINUSE: { listen: "AddressInUse", connect: "AddressUnavailable" },
  EADDRNOTAVAIL: { listen: "AddressUnavailable", connect: "AddressUnavailable" },
  EAFNOSUPPORT: { listen: "AddressUnavailable", connect: "Unreachable" }, // IPv6 is off
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
  NotCapable: denied,
  PermissionDenied: denied,
  EMFILE: exhausted,
  ENFILE: exhausted,
  EINVAL: invalid,
  ENAMETOOLONG: invalid,
  ENOTDIR: invalid,
  ERR_SOCKET_BAD_PORT: invalid,
  ERR_OUT_OF_RANGE: invalid,
  ERR_INVALID_ARG_TYPE: invalid,
  ERR_INVALID_ARG_VALUE: invalid,
  URIError: invalid,
  RangeError: invalid,
  TypeError: invalid,
  ENOTFOUND: unnamed,
  EAI_AGAIN: unnamed,
  EAI_FAIL: unnamed,
  ENOENT: { listen: "InvalidAddress", connect: "Refused" },
  ECONNREFUSED: { connect: "Refused" },
  ECONNRESET: { connect: "Reset" },
  ECONNABORTED: { connect: "Reset" },
  EPIPE: { connect: "Reset" },
  EHOSTUNREACH: { connect: "Unreachable" },
  EHOSTDOWN: { connect: "Unreachable" },
  ENETUNREACH: { connect: "Unreachable" },
  ENETDOWN: { connect: "Unreachable" },
  ETIMEDOUT: { connect: "TimedOut" },
  ENOTSUP: unsupported,
  EOPNOTSUPP: unsupported,
  ENOPROTOOPT: unsupported,
}
