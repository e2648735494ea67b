/** Version 1 of the PROXY protocol: a line of text. `ProxyHeader.ts` draws it and says what is refused. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "../../Address.ts"
import type { ByteBuffer } from "../../ByteBuffer.ts"
import { type FrameError, frameTooLarge } from "../../Codec.ts"
import type { ProxyHeader } from "../ProxyHeader.ts"
import * as ProxyEndpoints from "./ProxyEndpoints.ts"
import { hex, unreadable, unwritable } from "./ProxyErrors.ts"
import * as ProxyTlvs from "./ProxyTlvs.ts"

/** The byte that no other version begins with. */
export const first = 0x50

/** Consumes a header; undefined when more bytes are needed. */
export const decode = (input: ByteBuffer): Result.Result<ProxyHeader, FrameError> | undefined => {
  const { bytes, start, end } = input
  // A character a byte, so that an index of one is an index of the other.
  const seen = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + longest)))
  const kind = kinds.find(({ begin }) => seen.startsWith(begin))
  if (kind === undefined) {
    if (kinds.some(({ begin }) => begin.startsWith(seen))) return undefined
    return unreadable(`it begins with ${JSON.stringify(seen.slice(0, 14))}, wanted PROXY and TCP4, TCP6 or UNKNOWN`)
  }
  const { begin, fields, stranger, parse } = kind
  const stop = begin.length + seen.slice(begin.length).search(stranger)
  if (stop < begin.length || stop === seen.length - 1 && seen[stop] === "\r") {
    return seen.length < longest ? undefined : Result.fail(frameTooLarge(longest + 1, longest))
  }
  if (!seen.startsWith("\r\n", stop)) {
    const at = seen[stop] === "\r" ? stop + 1 : stop
    return unreadable(`byte ${at + 1} is ${hex(bytes[start + at]!)}, wanted CRLF behind ${fields}`)
  }
  const header = parse(seen.slice(begin.length, stop))
  if (Result.isSuccess(header)) input.consume(stop + 2)
  return header
}

/** The bytes of a header. */
export const encode = (header: ProxyHeader): Result.Result<Uint8Array, FrameError> =>
  Result.gen(function* () {
    if (header.command !== "PROXY") return yield* unwritable(`version 1 has no ${header.command}, wanted PROXY`)
    const tlvs = yield* ProxyTlvs.vector.encode(header.tlvs)
    if (tlvs.length > 0) return yield* unwritable("version 1 has TLVs, wanted none")
    const ends = yield* ProxyEndpoints.parse(header)
    return encoder.encode(`PROXY ${line(ends)}\r\n`)
  })

const line = (ends: ProxyEndpoints.Endpoints): string => {
  if (ends._tag === "Unix" || ends._tag === "Unspecified") return "UNKNOWN"
  const { source, destination } = ends
  const family = ends._tag === "Ipv4" ? "TCP4" : "TCP6"
  return `${family} ${text(source.ip)} ${text(destination.ip)} ${source.port} ${destination.port}`
}

/** An address in the specification's own grammar, which has no dots in IPv6. */
const text = (ip: NetAddress.IpAddress): string => {
  if (NetAddress.isIpv4Address(ip) || !NetAddress.isIpv4Mapped(ip)) return NetAddress.formatIp(ip)
  return `::ffff:${NetAddress.ipv6ToSegments(ip).slice(6).map((segment) => segment.toString(16)).join(":")}`
}

type Parse = (fields: string) => Result.Result<ProxyHeader, FrameError>

const proxied = (source: Address.Address | undefined, destination: Address.Address | undefined): ProxyHeader => ({
  version: 1,
  command: "PROXY",
  source,
  destination,
  tlvs: {},
})

const addresses = (read: (text: string) => Result.Result<NetAddress.IpAddress, unknown>, family: string): Parse => {
  const address = (name: string, host: string, port: string): Result.Result<Address.Address, FrameError> => {
    const ip = read(host)
    if (Result.isFailure(ip)) {
      return unreadable(`${name} is ${JSON.stringify(host)}, wanted an ${family} address`)
    }
    if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) {
      return unreadable(`port of ${name} is ${JSON.stringify(port)}, wanted 0 to 65535 without leading zeros`)
    }
    return Result.succeed(Address.fromPeer(NetAddress.formatIp(ip.success), Number(port)))
  }
  return (text) => {
    const fields = text.split(" ")
    if (fields.length !== 4) {
      return unreadable(`${fields.length} fields behind the family, wanted 4 with one space between them`)
    }
    const [from, to, fromPort, toPort] = fields as [string, string, string, string] // counted above
    return Result.gen(function* () {
      return proxied(yield* address("source", from, fromPort), yield* address("destination", to, toPort))
    })
  }
}

interface Kind {
  readonly begin: string
  /** What comes between that and CRLF, in words, and the first character that is no part of it. */
  readonly fields: string
  readonly stranger: RegExp
  readonly parse: Parse
}

const tcp4: Kind = {
  begin: "PROXY TCP4 ",
  fields: "IPv4 addresses and ports",
  stranger: /[^\d. ]/,
  parse: addresses(NetAddress.ipv4FromString, "IPv4"),
}

const tcp6: Kind = {
  begin: "PROXY TCP6 ",
  fields: "IPv6 addresses and ports",
  stranger: /[^\da-fA-F:. ]/,
  parse: addresses(NetAddress.ipv6FromString, "IPv6"),
}

const unknown: Kind = {
  begin: "PROXY UNKNOWN ",
  fields: "PROXY UNKNOWN",
  stranger: /[\r\n]/,
  parse: () => Result.succeed(proxied(undefined, undefined)),
}

/** `PROXY UNKNOWN` alone comes last, because the other one begins with it as well. */
const kinds: ReadonlyArray<Kind> = [tcp4, tcp6, unknown, { ...unknown, begin: "PROXY UNKNOWN", stranger: /[^]/ }]

const longest = 107

const encoder = new TextEncoder()
