/**
 * What each runtime can do, and which versions are supported, as the tables of `docs/runtimes.md` and the README. Each runtime is asked
 * itself; the conformance tests hold what it says against what it does.
 *
 * ```
 * npm run capabilities                   writes the tables
 * node scripts/capabilities.ts --check   exits with 1 when the tables are not what the runtimes say
 * ```
 */
import { floors } from "../adapters/Floor.ts"
import type { Ability } from "../test/conformance/flags.ts"
import { type Answer, ask } from "./capabilities/ask.ts"
import { type Block, read, same, write } from "./generated.ts"

interface Row {
  readonly ability: Ability
  readonly means: string
  readonly without: string
}

const rows: ReadonlyArray<Row> = [
  {
    ability: "halfClose",
    means: "**Half-close**: a client that has finished sending still gets its answers",
    without: "the answers to its last requests would be lost",
  },
  {
    ability: "reset",
    means: "**Reset** (RST): a connection can be cut so that the peer knows it was",
    without: "the peer sees an ordinary end, and cannot tell that something is missing",
  },
  {
    ability: "reusePort",
    means: "**reusePort**: several processes listen on one port",
    without: "one process a port: more CPUs want more ports, and a balancer before them",
  },
  {
    ability: "stopAccepting",
    means: "**Waiting clients**: while a server accepts nobody, new clients wait in the backlog",
    without: "they are refused, and have to try again",
  },
  {
    ability: "adoptDescriptor",
    means: "**Socket activation**: a listening descriptor is taken over, as systemd gives it",
    without: "while a server restarts, clients are refused",
  },
  {
    ability: "abstractUnix",
    means: "**Abstract Unix sockets**: a name instead of a path",
    without: "a Unix socket has a path, and permissions and leftovers with it",
  },
  {
    ability: "bindSource",
    means: "**Source address**: who connects chooses the address it comes from",
    without: "the system chooses; rules that go by the source cannot be met",
  },
  {
    ability: "descriptorLimit",
    means: "**Descriptor limit**: it is read at start, and the limit of connections lowered to what it carries",
    without: "who runs the server has to see that `ulimit -n` exceeds `--max-connections`",
  },
]

const cell = (
  ability: Ability,
  answer: Answer,
  withFlag?: { readonly flag: string; readonly answer: Answer },
): string =>
  !answer.missing.includes(ability)
    ? "✓"
    : withFlag !== undefined && !withFlag.answer.missing.includes(ability)
    ? `with \`${withFlag.flag}\``
    : "–"

const table = (lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [head, ...body] = lines.map((cells) => `| ${cells.join(" | ")} |`)
  return [head, `|${" --- |".repeat(lines[0]!.length)}`, ...body].join("\n")
}

const [node, bun, deno, unstable] = await Promise.all(
  (["node", "bun", "deno", "deno --unstable-net"] as const).map(ask),
) as [Answer, Answer, Answer, Answer] // one for each

const cells = (ability: Ability): ReadonlyArray<string> => [
  cell(ability, node),
  cell(ability, bun),
  cell(ability, deno, { flag: "--unstable-net", answer: unstable }),
]

const runtimes = [`Node ${node.version}`, `Bun ${bun.version}`, `Deno ${deno.version}`]

const blocks: ReadonlyArray<readonly [block: Block, markdown: string]> = [
  [
    { path: "README.md", name: "capabilities" },
    table([["", ...runtimes], ...rows.map(({ ability, means }) => [means, ...cells(ability)])]),
  ],
  [
    { path: "docs/runtimes.md", name: "capabilities" },
    table([
      ["", ...runtimes, "Without it"],
      ...rows.map(({ ability, means, without }) => [means, ...cells(ability), without]),
    ]),
  ],
  [
    { path: "docs/runtimes.md", name: "versions" },
    table([
      ["", "Tested", "From", "Because"],
      ...([[floors.node, node], [floors.bun, bun], [floors.deno, deno]] as const).map(([floor, { version }]) => [
        floor.name,
        version,
        floor.version,
        floor.reason,
      ]),
    ]),
  ],
]

if (process.platform !== "linux") {
  console.error("The page is of Linux; elsewhere the runtimes can do less, so nothing is compared or written")
  process.exit(0)
}

const check = process.argv[2] === "--check"
for (const [block, markdown] of blocks) {
  if (!check) {
    write(block, markdown)
  } else if (!same(read(block), markdown)) {
    console.error(`${block.path}: "${block.name}" is not what the runtimes say: run "npm run capabilities"`)
    process.exitCode = 1
  }
}
