/**
 * What each runtime cannot do under Anyport, as named flags: the conformance cases that need it are skipped, and
 * `docs/runtimes.md` shows it. Tests hold each flag against what the runtime's adapter says of itself.
 */
import type { Capabilities } from "../../core/Sockets.ts"

/** What not every runtime can do. */
export type Ability = Exclude<keyof Capabilities, "runtime"> | "halfClose" | "descriptorLimit"

/** One way to run a runtime, and what it lacks on Linux. */
export interface Flags {
  readonly missing: ReadonlyArray<Ability>
  /** Cases that would want more permissions than a test may have, by title. */
  readonly untestable?: ReadonlyArray<string>
}

const deno: Flags = {
  missing: ["reset", "reusePort", "adoptDescriptor", "bindSource", "descriptorLimit"],
  // Reading /proc wants every permission; keep-alive of a server's connections is seen from outside instead.
  untestable: ["clause 9: keep-alive is on at both ends"],
}

/** The flags of each. */
export const flags = {
  node: { missing: ["stopAccepting"] },
  bun: { missing: ["stopAccepting", "bindSource"] },
  deno,
  // The only way to have SO_REUSEPORT.
  "deno --unstable-net": { ...deno, missing: deno.missing.filter((ability) => ability !== "reusePort") },
} as const satisfies Record<string, Flags>

/** The abilities that an adapter says it lacks: of two ways to stop accepting, `unbind` is a lack. */
export const lacking = ({ runtime: _, ...capabilities }: Capabilities): ReadonlyArray<Ability> =>
  (Object.keys(capabilities) as Array<keyof typeof capabilities>) // its own keys
    .filter((ability) => !capabilities[ability] || capabilities[ability] === "unbind")
