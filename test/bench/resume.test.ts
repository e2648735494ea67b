import { describe, expect, it } from "vitest"
import { format, type Result, version } from "../../bench/Result.ts"
import { decode, differs, encode } from "../../bench/ResultFile.ts"

const result: Result = {
  format,
  version,
  startedAt: "2026-11-28T00:00:00.000Z",
  command: "anyport bench --quick",
  seed: 7,
  quick: true,
  generator: "C client (gcc 12.2.0)",
  machine: { CPU: "a processor", cores: "2", "swap in use": "0 MiB" },
  versions: { anyport: "0.1.0", node: "24.21.0" },
  missing: [],
  contenders: [{ id: "anyport-node", title: "Anyport on Node", family: "anyport", command: "node", runtime: "node" }],
  cells: [{ id: "start", scenario: "start", title: "Start", trials: 3, contenders: ["anyport-node"] }],
  trials: [
    {
      cell: "start",
      contender: "anyport-node",
      round: 1,
      startedAt: "2026-11-28T00:00:01.000Z",
      void: [],
      notes: [],
      measures: { seconds: 0.15, rss: 6e7 },
    },
  ],
}

describe("the file of a run", () => {
  it("holds the whole result", () => {
    expect(decode(encode(result))).toEqual(result)
  })

  it.each([
    ["no JSON", "{", "no JSON"],
    ["something else", "{}", `"format": "${format}"`],
    ["another version", JSON.stringify({ format, version: 2 }), "version 1, got version 2"],
    ["a damaged result", encode(result).replace('"seed": 7', '"seed": "7"'), "damaged"],
  ])("is refused in one line when it is %s", (_, text, reason) => {
    const decoded = decode(text)
    expect(decoded).toEqual({ problem: expect.stringContaining(reason) })
    expect("problem" in decoded && decoded.problem).not.toContain("\n")
  })
})

describe("a run", () => {
  it("goes on on the same machine, whatever its swap does meanwhile", () => {
    expect(differs(result, { ...result, machine: { ...result.machine, "swap in use": "9 MiB" } })).toBeUndefined()
    expect(differs(result, { ...result, missing: [{ name: "go", reason: "gone" }] })).toBeUndefined()
  })

  it.each(
    [
      ["machine", { machine: { ...result.machine, CPU: "another" } }, "CPU a processor, here it is another"],
      ["version", { versions: { ...result.versions, node: "26.0.0" } }, "node 24.21.0, here it is 26.0.0"],
      ["runtime beside", { versions: { ...result.versions, bun: "1.4.5" } }, "bun missing, here it is 1.4.5"],
      ["generator", { generator: "anyport load" }, "the C client (gcc 12.2.0), here is anyport load"],
      ["seed", { seed: 8 }, 'that of "anyport bench --quick"'],
      ["plan", { cells: [{ ...result.cells[0]!, trials: 5 }] }, 'that of "anyport bench --quick"'],
    ] as const,
  )("does not go on with another %s, and says so", (_, change, reason) => {
    expect(differs(result, { ...result, ...change })).toContain(reason)
  })
})
