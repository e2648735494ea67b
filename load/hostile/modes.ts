/**
 * The hostile modes by name.
 */

/** The modes, in the order in which they are shown. */
export const modes = [
  "silent",
  "slowloris",
  "torn-frames",
  "garbage",
  "oversize",
  "slow-reader",
  "half-open",
  "reset-storm",
] as const

/** What a hostile client is like. */
export type HostileMode = typeof modes[number]

/** Whether a mode is one of them. */
export const isHostile = (mode: string): mode is HostileMode => (modes as ReadonlyArray<string>).includes(mode)
