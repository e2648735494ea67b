/**
 * Hostile clients over the wire, on all three runtimes, each scenario against a server of its own with a well-behaved
 * client beside it. What holds in all of them is the judge's. F are faults. `npm run hostile` shows the same with figures.
 */
import { describe, expect, it } from "vitest"
import { runtimes } from "./child.ts"
import { judge } from "./hostile/judge.ts"
import { scenarios } from "./hostile/scenarios/index.ts"

// Memory, CPU time, descriptors and their limits are read and set as on Linux.
describe.runIf(process.platform === "linux")("hostile clients", () => {
  for (const runtime of runtimes) {
    describe(runtime, () => {
      for (const scenario of scenarios) {
        it(scenario.title, { timeout: 90_000 }, async () => {
          const { losses } = await judge(scenario, runtime, 100)
          expect(losses).toEqual([])
        })
      }
    })
  }
})
