/** `start` inside a program, on every runtime. */
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Child, type Runtime, runtimes } from "./wire/child.ts"

const command = (runtime: Runtime, script: string): ReadonlyArray<string> =>
  runtime === "deno" ? ["deno", "run", "--no-prompt", "--quiet", "--allow-net=127.0.0.1", script] : [runtime, script]

describe.each(runtimes)("start on %s", (runtime) => {
  it("serves, drains with a report, closes at once, and leaves nothing that keeps the program alive", async () => {
    const { code, stdout, stderr } = await new Child(command(runtime, join(import.meta.dirname, "start.main.ts"))).ended
    const warnings = stderr.trim().split("\n").map((line) => JSON.parse(line)).map((
      { message, step },
    ) => [message, step])
    expect({ code, warnings }).toEqual({
      code: 0,
      warnings: [["drain step failed", "fails"], ["drain step timed out", "hangs"]],
    })
    const { report: { served, drained, duration, steps, ...rest }, again, outside, ...seen } = JSON.parse(stdout)
    // Whether the client's FIN or the drain came first is theirs to settle.
    expect({ ended: served + drained, ...rest }).toEqual({ ended: 1, forced: 0, unsent: 0 })
    expect(steps).toMatchObject([
      { phase: "announced", name: "deregister", outcome: "done" },
      { phase: "announced", name: "fails", outcome: "failed" },
      { phase: "ended", name: "hangs", outcome: "timed out" },
    ])
    expect(again).toEqual({ served, drained, duration, steps, ...rest })
    expect(outside).toEqual([runtime === "deno" ? "echo: three\n" : "ECONNREFUSED", "echo: four\n"])
    expect(seen).toEqual({
      address: true,
      "signal handlers": 0,
      answer: "echo: one\necho: two\n",
      taken: "AddressInUse",
      "no address": "InvalidAddress",
      inside: "echo: one\necho: two\n",
      states: ["Suspended", "Serving", "Stopped"],
      drained: "echo: slow\n",
      refused: "ECONNREFUSED",
      events: ["Listening", "Opened", "Closed", "Suspended", "Resumed", "Draining", "Drained"],
      left: 0,
      owned: ["served acquired", "taken acquired", "taken released", "served released"],
    })
  })
})
