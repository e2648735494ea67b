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
    if (!isSame(before, rate)) this.#rates = ratesOf(limits, now)
    // What was taken at another rate says nothing of this one.
    if (!isSame(this.#limits.acceptRate, limits.acceptRate)) this.#bucket = 0
    this.#limits = limits
  }

  /**
   * Admits a client at a time in milliseconds, or returns the limit that it meets. Whoever is admitted is counted until
   * {@link release}. A client without an address of its own (a Unix socket, one that is gone already) meets only
   * `acceptRate` and `allow`.
   */
  admit(client: Address.Address | undefined, now: number): AdmissionLimit | undefined {
    const barred = this.bars(client)
    if (barred !== undefined) return barred
    const { acceptRate } = this.#limits
    const key = keyOf(client)
    // Everybody's rate is asked first and taken from last, so that whoever meets the limit of one address costs nobody
    // else anything.
    const bucket = acceptRate === undefined ? 0 : Rate.take(acceptRate, this.#bucket, now)
    if (bucket === undefined) return "acceptRate"
    if (key !== undefined && this.#rates?.take(key, now) === false) return "acceptRatePerAddress"
    this.#bucket = bucket
    this.hold(client)
    return undefined
  }

  /** Which limit a client meets, rates aside. Nothing is counted. */
  bars(client: Address.Address | undefined): AdmissionLimit | undefined {
    const { allow, deny, maxConnectionsPerAddress } = this.#limits
    if (Networks.includes(deny, client)) return "deny"
    if (allow !== undefined && !Networks.includes(allow, client)) return "allow"
    return this.#countOf(keyOf(client)) >= maxConnectionsPerAddress ? "maxConnectionsPerAddress" : undefined
  }

  /** Counts a client that only waits to be admitted, until {@link release}. */
  hold(client: Address.Address | undefined): void {
    this.#count++
    const key = keyOf(client)
    if (key !== undefined) this.#counts.set(key, this.#countOf(key) + 1)
  }

  /** A client that was admitted or held has gone. */
  release(client: Address.Address | undefined): void {
    this.#count--
    const key = keyOf(client)
    if (key === undefined) return
    const count = this.#countOf(key)
    if (count > 1) this.#counts.set(key, count - 1)
    else this.#counts.delete(key)
  }

  /** Whether most of all clients, and many, have this one's address: they may come by a proxy. */
  dominates(client: Address.Address | undefined): boolean {
    const count = this.#countOf(keyOf(client))
    return count >= crowd && count > this.#count / 2
  }

  #countOf(key: string | undefined): number {
    return key === undefined ? 0 : this.#counts.get(key) ?? 0
  }
}

const isSame = (a: Rate.Rate | undefined, b: Rate.Rate | undefined): boolean =>
  a?.perSecond === b?.perSecond && a?.burst === b?.burst

const ratesOf = ({ acceptRatePerAddress: rate }: Limits, now: number): Rate.Rates | undefined =>
  rate === undefined ? undefined : new Rate.Rates(rate, now)

const keyOf = (client: Address.Address | undefined): string | undefined =>
  client === undefined ? undefined : Address.networkKey(client)
