/**
 * The one gate: everything that must be true of a commit, part by part, a line with its time for each. A failing part
 * shows what it found; the others still run, and the gate exits with 1.
 *
 * ```
 * npm run check                    everything
 * npm run check -- types imports   only these parts
 * ```
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Bench from "./bench/results.ts"
import { guarantees, renderGuarantees } from "./figures.ts"
import * as Generated from "./generated.ts"
import * as Presets from "./presets.ts"
import { cases } from "./prove/cases/index.ts"
import * as Proof from "./prove/results.ts"
import { cases as befallen } from "./recover/cases/index.ts"
import * as Recovery from "./recover/results.ts"
import * as Rolling from "./rolling/results.ts"
import { entries } from "./rules/entries.ts"
import { imports } from "./rules/imports.ts"
import { permissions } from "./rules/permissions.ts"
import { places } from "./rules/places.ts"
import { ambient, barrel } from "./rules/shipped.ts"
import * as Source from "./rules/Source.ts"
import * as Share from "./share.ts"
import * as Soak from "./soak/results.ts"

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "")
const sources = Source.all(root)
const manifest = JSON.parse(sources.find(({ path }) => path === "package.json")!.text)

/** What a part found wrong; nothing when it passes. */
type Part = () => ReadonlyArray<string>

const rule = (found: () => ReadonlyArray<Source.Violation>): Part => () => found().map(Source.format)

/** A program that exits with 0. Its output is shown only when it does not, or, when `live`, as it comes. */
const program = (command: string, live = false): Part => () => {
  const [name, ...args] = command.split(" ")
  const ended = spawnSync(name!, args, {
    cwd: root,
    encoding: "utf8",
    stdio: live ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
    env: live ? process.env : { ...process.env, NO_COLOR: "1" },
    maxBuffer: 1 << 28,
  })
  if (ended.status === 0) return []
  const why = ended.error?.message ?? `It ended with ${ended.status ?? ended.signal}`
  return [`${ended.stdout ?? ""}${ended.stderr ?? ""}${command}: ${why}`]
}

const pinnedNode: Part = () => {
  const wanted = `v${manifest.devDependencies.node}`
  if (process.version === wanted) return []
  return [
    `Node is ${process.version} (${process.execPath}), wanted is the pinned ${wanted}: run "npm ci", then "npm run check", ` +
    "which finds it first in node_modules/.bin",
  ]
}

/** Documents show the figures that were recorded, of every case that there is, and the defaults of the code. */
const figures: Part = () => {
  const shown = (
    block: Generated.Block,
    markdown: string,
    command: string,
    source = "docs/results/",
  ): ReadonlyArray<string> =>
    Generated.same(Generated.read(block), markdown)
      ? []
      : [`${block.path}: "${block.name}" is not what ${source} says: run "${command}"`]
  const proven = Proof.read().cases.map(({ name }) => name)
  const unproven = cases.filter(({ name }) => !proven.includes(name)).map(({ name }) => name)
  const recovery = Recovery.read()
  return [
    ...shown({ path: "README.md", name: "matrix" }, Proof.matrix(Proof.read()), "npm run prove"),
    ...shown(guarantees, renderGuarantees(), "npm run memory -- --record"),
    ...shown(Rolling.block, Rolling.markdown(), "npm run rolling -- --record"),
    ...shown(Share.block, Share.markdown(), "npm run share -- --record"),
    ...shown(Soak.block, Soak.markdown(), "npm run soak -- --record"),
    ...Presets.tables.flatMap(({ block, markdown }) => shown(block, markdown(), "npm run presets", "core/")),
    ...shown(Recovery.block, Recovery.table(recovery, befallen), "npm run recover -- --record"),
    ...Recovery.missing(recovery, befallen).map((name) =>
      `${Recovery.path}: the case ${name} is missing on a runtime: run "npm run recover -- --record"`
    ),
    ...Bench.stale(),
    ...unproven.map((name) => `${Proof.path}: the case ${name} is missing: run "npm run prove"`),
  ]
}

const parts: Record<string, Part> = {
  node: pinnedNode,
  format: program("deno fmt --check"),
  lint: program("deno lint"),
  types: program("tsc -p ."),
  "types-core": program("tsc -p core"),
  imports: rule(() => imports(sources, manifest.exports)),
  barrel: rule(() => barrel(sources)),
  ambient: rule(() => ambient(sources)),
  entries: rule(() => entries(sources)),
  places: rule(() => places(sources, root)),
  permissions: rule(() => permissions(sources)),
  capabilities: program("node scripts/capabilities.ts --check"),
  figures,
  cpu: program("node scripts/cpu.ts --gate"),
  tests: program("npm test", true),
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in parts))
if (unknown.length > 0) {
  console.error(`Cannot check ${unknown.join(", ")}: the parts are ${Object.keys(parts).join(", ")}`)
  process.exit(2)
}

for (const [name, part] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const started = performance.now()
  const found = part()
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6)
  if (found.length > 0) {
    process.exitCode = 1
    console.log(found.join("\n"))
  }
  console.log(`${found.length === 0 ? "ok    " : "FAILED"}  ${name.padEnd(11)} ${seconds} s`)
}
