/**
 * What a run is against: `tcp://host:port`, `unix:/path`, `unix:@name`, `ws://host:port/path`. Names are not resolved here:
 * one without an address fails when it is connected to.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Address from "../core/Address.ts"
import { type Problem, problem } from "./Problem.ts"

/** A server. */
export interface Target {
  /** As it is written in a result. */
  readonly url: string
  /** Where bytes go. */
  readonly address: Address.Address
  /** The URL of a WebSocket server, which is spoken to in messages; undefined where it is a stream of bytes. */
  readonly webSocket: string | undefined
}

/** What is accepted, for messages. */
export const accepted = "tcp://host:port, unix:/path, unix:@name or ws://host:port/path"

/** The target that a text names. */
export const parse = (text: string): Target | Problem => {
  const scheme = /^([a-z][a-z\d+.-]*):(?=\/\/|[/@.])/i.exec(text)?.[1]?.toLowerCase()
  switch (scheme) {
    case "tcp":
      return ofTcp(text)
    case "unix":
      return ofUnix(text)
    case "ws":
      return ofWebSocket(text)
    case "tls":
    case "wss":
      return problem(`Expected ${accepted}, got ${text}: ${scheme}:// is not there yet`)
    case "http":
      return expected(text, ` (for a WebSocket write ws${text.slice(4)})`)
    default:
      return expected(text, scheme === undefined && Address.parse(text)?._tag === "Tcp" ? ` (write tcp://${text})` : "")
  }
}

/**
 * Whether only this machine can be behind it: 127.0.0.0/8, ::1, an IPv4-mapped one of those, `localhost` by name, or a Unix
 * socket. Other names are not, whatever they resolve to now.
 */
export const isLoopback = ({ address }: Target): boolean => {
  if (address._tag === "Unix" || address.host.toLowerCase() === "localhost") return true
  const parsed = NetAddress.ipFromString(address.host)
  if (Result.isFailure(parsed)) return false
  const ip = parsed.success
  const plain = NetAddress.isIpv6Address(ip) ? Option.getOrElse(NetAddress.fromIpv4Mapped(ip), () => ip) : ip
  return NetAddress.isLoopback(plain)
}

const ofTcp = (text: string): Target | Problem => {
  const rest = text.slice("tcp://".length).replace(/\/$/, "")
  if (!text.slice(4).startsWith("//")) return expected(text)
  const authority = split(rest)
  if (authority === undefined) return expected(text, wrongTcp(rest))
  const { host, port } = authority
  const wrong = wrongHost(host) ?? (port === undefined ? "the port is missing" : wrongPort(port))
  return wrong === undefined
    ? { url: `tcp://${rest}`, address: Address.tcp(host, Number(port)), webSocket: undefined }
    : expected(text, `: ${wrong}`)
}

const ofUnix = (text: string): Target | Problem => {
  // As other tools write it: an empty host, and then the path.
  const rest = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "")
  if (rest.startsWith("//")) return expected(text, ": a Unix socket has no host")
  const address = Address.parse(`unix:${rest}`)
  if (address?._tag !== "Unix") return expected(text)
  // What sun_path holds, with the NUL at its end.
  const length = new TextEncoder().encode(address.path).length
  if (length > longestPath) return problem(`Expected a path of at most ${longestPath} bytes, got one of ${length}`)
  return { url: `unix:${rest}`, address, webSocket: undefined }
}

const longestPath = 107

const ofWebSocket = (text: string): Target | Problem => {
  const [, authorityText = "", rest = ""] = /^ws:\/\/([^/?#]*)(.*)$/is.exec(text) ?? []
  const authority = split(authorityText)
  if (authority === undefined) return expected(text, wrongTcp(authorityText))
  const { host, port } = authority
  const wrong = wrongHost(host) ?? (port === undefined ? undefined : wrongPort(port))
  if (wrong !== undefined) return expected(text, `: ${wrong}`)
  if (rest.includes("#")) return expected(text, ": a WebSocket's URL has no fragment (write %23 for #)")
  if (/\s/.test(rest)) return expected(text, ": a URL has no spaces (write %20)")
  const url = `ws://${authorityText}${rest.startsWith("/") ? rest : `/${rest}`}`
  return { url, address: Address.tcp(host, Number(port ?? 80)), webSocket: url }
}

interface Authority {
  readonly host: string
  /** Undefined where there is none. */
  readonly port: string | undefined
}

const split = (text: string): Authority | undefined => {
  const match = /^(?:\[([^\]]*)\]|([^:[\]/@?#]*))(?::([^:/@?#]*))?$/.exec(text)
  return match === null ? undefined : { host: match[1] ?? match[2]!, port: match[3] }
}

const wrongTcp = (rest: string): string => {
  if (rest.includes("@")) return ": it is not to hold a user or a password"
  if (/^[\da-f]*:[\da-f:]*:/i.test(rest)) return ": IPv6 stands in brackets, as in tcp://[::1]:9000"
  return /[/?#]/.test(rest) ? ": it ends with the port" : ""
}

const wrongHost = (host: string): string | undefined => {
  if (host === "") return "the host is missing"
  const isIp = Result.isSuccess(NetAddress.ipFromString(host.replace(/%[\w.-]+$/, "")))
  if (isIp) return undefined
  if (host.includes(":")) return `${host} is no IPv6 address`
  if (/^[\d.]+$/.test(host)) return `${host} is no IPv4 address`
  return /^[\w.-]+$/.test(host) ? undefined : `${host} is no host`
}

const wrongPort = (port: string): string | undefined =>
  /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535
    ? undefined
    : `the port is ${port === "" ? "missing" : port}, wanted 1 to 65535`

const expected = (text: string, hint = ""): Problem =>
  problem(`Expected ${accepted}, got ${text === "" ? "nothing" : text}${hint}`)
