/**
 * Rolling restarts while clients talk without a pause and others come and go, in every way in which workers share an
 * address. `npm run rolling` is the same for longer, with figures.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { afterAll, describe, expect, it } from "vitest"
import { Crew, type Options } from "../../peers/Crew.ts"
import { Entries } from "../../peers/Entries.ts"
import { Flow } from "../../peers/Flow.ts"
import { Visitors } from "../../peers/Visitors.ts"
import { killAll, type Runtime } from "./child.ts"

const directory = mkdtempSync(join(tmpdir(), "anyport-rolling-"))
// Compiling for each process anew is most of what Node needs to start.
process.env["NODE_COMPILE_CACHE"] = join(directory, "cache")
afterAll(async () => {
  await killAll()
  rmSync(directory, { recursive: true, force: true })
})

interface Way {
  readonly name: string
  readonly runtime: Runtime
  readonly options: Options
  /** Of 100 who connect, how many the hand-over may reset: the system does so to who is in the backlog of a socket that closes. */
  readonly allowed: number
}

const ways: ReadonlyArray<Way> = [
  { name: "node, reuseport", runtime: "node", options: {}, allowed: 1 },
  { name: "node, cluster", runtime: "node", options: { flags: ["--share", "cluster"] }, allowed: 0 },
  { name: "node, a Unix socket", runtime: "node", options: { path: join(directory, "a.sock") }, allowed: 0 },
  { name: "bun, reuseport", runtime: "bun", options: {}, allowed: 1 },
  { name: "deno, reuseport", runtime: "deno", options: {}, allowed: 1 },
]

// SO_REUSEPORT is Linux's here.
describe.runIf(process.platform === "linux").each(ways)(
  "two rolling restarts: $name",
  ({ runtime, options, allowed }) => {
    it(
      "no reply is lost, no established connection is reset, and who connects gets in",
      { timeout: 60_000 },
      async () => {
        const crew = await Crew.start(runtime, options)
        const entries = new Entries()
        const flow = new Flow(crew.place, 100, entries)
        const visitors = new Visitors(crew.place, 10, 20, entries)
        const go = async (): Promise<void> => {
          const [answers, entered] = [flow.answers, entries.count]
          while (flow.answers < answers + 2_000 || entries.count < entered + 200) {
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        }
        await go()
        for (let time = 0; time < 2; time++) {
          await crew.restart()
          await go()
        }
        await Promise.all([flow.stop(), visitors.stop()])
        const { wrong, resets, unanswered } = flow
        expect({ wrong, resets, lost: crew.lost(unanswered), forced: crew.forced }).toEqual({
          wrong: 0,
          resets: {},
          lost: 0,
          forced: 0,
        })
        expect(new Set(crew.pids).size).toBe(1 + 3 * 2)
        expect(entries.broken, JSON.stringify(entries.failures)).toBeLessThanOrEqual(allowed * entries.count / 100)
        expect(await crew.end()).toBe(0)
      },
    )
  },
)
