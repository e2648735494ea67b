/**
 * Who may enter: decided at accept, before a byte, in the same few steps however many are there.
 *
 * Numbers and addresses in, verdict out. Nothing here refuses anybody: the Gate does, and says at which limit.
 */
import * as Address from "./Address.ts"
import * as Networks from "./Networks.ts"
import * as Rate from "./Rate.ts"
import type { Limits } from "./Settings.ts"

/** The limit at which somebody was not admitted. */
export type AdmissionLimit =
  | "allow"
  | "deny"
  | "maxConnectionsPerAddress"
  | "acceptRate"
  | "acceptRatePerAddress"

/** From so many connections on, an address that has more than half of them is conspicuous. */
const crowd = 50

/** Admits clients, and counts those of each address. */
export class Admission {
  #limits: Limits
  #rates: Rate.Rates | undefined
  readonly #counts = new Map<string, number>()
  #count = 0
  #bucket = 0

  constructor(limits: Limits, now: number) {
    this.#limits = limits
    this.#rates = ratesOf(limits, now)
  }

  /** From now on these limits hold. Whoever is in stays, and is counted. */
  update(limits: Limits, now: number): void {
    const before = this.#limits.acceptRatePerAddress
    const { acceptRatePerAddress: rate } = limits
    if (before?.perSecond !== rate?.perSecond || before?.burst !== rate?.burst) this.#rates = ratesOf(limits, now)
    this.#limits = limits
  }

  /**
   * Admits a client at a time in milliseconds, or returns the limit that it meets. Whoever is admitted is counted until
   * {@link release}. A client without an address of its own (a Unix socket, one that is gone already) meets only
   * `acceptRate` and `allow`.
   */
  admit(client: Address.Address | undefined, now: number): AdmissionLimit | undefined {
    const { allow, deny, maxConnectionsPerAddress, acceptRate } = this.#limits
    if (Networks.includes(deny, client)) return "deny"
    if (allow !== undefined && !Networks.includes(allow, client)) return "allow"
    const key = keyOf(client)
    const count = key === undefined ? 0 : this.#counts.get(key) ?? 0
    if (count >= maxConnectionsPerAddress) return "maxConnectionsPerAddress"
    // Everybody's rate is asked first and taken from last, so that whoever meets the limit of one address costs nobody
    // else anything.
    const bucket = acceptRate === undefined ? 0 : Rate.take(acceptRate, this.#bucket, now)
    if (bucket === undefined) return "acceptRate"
    if (key !== undefined && this.#rates?.take(key, now) === false) return "acceptRatePerAddress"
    this.#bucket = bucket
    this.#count++
    if (key !== undefined) this.#counts.set(key, count + 1)
    return undefined
  }

  /** A client that was admitted has gone. */
  release(client: Address.Address | undefined): void {
    this.#count--
    const key = keyOf(client)
    if (key === undefined) return
    const count = this.#counts.get(key) ?? 0
    if (count > 1) this.#counts.set(key, count - 1)
    else this.#counts.delete(key)
  }

  /** Whether most of all clients, and many, have this one's address: they may come by a proxy. */
  dominates(client: Address.Address | undefined): boolean {
    const key = keyOf(client)
    const count = key === undefined ? 0 : this.#counts.get(key) ?? 0
    return count >= crowd && count > this.#count / 2
  }
}

const ratesOf = ({ acceptRatePerAddress: rate }: Limits, now: number): Rate.Rates | undefined =>
  rate === undefined ? undefined : new Rate.Rates(rate, now)

const keyOf = (client: Address.Address | undefined): string | undefined =>
  client === undefined ? undefined : Address.networkKey(client)
