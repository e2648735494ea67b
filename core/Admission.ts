/**
 * Who may enter: decided at accept, before a byte, in the same few steps however many are there.
 *
 * Numbers and addresses in, verdict out. Nothing here refuses anybody: the server does, and says at which limit.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "./Address.ts"
import * as Rate from "./Rate.ts"

/** What may be limited. Whatever is left out is not. */
export interface AdmissionOptions {
  /** Connections at once of one client address: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly maxConnectionsPerAddress?: number
  /** New connections of everybody. */
  readonly acceptRate?: Rate.Rate
  /** New connections of one client address. */
  readonly acceptRatePerAddress?: Rate.Rate
  /** Networks such as `10.0.0.0/8` or `2001:db8::/32`: nobody else may enter. */
  readonly allow?: ReadonlyArray<string>
  /** Networks whose clients may not enter, whatever `allow` says. */
  readonly deny?: ReadonlyArray<string>
}

/** The limit at which somebody was not admitted. */
export type AdmissionLimit =
  | "allow"
  | "deny"
  | "maxConnectionsPerAddress"
  | "acceptRate"
  | "acceptRatePerAddress"

/** Why somebody was not let in: the name of the setting, or that the server drains. */
export type RefusalLimit = AdmissionLimit | "maxConnections" | "listener.maxConnections" | "draining"

/** Admits clients, and counts those of each address. Throws a RangeError for options that cannot be. */
export class Admission {
  readonly #maxPerAddress: number
  readonly #rate: Rate.Rate | undefined
  readonly #rates: Rate.Rates | undefined
  readonly #allow: ReadonlyArray<IpNetwork.IpNetwork> | undefined
  readonly #deny: ReadonlyArray<IpNetwork.IpNetwork>
  readonly #counts = new Map<string, number>()
  #bucket = 0

  constructor(options: AdmissionOptions, now: number) {
    const { maxConnectionsPerAddress: most = Infinity, acceptRate, acceptRatePerAddress, allow, deny = [] } = options
    if (most !== Infinity && !(Number.isInteger(most) && most >= 1)) {
      throw invalid("maxConnectionsPerAddress", most, "an integer from 1")
    }
    for (const [name, rate] of Object.entries({ acceptRate, acceptRatePerAddress })) {
      if (rate !== undefined && !Rate.isRate(rate)) {
        throw invalid(name, JSON.stringify(rate), "perSecond above 0 and burst from 1")
      }
    }
    this.#maxPerAddress = most
    this.#rate = acceptRate
    this.#rates = acceptRatePerAddress === undefined ? undefined : new Rate.Rates(acceptRatePerAddress, now)
    this.#allow = allow?.map((network) => parse("allow", network))
    this.#deny = deny.map((network) => parse("deny", network))
  }

  /**
   * Admits a client at a time in milliseconds, or returns the limit that it meets. Whoever is admitted is counted until
   * {@link release}. A client without an address of its own (a Unix socket, one that is gone already) meets only
   * `acceptRate` and `allow`.
   */
  admit(client: Address.Address | undefined, now: number): AdmissionLimit | undefined {
    const key = this.#keyOf(client)
    if (this.#allow !== undefined || this.#deny.length > 0) {
      const address = client?._tag === "Tcp" ? parseAddress(client.host) : undefined
      if (includes(this.#deny, address)) return "deny"
      if (this.#allow !== undefined && !includes(this.#allow, address)) return "allow"
    }
    const count = key === undefined ? 0 : this.#counts.get(key) ?? 0
    if (count >= this.#maxPerAddress) return "maxConnectionsPerAddress"
    // Everybody's rate is asked first and taken from last, so that whoever meets the limit of one address costs nobody
    // else anything.
    const bucket = this.#rate === undefined ? 0 : Rate.take(this.#rate, this.#bucket, now)
    if (bucket === undefined) return "acceptRate"
    if (key !== undefined && this.#rates?.take(key, now) === false) return "acceptRatePerAddress"
    this.#bucket = bucket
    if (key !== undefined && this.#maxPerAddress < Infinity) this.#counts.set(key, count + 1)
    return undefined
  }

  /** A client that was admitted has gone. */
  release(client: Address.Address | undefined): void {
    if (this.#counts.size === 0) return
    const key = this.#keyOf(client)
    if (key === undefined) return
    const count = this.#counts.get(key) ?? 0
    if (count > 1) this.#counts.set(key, count - 1)
    else this.#counts.delete(key)
  }

  #keyOf(client: Address.Address | undefined): string | undefined {
    if (this.#maxPerAddress === Infinity && this.#rates === undefined) return undefined
    return client === undefined ? undefined : Address.networkKey(client)
  }
}

const includes = (
  networks: ReadonlyArray<IpNetwork.IpNetwork>,
  address: NetAddress.IpAddress | undefined,
): boolean => address !== undefined && networks.some((network) => IpNetwork.contains(network, address))

// A zone says by which interface, not who.
const parseAddress = (host: string): NetAddress.IpAddress | undefined =>
  Result.getOrUndefined(NetAddress.ipFromString(host.replace(/%.*$/, "")))

const parse = (name: string, network: string): IpNetwork.IpNetwork => {
  const parsed = IpNetwork.fromString(network)
  if (Result.isSuccess(parsed)) return parsed.success
  throw invalid(name, JSON.stringify(network), "a network such as 10.0.0.0/8, 192.0.2.1/32 or 2001:db8::/32")
}

const invalid = (name: string, value: unknown, accepted: string): RangeError =>
  new RangeError(`Cannot make a server: limits.${name} is ${value}, accepted is ${accepted}`)
