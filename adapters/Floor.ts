/**
 * The oldest version of each runtime that Anyport runs on, and why. Below it, sockets refuse to listen and to connect, so
 * that a program, a command and a test are all refused alike, and before anything is lost.
 *
 * Nothing here asks which runtime this is: each adapter names its own, once, where it makes its layer.
 */
import * as Effect from "effect/Effect"
import { ConnectError, ListenError, type Sockets } from "../core/Sockets.ts"

/** A runtime's oldest supported version. */
export interface Floor {
  /** The runtime, as its users write it. */
  readonly name: string
  readonly version: string
  /** What is wrong with older ones: how a sentence with “because” goes on. */
  readonly reason: string
}

/** The floor of each runtime. */
export const floors = {
  node: {
    name: "Node",
    version: "22.19.0",
    // `engines` of its packages for Node, which the command line is made of.
    reason: "Effect 4's packages for Node support none older",
  },
  bun: {
    name: "Bun",
    version: "1.4.2",
    // https://github.com/oven-sh/bun/pull/33974, #33725 and #37920
    reason: "older ones may spend a whole CPU on a paused Unix socket whose peer has closed",
  },
  deno: {
    name: "Deno",
    version: "2.9.5",
    // https://github.com/denoland/deno/pull/36369
    reason: "in older ones closing a connection does not end a write that its peer holds up",
  },
} as const satisfies Record<string, Floor>

/** `sockets` as they are or, where the version found is below the floor, sockets that refuse everything. */
export const enforce = (floor: Floor, found: string, sockets: Sockets["Service"]): Sockets["Service"] => {
  if (!isBelow(found, floor.version)) return sockets
  const problem = "UnsupportedRuntime"
  const cause = new Error(
    `found is ${floor.name} ${found}, wanted is ${floor.version} or later, because ${floor.reason}`,
  )
  return {
    capabilities: sockets.capabilities,
    listen: ({ address }) => Effect.fail(new ListenError({ problem, address, cause })),
    connect: ({ address }) => Effect.fail(new ConnectError({ problem, address, cause })),
  }
}

/**
 * Whether a version is older than another, as semver orders them: by number and not by text, and a prerelease before
 * its release (`1.4.2-canary.3` is below `1.4.2`, `2.9.5+abc` is not). What is no version is below everything.
 */
export const isBelow = (found: string, wanted: string): boolean => {
  const left = parse(found)
  const right = parse(wanted)
  for (const [index, number] of right.numbers.entries()) {
    const other = left.numbers[index] ?? -1
    if (other !== number) return other < number
  }
  return left.prerelease && !right.prerelease
}

const parse = (version: string): { readonly numbers: ReadonlyArray<number>; readonly prerelease: boolean } => {
  const [, major, minor, patch, suffix] = /^v?(\d+)\.(\d+)\.(\d+)(-)?/.exec(version) ?? []
  return {
    numbers: [major, minor, patch].flatMap((number) => number === undefined ? [] : [Number(number)]),
    prerelease: suffix !== undefined,
  }
}
