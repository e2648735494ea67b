/**
 * Rolling restarts under load: two workers, 200 clients that never stop talking, and others that connect, ask once and
 * leave all the time. A row for each runtime and way of sharing: what was answered and lost, which connections were reset,
 * and who did not get in while listeners were handed over.
 *
 * ```
 * npm run rolling [-- --restarts 10] [--runtime node|bun|deno] [--share reuseport|cluster] [--record]
 * ```
 * Exit code 1 when a reply to what had arrived before a worker began to drain is missing, when a connection that had been
 * answered is reset, or when of those who connect more than 1 in 10,000 is (where the supervisor owns the listening
 * socket: anybody). `--record` writes the rows into `docs/workers.md`; those of the other value of
 * `net.ipv4.tcp_migrate_req` stay. Needs Linux.
 */
import { readFileSync } from "node:fs"
import { Crew } from "../test/peers/Crew.ts"
import { Entries } from "../test/peers/Entries.ts"
import { Flow } from "../test/peers/Flow.ts"
import { Visitors } from "../test/peers/Visitors.ts"
import type { Runtime } from "./child.ts"
import { read, refuse } from "./flags.ts"
import * as Results from "./rolling/results.ts"

const flags = read({
  restarts: { type: "string", default: "10" },
  runtime: { type: "string", multiple: true },
  share: { type: "string", multiple: true },
  record: { type: "boolean", default: false },
})
const restarts = Number(flags.restarts)
const asked = (flag: "runtime" | "share", name: string): boolean => flags[flag]?.includes(name) ?? true
const chosen = Results.ways.filter(({ runtime, share }) => asked("runtime", runtime) && asked("share", share))
if (chosen.length === 0 || !(restarts >= 1)) {
  refuse(
    "Cannot roll: --restarts takes a number from 1, --runtime node, bun or deno, --share reuseport or (node) cluster",
  )
}
if (process.platform !== "linux") refuse("Cannot roll here: SO_REUSEPORT and its settings are Linux's")

const clients = 200
const visitors = 20
/** Milliseconds that a visitor rests between two visits. */
const rest = 25
/** So many have to connect in a run; it goes on after the last restart until they have. */
const connects = 20_000

const migrate = readFileSync("/proc/sys/net/ipv4/tcp_migrate_req", "utf8").trim() === "1"

const roll = async (runtime: Runtime, share: Results.Share): Promise<Results.Row> => {
  const crew = await Crew.start(runtime, share === "cluster" ? { flags: ["--share", share] } : {})
  try {
    const entries = new Entries()
    const flow = new Flow(crew.place, clients, entries)
    const coming = new Visitors(crew.place, visitors, rest, entries)
    const began = performance.now()
    await pause(1_000)
    for (let done = 0; done < restarts; done++) {
      await crew.restart()
      await pause(500)
    }
    while (entries.count < connects && performance.now() - began < 180_000) await pause(100)
    await Promise.all([flow.stop(), coming.stop()])
    const { answers, resets, unanswered, wrong } = flow
    const lost = crew.lost(unanswered) + wrong
    const { count, failures, longestGap } = entries
    const code = await crew.end()
    if (code !== 0) throw new Error(`It ended with ${code}: ${crew.child.stderr.slice(-2_000)}`)
    return { runtime, share, migrate, restarts, answers, lost, resets, connects: count, failures, gap: longestGap }
  } finally {
    await crew.child.kill()
  }
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const columns = [
  ["runtime", 8],
  ["share", 10],
  ["migrate_req", 12],
  ["restarts", 9],
  ["answers", 10],
  ["lost", 5],
  ["resets", 10],
  ["connects", 9],
  ["not let in", 18],
  ["longest gap ms", 14],
] as const

const print = (cells: ReadonlyArray<string | number>): void =>
  console.log(columns.map(([, width], index) => String(cells[index]).padEnd(width)).join(" ").trimEnd())

const rows: Array<Results.Row> = []
print(columns.map(([title]) => title))
for (const { runtime, share } of chosen) {
  const row = await roll(runtime, share)
  rows.push(row)
  const { answers, lost, resets, failures, gap } = row
  const spell = (of: Record<string, number>): string => Results.spell(of)
  print([
    runtime,
    share,
    Number(migrate),
    restarts,
    answers,
    lost,
    spell(resets),
    row.connects,
    spell(failures),
    gap.toFixed(0),
  ])
}
if (flags.record) Results.record(rows)
const broken = rows.flatMap(Results.broken)
for (const line of broken) console.error(line)
process.exit(broken.length === 0 ? 0 : 1)
