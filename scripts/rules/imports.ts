/**
 * The import rule: which part of the house may import which. The layers of `core/` are an order, every other room has a
 * list, and rooms without one (tests, scripts) import what they like.
 */
import { posix } from "node:path"
import { isModule, lineAt, type Source, type Violation, withoutComments } from "./Source.ts"

/** One import, re-export or dynamic import with a literal specifier. */
export interface Import {
  readonly specifier: string
  readonly line: number
  readonly kind: "static" | "type" | "dynamic"
}

/** The breaches of the import rule; `entries` is the export map of `package.json`, by which `anyport/node` is a file. */
export const imports = (sources: ReadonlyArray<Source>, entries: Record<string, string>): ReadonlyArray<Violation> =>
  sources.filter(isModule).flatMap((source) =>
    importsOf(source.text).flatMap((found) => {
      const target = resolve(source.path, found.specifier, entries)
      const allowed = breach(source.path, target, found.kind)
      if (allowed === undefined) return []
      return [{ path: source.path, line: found.line, message: `Import rule: imports ${target}; ${allowed}` }]
    })
  )

/** The imports of a module, in order. */
export const importsOf = (text: string): ReadonlyArray<Import> =>
  [...withoutComments(text).matchAll(statements)].map((match) => ({
    specifier: match[2] ?? match[3]!,
    line: lineAt(text, match.index + match[0].length),
    kind: match[3] !== undefined ? "dynamic" : match[1] !== undefined ? "type" : "static",
  }))

// `import x from "…"`, `import "…"`, `import type …`, `export … from "…"`; and `import("…")`, also within types.
const statements =
  /(?:^|[;\n])\s*(?:import|export)\s+(?:(type)\s+)?(?:[\w$*{}\s,]+?\s*from\s*)?["']([^"']+)["']|\bimport\s*\(\s*["'`]([^"'`$]+)["'`]/g

/** The file that a specifier of our own means, or the specifier of a package, `node:*` included. */
const resolve = (importer: string, specifier: string, entries: Record<string, string>): string => {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(importer), specifier)
  const entry = /^anyport(\/.*)?$/.exec(specifier)
  return entry === null ? specifier : entries[`.${entry[1] ?? ""}`]?.replace(/^\.\//, "") ?? specifier
}

/** What would be allowed instead; undefined when the import is. */
const breach = (importer: string, target: string, kind: Import["kind"]): string | undefined => {
  switch (room(importer)) {
    case "core":
      return ofCore(importer, target)
    case "adapters":
      return ofAdapter(importer, target, kind)
    case "services":
    case "load":
    case "ops":
    case "config":
      return ofRoom(room(importer), target)
    case "testing":
      return isPackage(target) || ["core", "testing"].includes(room(target)) || target === "adapters/memory.ts"
        ? undefined
        : "testing/ imports packages, core/, testing/ and adapters/memory.ts"
    case "bench":
      return isPackage(target) || !["test", "scripts", "cli"].includes(room(target))
        ? undefined
        : "bench/ imports what ships, but cli/, and not test/ or scripts/"
    case "cli":
      return isPackage(target) || !["test", "scripts"].includes(room(target))
        ? undefined
        : "cli/ imports what ships, not test/ or scripts/"
    default:
      return undefined
  }
}

const room = (path: string): string => path.slice(0, Math.max(0, path.indexOf("/")))

const rooms: ReadonlySet<string> = new Set(
  ["core", "adapters", "services", "load", "ops", "config", "testing", "cli", "bench", "test", "scripts"],
)

const isPackage = (target: string): boolean => !rooms.has(room(target)) && !target.endsWith(".ts")

/** From the innermost layer outwards; a module imports its own layer and those before it. What is not named is policy. */
const layers = [
  { name: "frames", paths: /^core\/(Address|ByteBuffer|ByteWriter|Codec|codecs\/.*)\.ts$/ },
  {
    name: "port and policies",
    paths:
      /^core\/(?!(ManagedConnection|Connection|Plain|Replies|Session|Authentication|Login|Service|Directory|Drain|Registry|Server|Client|index)\.ts$|client\/)/,
  },
  { name: "connection", paths: /^core\/(Connection|ManagedConnection)\.ts$/ },
  { name: "service", paths: /^core\/(Plain|Replies|Session|Authentication|Login|Service|Directory)\.ts$/ },
  { name: "server", paths: /^core\/(Drain|Registry|Server|Client|client\/.*)\.ts$/ },
  { name: "entry", paths: /^core\/index\.ts$/ },
] as const

const ofCore = (importer: string, target: string): string | undefined => {
  if (/^effect\//.test(target)) return undefined
  if (room(target) !== "core") return "core/ imports effect/* and core/ only"
  const layerOf = (path: string): number => layers.findIndex(({ paths }) => paths.test(path))
  if (layerOf(target) <= layerOf(importer)) return undefined
  const names = layers.map(({ name }) => name)
  return `${importer} is of layer ${names[layerOf(importer)]} and imports that or what comes before it in: ${
    names.join(" < ")
  }`
}

/** `bun` for `adapters/bun.ts` and for what is in `adapters/bun/`; undefined for the files that adapters share. */
const adapterOf = (path: string): string | undefined => /^adapters\/(node|bun|deno|memory|auto)(?=[./])/.exec(path)?.[1]

const runtimePackages: Record<string, RegExp> = {
  node: /^node:/,
  bun: /^(node:|bun$|bun:)/,
  deno: /^node:/,
  shared: /^node:/,
}

const ofAdapter = (importer: string, target: string, kind: Import["kind"]): string | undefined => {
  const own = adapterOf(importer)
  if (/^effect\//.test(target) || target === "core/Sockets.ts" || target === "core/Address.ts") return undefined
  if (room(target) === "adapters") {
    const other = adapterOf(target)
    if (other === undefined || other === own) return undefined
    if (own === "auto") {
      return kind === "static" ? "auto.ts imports the adapters dynamically, or their types" : undefined
    }
    return "adapters never import each other, only adapters/tls.ts and other shared files"
  }
  if (isPackage(target) && runtimePackages[own ?? "shared"]?.test(target)) return undefined
  return "an adapter imports effect/*, core/Sockets.ts, core/Address.ts, its own runtime and shared adapter files"
}

/** What of core only a Server's own parts may know. */
const inside = /^core\/(Connection|ManagedConnection|Plain|Session|Outbox|Replies|Turn|Deadlines)\.ts$/

const ofRoom = (own: string, target: string): string | undefined => {
  if (isPackage(target)) return undefined
  if (["cli", "testing", "test", "scripts", "bench"].includes(room(target))) {
    return `${own}/ imports packages, core/, services/, load/, ops/ and config/`
  }
  if (target === "adapters/auto.ts" && own === "ops") return undefined // whichever runtime it is
  if (room(target) === "adapters") return `${own}/ runs on any adapter and imports none but, in ops/, auto.ts`
  if (["ops", "config"].includes(own) && inside.test(target)) {
    return `${own}/ reads core/Event.ts and core/Server.ts's public face, never the inside of a connection`
  }
  return undefined
}
