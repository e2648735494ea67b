/** Lists of networks: who is among them. */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Address } from "./Address.ts"

/** A list of networks. An empty one includes nobody. */
export interface Networks {
  readonly ip: ReadonlyArray<IpNetwork.IpNetwork>
  /** Whoever comes by a Unix socket is included. */
  readonly unix: boolean
}

/** What stands for Unix sockets in a list. */
const unix = "unix"

/**
 * Reads a list of networks and addresses, which may name Unix sockets where `unix` says so. The first text that is
 * neither is the failure.
 */
export const parse = (
  list: ReadonlyArray<string>,
  { unix: acceptsUnix }: { readonly unix: boolean },
): Result.Result<Networks, string> => {
  const ip: Array<IpNetwork.IpNetwork> = []
  for (const text of list) {
    if (acceptsUnix && text === unix) continue
    const network = networkOf(text)
    if (Result.isFailure(network)) return Result.fail(text)
    ip.push(network.success)
  }
  return Result.succeed({ ip, unix: list.includes(unix) })
}

/** Whether an address is in one of the networks. One that is not known is in none. */
export const includes = ({ ip, unix }: Networks, address: Address | undefined): boolean => {
  if (address?._tag !== "Tcp") return unix && address !== undefined
  if (ip.length === 0) return false
  // A zone says by which interface, not who.
  const parsed = NetAddress.ipFromString(address.host.replace(/%.*$/, ""))
  return Result.isSuccess(parsed) && ip.some((network) => IpNetwork.contains(network, parsed.success))
}

const networkOf = (text: string): Result.Result<IpNetwork.IpNetwork, NetAddress.NetAddressError> => {
  const whole = text.includes(":") ? 128 : 32
  const network = IpNetwork.fromString(text.includes("/") ? text : `${text}/${whole}`)
  return Result.flatMap(network, unmapped)
}

// Peers are known by the IPv4 address where theirs is a mapped one, so networks have to be as well.
const unmapped = (
  network: IpNetwork.IpNetwork,
): Result.Result<IpNetwork.IpNetwork, NetAddress.NetAddressError> => {
  const { address, prefixLength } = network
  if (!NetAddress.isIpv6Address(address) || prefixLength < 96) return Result.succeed(network)
  return Option.match(NetAddress.fromIpv4Mapped(address), {
    onNone: () => Result.succeed(network),
    onSome: (ipv4) => IpNetwork.make(ipv4, prefixLength - 96),
  })
}
