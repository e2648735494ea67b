/** Lists of networks: who is among them. */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
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

/** Reads a list; `isAccepted` says whether it may name Unix sockets. The first text that is no network is the failure. */
export const parse = (
  list: ReadonlyArray<string>,
  { unix: acceptsUnix }: { readonly unix: boolean },
): Result.Result<Networks, string> => {
  const ip: Array<IpNetwork.IpNetwork> = []
  for (const text of list) {
    if (acceptsUnix && text === unix) continue
    const network = IpNetwork.fromString(text)
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
