/**
 * Whether Deno lets a run connect, which is asked before it begins: fifty connections that were not allowed say less than
 * the flag that is missing.
 */
import { format, tcp } from "../../core/Address.ts"
import type { Plan } from "../../load/Plan.ts"
import * as Permissions from "../../ops/permissions.ts"

type Reaching = Pick<Plan, "target" | "sources">

/** What is missing, in one line; undefined where nothing is, as on Node and Bun. */
export const missing = (plan: Reaching): string | undefined => {
  const flags = wanted(plan).flatMap(([name, values]) => {
    const lacking = values.filter((value) => !Permissions.granted(named(name, value)))
    // What has no name is everything.
    return lacking.length === 0 ? [] : [`--allow-${[name, lacking.join(",")].filter((part) => part !== "").join("=")}`]
  })
  return flags.length === 0 ? undefined : `Cannot connect to ${plan.target.url}: Deno wants ${flags.join(" ")}`
}

type Wanted = readonly [name: "net" | "read" | "write" | "env", values: ReadonlyArray<string>]

const wanted = ({ target: { address, webSocket }, sources }: Reaching): ReadonlyArray<Wanted> => {
  if (address._tag === "Tcp") {
    return [
      ["net", [address, ...sources.map((source) => tcp(source, 0))].map(format)],
      // The library looks for its options.
      ...webSocket === undefined ? [] : [["env", ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"]] as const],
    ]
  }
  const { path } = address
  // No flag can name an abstract one.
  if (path.startsWith("\0")) return [["net", [""]]]
  return [["read", [path]], ["write", [path]], ["net", [`unix:${path}`]]]
}

const named = (name: Wanted[0], value: string): Permissions.Permission => {
  if (value === "") return { name }
  switch (name) {
    case "net":
      return { name, host: value }
    case "env":
      return { name, variable: value }
    default:
      return { name, path: value }
  }
}
