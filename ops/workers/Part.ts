/**
 * Which worker of how many this is, and its share of the limits. A limit is of the instance: the shares add up to it and
 * never to more. What is not shared (rates, everything of a client's address) each worker holds for itself.
 */
import { type Address, isLocal } from "../../core/Address.ts"
import type { Tunables } from "../../core/Options.ts"
import * as Settings from "../../core/Settings.ts"
import type { Share } from "./Share.ts"

/** One worker of an instance. */
export interface Part {
  /** Counted from 1. */
  readonly number: number
  readonly count: number
  /** The port that the first worker got, where any was asked for. */
  readonly port: number | undefined
  readonly share: Share
}

/** As the command line of a worker has it: `2/4:9000,reuseport`. */
export const format = ({ number, count, port, share }: Part): string =>
  `${number}/${count}${port === undefined ? "" : `:${port}`},${share}`

/** Undefined for what is none. */
export const parse = (text: string): Part | undefined => {
  const [, number, count, port, share] = /^(\d+)\/(\d+)(?::(\d+))?,(reuseport|cluster)$/.exec(text) ?? []
  if (number === undefined || Number(number) < 1 || Number(number) > Number(count)) return undefined
  return {
    number: Number(number),
    count: Number(count),
    port: port === undefined ? undefined : Number(port),
    share: share as Share, // it matched
  }
}

/** Tells core's `Directory`, also where a module of the user's makes one by itself, that there are other processes. */
export const announce = (): void => {
  const mark: unique symbol = Symbol.for("anyport/Shared")
  Object.assign(globalThis, { [mark]: true })
}

const shared = ["maxConnections", "memory", "maxInFlight"] as const

/**
 * The settings of one worker of a server at this address. Throws a SettingsError, as the server itself would, and when a
 * limit is too low to be shared.
 */
export const settings = (
  of: Tunables,
  address: Address,
  { number, count }: Pick<Part, "number" | "count">,
): Tunables => {
  const { limits } = Settings.resolve(of, isLocal(address))
  const shares = shared.map((name) => {
    const whole = limits[name]
    if (whole > 0 && whole < count) {
      throw new Settings.SettingsError(`limits.${name}`, whole, `at least ${count}, one for each worker`)
    }
    return [name, whole === Infinity ? whole : Math.floor(whole / count) + (number <= whole % count ? 1 : 0)] as const
  })
  return { ...of, limits: { ...of.limits, ...Object.fromEntries(shares) } }
}

/** How long a worker's drain may take at most, in milliseconds: see `DrainPhase`. */
export const patience = (of: Tunables, address: Address): number => {
  const { drain, deadlines } = Settings.resolve(of, isLocal(address))
  return drain.delay + drain.timeout + deadlines.close + margin
}

/** For what is done on the way (`onDrain`), and for services to release what they acquired. */
const margin = 15_000
