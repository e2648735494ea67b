/**
 * A clone must work and read the same on every machine: nothing in it names a host that packages come from or a path of
 * the machine it was written on.
 */
import { lineAt, type Source, type Violation } from "./Source.ts"

/** Every package host and absolute path of a machine; `root` is where this clone lies. */
export const places = (sources: ReadonlyArray<Source>, root: string): ReadonlyArray<Violation> =>
  sources.flatMap(({ path, text }) => [
    ...find(path, text, hosts, "a package host; each machine has its own in its user's settings"),
    ...find(path, text, homes, "a path of one machine; allowed are paths relative to the repository"),
    // A root such as /app is too short a word to be a machine's.
    ...root.split("/").length > 2 ? find(path, text, escaped(root), "a path of this machine; make it relative") : [],
    ...path === "package-lock.json"
      ? find(path, text, /"resolved":/g, 'a place of a package; run npm install with "omit-lockfile-registry-resolved"')
      : [],
  ])

const hosts =
  /\bhttps?:\/\/[^/\s"'`]*(?:registry|artifactory|nexus|verdaccio|mirror)[^/\s"'`]*|^(?:@\w+:)?registry\s*=.*/gm

const homes = /(?<![\w.~:/-])\/(?:home|root|Users)\/[\w.-]+|\b[A-Z]:\\{1,2}Users\\/g

const escaped = (root: string): RegExp => new RegExp(`${root.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w-])`, "g")

const find = (path: string, text: string, pattern: RegExp, allowed: string): ReadonlyArray<Violation> =>
  [...text.matchAll(pattern)].map((match) => ({
    path,
    line: lineAt(text, match.index),
    message: `Place rule: holds ${match[0]}, ${allowed}`,
  }))
