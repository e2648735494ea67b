/**
 * Addresses to connect from, by turns: `127.0.0.2-127.0.0.9`, or a list of addresses and ranges with commas. Each has
 * ephemeral ports of its own, about 28,000 on Linux, so that many of them carry more connections than one (FAULTS 67).
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { type Problem, problem } from "./Problem.ts"
import { isProblem } from "./Problem.ts"
import type { Target } from "./Target.ts"

/** Addresses at most. */
export const most = 1_024

/** The addresses that a text names, in its order, each once. */
export const parse = (text: string): ReadonlyArray<string> | Problem => {
  const found = new Set<string>()
  for (const part of text.split(",")) {
    const some = range(part.trim(), text)
    if (isProblem(some)) return some
    for (const address of some) found.add(address)
    if (found.size > most) return tooMany(text)
  }
  return [...found]
}

/** What is wrong with sources for a target; undefined where nothing is. */
export const wrong = (sources: ReadonlyArray<string>, { address, url }: Target): string | undefined => {
  if (sources.length === 0) return undefined
  if (address._tag === "Unix") {
    return `A Unix socket is not connected to from an address; leave out the source of ${url}`
  }
  const family = familyOf(address.host)
  const other = family === undefined ? undefined : sources.find((source) => familyOf(source) !== family)
  return other === undefined ? undefined : `${address.host} is ${family}, and cannot be connected to from ${other}`
}

const range = (text: string, whole: string): ReadonlyArray<string> | Problem => {
  const [from = "", to, ...more] = text.split("-").map((one) => one.trim())
  const first = parsed(from)
  if (first === undefined || more.length > 0) return expected(whole)
  if (to === undefined) return [NetAddress.formatIp(first)]
  const last = parsed(to)
  if (last === undefined) return expected(whole)
  if (!NetAddress.isIpv4Address(first) || !NetAddress.isIpv4Address(last)) {
    return problem(`Expected a range of IPv4 addresses, got ${text}; name IPv6 ones singly`)
  }
  const begin = toNumber(first)
  const count = toNumber(last) - begin + 1
  if (count < 1) return problem(`Expected a range from the lower address to the higher, got ${text}`)
  if (count > most) return tooMany(whole)
  return Array.from({ length: count }, (_, index) => toText(begin + index))
}

const parsed = (text: string): NetAddress.IpAddress | undefined => Result.getOrUndefined(NetAddress.ipFromString(text))

const familyOf = (host: string): string | undefined => {
  const ip = parsed(host)
  return ip === undefined ? undefined : NetAddress.familyOf(ip)
}

const toNumber = (ip: NetAddress.Ipv4Address): number =>
  NetAddress.ipv4ToOctets(ip).reduce((sum, octet) => sum * 256 + octet, 0)

const toText = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".")

const expected = (text: string): Problem =>
  problem(`Expected addresses such as 127.0.0.2-127.0.0.9 or 10.0.0.5,10.0.0.6, got ${text === "" ? "nothing" : text}`)

const tooMany = (text: string): Problem => problem(`Expected at most ${most} source addresses, got ${text}`)
