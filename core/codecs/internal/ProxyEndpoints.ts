/**
 * The two ends of a connection as a PROXY header can name them: two IPv4 addresses, two IPv6 addresses, two Unix
 * sockets or none. Both versions write what this finds; nothing here reads a byte.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "../../Address.ts"
import type { FrameError } from "../../Codec.ts"
import type { ProxyHeader } from "../ProxyHeader.ts"
import { unwritable } from "./ProxyErrors.ts"

/** The ends of one connection. The path of an unnamed Unix socket is empty. */
export type Endpoints =
  | { readonly _tag: "Unspecified" }
  | { readonly _tag: "Unix"; readonly source: string; readonly destination: string }
  | {
    readonly _tag: "Ipv4"
    readonly source: End<NetAddress.Ipv4Address>
    readonly destination: End<NetAddress.Ipv4Address>
  }
  | {
    readonly _tag: "Ipv6"
    readonly source: End<NetAddress.Ipv6Address>
    readonly destination: End<NetAddress.Ipv6Address>
  }

interface End<A> {
  readonly ip: A
  readonly port: number
}

/** The ends that a header names, or why it cannot name them. */
export const parse = ({ source, destination }: ProxyHeader): Result.Result<Endpoints, FrameError> => {
  if (source === undefined && destination === undefined) return Result.succeed({ _tag: "Unspecified" })
  if (source?._tag !== "Tcp" && destination?._tag !== "Tcp") {
    return Result.succeed({ _tag: "Unix", source: source?.path ?? "", destination: destination?.path ?? "" })
  }
  if (source?._tag !== "Tcp" || destination?._tag !== "Tcp") {
    return unwritable(`source is ${text(source)} and destination ${text(destination)}, wanted two of one kind`)
  }
  return Result.gen(function* () {
    const from = yield* end("source", source)
    const to = yield* end("destination", destination)
    return isV4(from) && isV4(to)
      ? { _tag: "Ipv4", source: from, destination: to }
      : { _tag: "Ipv6", source: mapped(from), destination: mapped(to) }
  })
}

const end = (
  name: string,
  { host, port }: Address.TcpAddress,
): Result.Result<End<NetAddress.IpAddress>, FrameError> => {
  // There is no place for a zone, which means something to this machine only.
  const ip = NetAddress.ipFromString(host.replace(/%.*$/, ""))
  if (Result.isFailure(ip)) {
    return unwritable(`${name} is ${JSON.stringify(host)}, wanted an IP address`)
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    return unwritable(`port of ${name} is ${port}, wanted 0 to 65535`)
  }
  return Result.succeed({ ip: NetAddress.toCanonical(ip.success), port })
}

const isV4 = (one: End<NetAddress.IpAddress>): one is End<NetAddress.Ipv4Address> => NetAddress.isIpv4Address(one.ip)

const mapped = ({ ip, port }: End<NetAddress.IpAddress>): End<NetAddress.Ipv6Address> => ({
  ip: NetAddress.isIpv4Address(ip) ? NetAddress.toIpv4Mapped(ip) : ip,
  port,
})

const text = (address: Address.Address | undefined): string =>
  address === undefined ? "missing" : Address.format(address)
